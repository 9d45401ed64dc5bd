"""From the text of a cell to a value."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from apps.importing.conversions import CONVERSIONS, Cell
from apps.importing.problems import Refused


def read(convert: str, text: str, **given: Any) -> tuple[Any, list[str]]:
    cell = Cell(
        name="it",
        at_least=given.pop("at_least", None),
        at_most=given.pop("at_most", None),
        longest=given.pop("longest", None),
        **given,
    )
    return CONVERSIONS[convert](text, cell), cell.repairs


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("$1,234.00", "USD", 123_400),
        ("1234", "USD", 123_400),
        ("£0.99", "GBP", 99),
        ("EUR 12.5", "EUR", 1_250),
        ("¥12,000", "JPY", 12_000),
        ("1.234", "KWD", 1_234),
        ("12.50 zł", "PLN", 1_250),
    ],
)
def test_prices_are_minor_units_of_the_rows_currency(text: str, currency: str, minor: int) -> None:
    assert read("money", text, row={"currency": currency}) == (minor, [])


def test_a_decimal_comma_is_read_where_the_mapping_says_so() -> None:
    assert read("money", "1.234,56 €", row={"currency": "EUR"}, decimal_comma=True) == (123_456, [])


def test_more_digits_than_the_currency_has_are_rounded_and_told() -> None:
    assert read("money", "10.005", row={"currency": "USD"}) == (1_001, ["it rounded to the currency's digits"])


@pytest.mark.parametrize("text", ["-5", "($5.00)", "free", "NaN", "1e400", "$", "1.2.3"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read("money", text, row={"currency": "USD"})


def test_a_line_is_one_line_and_html_stays_text() -> None:
    assert read("line", "  a\r\n b <script>  c ") == ("a b <script> c", ["line breaks in it became spaces"])
    assert read("line", "a  b") == ("a b", [])


def test_a_text_keeps_its_lines_and_html_breaks_become_lines() -> None:
    assert read("text", "a\r\nb\rc")[0] == "a\nb\nc"
    assert read("html", "a<br/>b <BR > c<br><b>d</b>")[0] == "a\nb\nc\n<b>d</b>"


def test_control_characters_and_what_is_too_long_are_mended_and_told() -> None:
    assert read("line", "a\x00b\x1b") == ("ab", ["control characters taken out of it"])
    value, repairs = read("line", "x" * 30, longest=20)
    assert (len(value), value[-1], repairs) == (20, "…", ["it cut from 30 to 20 characters"])


def test_ids_stay_text_and_long_ones_stay_unique() -> None:
    assert read("identifier", "1056469473906808728")[0] == "1056469473906808728"
    assert read("identifier", "007")[0] == "007"
    one, other = (read("identifier", "x" * 100 + end)[0] for end in ("a", "b"))
    assert len(one) == len(other) == 100
    assert one != other


@pytest.mark.parametrize("text", ["1.5", "ten", "", "inf", "0x10"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        read("integer", text)


def test_whole_numbers_keep_to_their_bounds() -> None:
    bounds = {"at_least": Decimal(1), "at_most": Decimal(10)}
    assert read("integer", "10.0", **bounds) == (10, [])
    with pytest.raises(Refused, match="it is 11, above 10"):
        read("integer", "11", **bounds)
    assert read("integer", "11", clamps=True, **bounds) == (10, ["it lowered to 10"])
    assert read("integer", "0", clamps=True, **bounds) == (1, ["it raised to 1"])


@pytest.mark.parametrize(("convert", "text"), [("latitude", "90.1"), ("longitude", "-181"), ("latitude", "north")])
def test_coordinates_off_the_earth_are_refused(convert: str, text: str) -> None:
    with pytest.raises(Refused):
        read(convert, text)


def test_the_antimeridian_has_one_name() -> None:
    assert read("longitude", "-180")[0] == 180.0


def test_lists_come_as_json_or_in_braces() -> None:
    assert read("words", '["Wifi", "Pool", "Wifi", ""]')[0] == ["Wifi", "Pool"]
    assert read("words", '{TV,"Cable TV"}')[0] == ["TV", "Cable TV"]
    assert read("words", "[]")[0] == []
    with pytest.raises(Refused):
        read("words", "Wifi; Pool")


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-07-01T08:00:00", "America/New_York", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        ("2026-10-25T11:00:00.000", "America/New_York", datetime(2026, 10, 25, 15, tzinfo=UTC)),
        # The clocks skip 02:30 on that night, and pass 01:30 twice on the other.
        ("2026-03-08T02:30:00", "America/New_York", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("2026-11-01T01:30:00", "America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        ("2026-07-01T08:00:00+05:30", "America/New_York", datetime(2026, 7, 1, 2, 30, tzinfo=UTC)),
        ("2026-01-01T09:00", "Asia/Kolkata", datetime(2026, 1, 1, 3, 30, tzinfo=UTC)),
    ],
)
def test_local_times_are_of_the_rows_zone(text: str, zone: str, expected: datetime) -> None:
    assert read("instant", text, row={"time_zone": zone})[0] == expected


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2 HR Pas Mon-Sat 0900-1900", 120),
        ("3HR Com Mon-Sat 0700-1800 /6HR Pas Mon-Sat 1800-2400", 360),
        ("30Min Com Mon-Sat 0600-2200", 30),
        ("1.5 hours", 90),
    ],
)
def test_the_longest_time_of_many_spellings(text: str, minutes: int) -> None:
    assert read("longest_minutes", text)[0] == minutes


def test_flags_dates_zones_and_currencies_refuse_what_they_do_not_know() -> None:
    assert [read("flag", text)[0] for text in ("t", "f", "TRUE", "no")] == [True, False, True, False]
    for convert, text in [
        ("flag", "maybe"),
        ("date", "2024-02-30"),
        ("date", "0001-01-01"),
        ("time_zone", "Mars/Olympus"),
        ("currency", "XXX"),
        ("cancellation_policy", "LENIENT"),
        ("instant", "soon"),
    ]:
        with pytest.raises(Refused):
            read(convert, text, row={"time_zone": "UTC"})
