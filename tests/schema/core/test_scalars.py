"""Scalars: exact out, strict in, by literal and by variable alike."""

import datetime
import decimal
import json
from typing import Any

import pytest
from graphql import GraphQLError

from schema.core.scalars import BigInt, Date, DateTime, Decimal, Time
from tests.schema.core.sample import NOW, ask, codes, data_of

UTC = datetime.UTC
TYPES = {
    "at": "DateTime",
    "day": "Date",
    "time": "Time",
    "number": "BigInt",
    "amount": "Decimal",
    "rate": "Float",
    "any": "JSON",
}


def echoed(name: str, value: Any) -> list[Any]:
    """What the resolver saw for the value as a literal and as a variable."""
    literal = ask(f"{{ echo({name}: {json.dumps(value)}) }}")
    variable = ask(f"query ($v: {TYPES[name]}) {{ echo({name}: $v) }}", {"v": value})
    assert (literal.errors, variable.errors) == ([], [])
    assert literal.data is not None
    assert variable.data is not None
    return [literal.data["echo"][name], variable.data["echo"][name]]


@pytest.mark.parametrize(
    ("name", "value", "seen"),
    [
        ("at", "2026-11-21T09:30:00Z", datetime.datetime(2026, 11, 21, 9, 30, tzinfo=UTC)),
        ("at", "2026-11-21t10:30:00.25+01:00", datetime.datetime(2026, 11, 21, 9, 30, 0, 250000, tzinfo=UTC)),
        ("at", "2026-11-21T09:30-05:00", datetime.datetime(2026, 11, 21, 14, 30, tzinfo=UTC)),
        ("at", "2026-11-21T09:30:00.123456789Z", datetime.datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)),
        ("day", "2028-02-29", datetime.date(2028, 2, 29)),
        ("time", "15:00:00", datetime.time(15)),
        ("time", "15:00", datetime.time(15)),
        ("number", 2**53 - 1, 2**53 - 1),
        ("number", -5, -5),
        ("amount", "10.50", decimal.Decimal("10.50")),
        ("amount", 3, decimal.Decimal("3")),
        ("amount", 1.5, decimal.Decimal("1.5")),
        ("rate", 4.5, 4.5),
    ],
)
def test_what_is_right_arrives(name: str, value: Any, seen: Any) -> None:
    assert echoed(name, value) == [repr(seen)] * 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("at", "2026-11-21T09:30:00"),
        ("at", "2026-11-21"),
        ("at", "2026-13-01T00:00:00Z"),
        ("at", "2026-02-30T00:00:00Z"),
        ("at", "0001-01-01T00:00:00+14:00"),
        ("at", "2026-11-21T09:30:00Z\n"),
        ("at", "2026-11-21T25:30:00Z"),
        ("at", ""),
        ("at", "now"),
        ("at", 1763717400),
        ("at", True),
        ("day", "2026-11-31"),
        ("day", "20261121"),
        ("day", "2026-W47-6"),
        ("day", "2026-11-21T00:00:00Z"),
        ("day", 20261121),
        ("time", "25:00"),
        ("time", "15"),
        ("time", "15:00:00Z"),
        ("time", "15:00:00+01:00"),
        ("time", 15),
        ("number", 2**53),
        ("number", -(2**53)),
        ("number", 1.5),
        ("number", True),
        ("number", "5"),
        ("number", 10**30),
        ("amount", "1e5"),
        ("amount", "NaN"),
        ("amount", "Infinity"),
        ("amount", ""),
        ("amount", "1,5"),
        ("amount", "٣"),
        ("amount", "9" * 41),
        ("amount", True),
        ("rate", "1.5"),
        ("rate", True),
    ],
)
def test_what_is_wrong_is_bad_user_input(name: str, value: Any) -> None:
    for answer in (
        ask(f"{{ echo({name}: {json.dumps(value)}) at }}"),
        ask(f"query ($v: {TYPES[name]}) {{ echo({name}: $v) at }}", {"v": value}),
    ):
        assert codes(answer) == ["BAD_USER_INPUT"]
        assert not answer.executed


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_that_is_none(value: float) -> None:
    for name in ("rate", "number", "amount"):
        assert codes(ask(f"query ($v: {TYPES[name]}) {{ echo({name}: $v) }}", {"v": value})) == ["BAD_USER_INPUT"]
    assert codes(ask("{ echo(rate: 1e400) }")) == ["BAD_USER_INPUT"]
    assert codes(ask("{ echo(rate: NaN) }")) == ["BAD_USER_INPUT"]


def test_json_takes_anything() -> None:
    value = {"a": [1, 2.5, "x", None, True], "b": {"c": []}}
    variable = data_of("query ($v: JSON) { echo(any: $v) }", {"v": value})["echo"]["any"]
    literal = data_of('query ($x: Int) { echo(any: {a: [1, 2.5, "x", null, true], b: {c: []}, d: $x}) }', {"x": 3})
    assert variable == repr(value)
    assert literal["echo"]["any"] == repr({**value, "d": 3})


def test_output_forms() -> None:
    plus_one = datetime.timezone(datetime.timedelta(hours=1))
    assert DateTime.serialize(datetime.datetime(2026, 1, 1, 0, 30, tzinfo=plus_one)) == "2025-12-31T23:30:00Z"
    assert DateTime.serialize(datetime.datetime(2026, 1, 1, microsecond=5, tzinfo=UTC)) == "2026-01-01T00:00:00.000005Z"
    assert Date.serialize(datetime.date(2026, 1, 2)) == "2026-01-02"
    assert Time.serialize(datetime.time(9, 5)) == "09:05:00"
    assert Decimal.serialize(decimal.Decimal("1E+3")) == "1000"
    assert Decimal.serialize(decimal.Decimal("0E-8")) == "0.00000000"
    assert BigInt.serialize(2**53 - 1) == 2**53 - 1
    assert data_of("{ at }") == {"at": NOW.isoformat().replace("+00:00", "Z")}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        (DateTime, datetime.datetime(2026, 1, 1)),
        (DateTime, datetime.date(2026, 1, 1)),
        (Date, datetime.datetime(2026, 1, 1, tzinfo=UTC)),
        (Time, "15:00"),
        (Decimal, 1.5),
        (Decimal, decimal.Decimal("NaN")),
        (BigInt, 2**53),
        (BigInt, True),
        (BigInt, 1.0),
    ],
)
def test_what_would_be_inexact_is_never_sent(scalar: Any, value: Any) -> None:
    with pytest.raises((TypeError, GraphQLError)):
        scalar.serialize(value)
