"""Statements with their values in them, as the driver puts them in, in a third of its time.

The driver makes an object of each value, asks it for its text, and for a moment it asks Python. What is as plain as a number, a
moment or a text without anything to escape is put down here, to the same bytes; everything else the driver is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any


def filled(sql: str, values: Mapping[str, Any], cursor: Any) -> str:
    """The statement with a value at each of its places, which are such as `%(name)s`."""
    texts = {}
    for name, value in values.items():
        form = FORMS.get(value.__class__)
        text = None if form is None else form(value)
        texts[name] = cursor.mogrify("%s", (value,)).decode() if text is None else text
    return sql % texts


def _number(value: int) -> str:
    # Two signs in a row would begin a comment.
    return str(value) if value >= 0 else f" {value}"


def _text(value: str) -> str | None:
    # What an apostrophe and a backslash are hangs on the server's settings, which the driver knows.
    return None if "'" in value or "\\" in value or "\0" in value else f"'{value}'"


def _moment(value: datetime) -> str | None:
    return None if value.tzinfo is None else f"'{value.isoformat()}'::timestamptz"


# By the exact class. None is said of what the driver is to put down.
FORMS: dict[type[Any], Callable[[Any], str | None]] = {
    type(None): lambda _: "NULL",
    bool: lambda value: "true" if value else "false",
    date: lambda value: f"'{value.isoformat()}'::date",
    datetime: _moment,
    int: _number,
    str: _text,
}
