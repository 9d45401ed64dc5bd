"""Files of registered operations, as the usual build tools of clients write them.

{"format": "apollo-persisted-query-manifest", "version": 1, "operations": [{"id": "...", "body": "query A { ... }", ...}]}
{"<id>": "query A { ... }", ...}                                                  as relay-compiler writes it
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

APOLLO_FORMAT = "apollo-persisted-query-manifest"


def sha256_of(text: str) -> str:
    """The name that a document has everywhere: the SHA-256 of its text in UTF-8, in lower-case hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(path: Path) -> dict[str, str]:
    """The documents of the file by their ids, and by their hashes too. Raises ValueError, saying what is wrong with the file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path} is not JSON in UTF-8") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold an object")
    documents = _apollo(content, path) if content.get("format") == APOLLO_FORMAT else content
    wrong = [key for key, text in documents.items() if not isinstance(text, str) or not text.strip()]
    if wrong or not documents:
        raise ValueError(f"{path} holds no text of {wrong[0]!r}" if wrong else f"{path} holds no operation")
    return {**documents, **{sha256_of(text): text for text in documents.values()}}


def _apollo(content: Mapping[str, Any], path: Path) -> dict[str, str]:
    operations = content.get("operations")
    if content.get("version") != 1 or not isinstance(operations, list):
        raise ValueError(f"{path} is no Apollo manifest of version 1")
    try:
        return {str(operation["id"]): operation["body"] for operation in operations}
    except (TypeError, KeyError) as error:
        raise ValueError(f"{path} has an operation without id or body") from error
