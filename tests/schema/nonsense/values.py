"""Nonsense for every type of input: too long, too large, of another type, out of another world."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    get_nullable_type,
    is_input_object_type,
    is_list_type,
)

TEXTS = [
    "",
    " ",
    "\x00",
    "a\x00b",
    "\x1b[31m",
    "a" * 30_000,
    "😀" * 200,
    "\u202e\u0301",
    "'; --",
    "%s%n{0}",
    "../../etc/passwd",
    "\ufffe",
    "\ufdfa" * 50,
    "1" * 400,
    7,
    True,
    [],
    {},
]
NUMBERS = [0, -1, 2**31 - 1, -(2**31), 2**31, 2**53 + 1, 2**63, 10**40, 1.5, 1e308, -1e-308, "1", "NaN", True, [], {}]
MOMENTS = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-14:00",
    "2026-01-01T24:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-01-01T00:00:00",
    "2026-01-01T00:00:00.123456789+99:99",
    "",
    "\x00",
    0,
    1e30,
    [],
    {},
]
BY_TYPE: dict[str, list[Any]] = {
    "String": TEXTS,
    "ID": [
        *TEXTS,
        "UHJvcGVydHk6OTk5OTk5OTk5OTk5OTk5OTk5OTk=",
        "UHJvcGVydHk6LTE=",
        "UHJvcGVydHk6MQ",
        "Ym9va2luZzox",
        10**30,
    ],
    "Int": NUMBERS,
    "BigInt": NUMBERS,
    "Float": NUMBERS,
    "Decimal": [
        "1e999",
        "-1e-999",
        "NaN",
        "Infinity",
        "-0",
        "0." + "1" * 500,
        "9" * 400,
        "\uff11",
        "",
        "\x00",
        10**40,
        1e308,
        True,
        [],
        {},
    ],
    "Boolean": ["true", 0, 2, [], {}],
    "DateTime": MOMENTS,
    "Date": [
        "0001-01-01",
        "9999-12-31",
        "2026-02-30",
        "10000-01-01",
        "-0001-01-01",
        "2026-1-1",
        "\uff12026-01-01",
        "",
        "\x00",
        0,
        [],
        {},
    ],
    "Time": ["00:00:00", "23:59:60", "24:00:00", "12:00:00+14:00", "99:99", "", "\x00", 0, [], {}],
    "JSON": [None, [[[]]], {"a": {}}],
    "Upload": ["x", 0, [], {}],
}


def nonsense(type_: Any) -> Iterator[Any]:
    """Values that a client might send for the type; some of them are right."""
    yield None
    inner: Any = get_nullable_type(type_)
    if is_list_type(inner):
        yield from ([], [None], [[]], {}, "x")
        some = next(each for each in nonsense(inner.of_type) if each is not None)
        yield [some] * 1_001
        yield from ([each] for each in nonsense(inner.of_type))
    elif isinstance(inner, GraphQLEnumType):
        yield from ("", "NOPE", 1, [], {}, *inner.values)
    elif isinstance(inner, GraphQLInputObjectType):
        yield from ({}, [], "x", 1, {"nope": 1}, dict.fromkeys(inner.fields))
        # All of it right in form, with one field that is not.
        for name, field in inner.fields.items():
            if not is_input_object_type(get_nullable_type(field.type)):
                yield from ({name: each} for each in nonsense(field.type))
    else:
        yield from BY_TYPE[inner.name]
