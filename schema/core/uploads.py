"""The GraphQL multipart request specification: files beside the operation.

    operations  {"query": "mutation ($file: Upload!) {...}", "variables": {"file": null}}
    map         {"0": ["variables.file"]}
    0           the file

The map says which variables the files are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

MOST_FILES = 10


class MultipartError(ValueError):
    """The parts do not fit together. The message is for the client."""


def read_multipart(fields: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """The operation with the files in their places. Raises MultipartError."""
    operation, places = _object(fields, "operations"), _object(fields, "map")
    if len(places) > MOST_FILES:
        raise MultipartError(f"At most {MOST_FILES} files can be sent at once.")
    for name, paths in places.items():
        if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
            raise MultipartError("map must give each file a list of paths.")
        if name not in files:
            raise MultipartError("map names a file that was not sent.")
        # What graphql-core writes into a message where a file stands for something else.
        files[name].__inspect__ = lambda: "a file"
        for path in paths:
            _put(operation, path, files[name])
    return operation


def _object(fields: Mapping[str, Any], name: str) -> dict[str, Any]:
    try:
        read = orjson.loads(fields.get(name, ""))
    except orjson.JSONDecodeError:
        raise MultipartError(f"{name} is not JSON.") from None
    if not isinstance(read, dict):
        raise MultipartError(f"{name} must be one object.")
    return read


def _put(operation: dict[str, Any], path: str, file: Any) -> None:
    """Replaces the null at the path. Nothing else can be replaced."""
    *way, last = path.split(".")
    if not way or way[0] != "variables":
        raise MultipartError("A path in map must begin with variables.")
    target: Any = operation
    for step in [*way, last][:-1]:
        target = _step(target, step)
    if isinstance(target, dict) and last in target and target[last] is None:
        target[last] = file
    elif isinstance(target, list) and _index(target, last) is not None and target[int(last)] is None:
        target[int(last)] = file
    else:
        raise MultipartError("A path in map must lead to a null in the variables.")


def _step(target: Any, step: str) -> Any:
    if isinstance(target, dict) and step in target:
        return target[step]
    if isinstance(target, list):
        index = _index(target, step)
        if index is not None:
            return target[index]
    raise MultipartError("A path in map must lead to a null in the variables.")


def _index(items: list[Any], step: str) -> int | None:
    return int(step) if step.isascii() and step.isdecimal() and len(step) < 6 and int(step) < len(items) else None
