"""Values in a statement: the very bytes that the driver makes of them."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils.safestring import SafeString
from psycopg2.extras import DateTimeTZRange, Json

from apps.bookings.states import BookingStatus
from apps.core.postgres.literals import FORMS, filled
from apps.core.prepared import Prepared

pytestmark = pytest.mark.django_db

MOMENT = datetime(2030, 5, 1, 12, 30, 15, 7, tzinfo=UTC)


class Number(IntEnum):
    ONE = 1


VALUES: list[Any] = [
    None,
    *(True, False),
    *(0, 7, -7, 2**63, -(2**63), Number.ONE),
    *(
        "",
        "plain",
        "ö€🎈",
        "it's",
        "'",
        "''",
        "a\\b",
        "\\",
        "'; DROP TABLE x; --",
        "%",
        "%s %(a)s %%",
        "a\nb\tc\r",
        '{"a":"b"}',
    ),
    *(
        "\\'",
        "\\\\'",
        "$1",
        "/*",
        "--",
        "E'",
        "\u2028\ufeff",
        SafeString("it's"),
        SafeString("safe"),
        BookingStatus.PENDING,
    ),
    *(
        MOMENT,
        MOMENT.replace(microsecond=0),
        MOMENT.replace(tzinfo=None),
        datetime.min,
        datetime.max.replace(tzinfo=UTC),
    ),
    *(MOMENT.astimezone(ZoneInfo(zone)) for zone in ("Asia/Kathmandu", "America/Caracas", "Europe/Berlin")),
    datetime(1880, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2030, 1, 1, tzinfo=timezone(timedelta(hours=-3, seconds=7))),
    *(date(2030, 5, 1), date.min, date.max, timedelta(days=-1, seconds=3)),
    *(1.5, -1.5, float("nan"), float("inf"), Decimal("1.20"), Decimal(-1)),
    *([], [1, 2], ["it's", None], b"bytes\\", DateTimeTZRange(MOMENT, None), Json({"a": "it's"})),
]


@pytest.mark.parametrize("conforms", ["on", "off"])
@pytest.mark.parametrize("value", VALUES, ids=[str(number) for number in range(len(VALUES))])
def test_each_value_is_put_down_as_the_driver_does(value: Any, conforms: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL standard_conforming_strings = {conforms}")
        sql, values = "SELECT 5 -%(a)s, '100%%', %(b)s::text, %(a)s", {"a": value, "b": "x"}
        assert filled(sql, values, cursor.cursor).encode() == cursor.cursor.mogrify(sql, values)


def test_what_no_text_may_hold_is_refused_as_ever() -> None:
    with connection.cursor() as cursor, pytest.raises(ValueError, match="NUL"):
        filled("SELECT %(a)s", {"a": "a\0b"}, cursor.cursor)


def test_classes_that_are_derived_of_those_are_left_to_the_driver() -> None:
    assert {type(value) for value in VALUES} - FORMS.keys() >= {Number, SafeString, BookingStatus, list, Decimal}


def test_a_statement_is_sent_so() -> None:
    evil = "it's \\ %s %(a)s; --"
    statement = Prepared("echo", "SELECT %(a)s, %(b)s, %(c)s, %(d)s", a="text", b="timestamptz", c="bigint", d="text[]")
    assert statement.rows(a=evil, b=MOMENT, c=-5, d=[evil]) == [(evil, MOMENT, -5, [evil])]
