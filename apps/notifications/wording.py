"""How instants, periods and amounts are written to people."""

import copy
import re
from datetime import datetime
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import NumberPattern

from apps.core.errors import Invalid
from apps.core.money import DIGITS, Money
from apps.core.periods import Period, zone

# Where nobody has said how they write numbers.
DEFAULT_LOCALE = "en"
LONGEST_LOCALE = 35

# As `%a` and `%b` of strftime, which takes ten times as long and asks the process for its language.
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Marks that turn around the order in which the letters after them are shown.
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)])

# An amount inside a text, until it is known who reads it. Both marks are of no alphabet.
_BEGINS, _ENDS = "\ue000", "\ue001"
_AMOUNT = re.compile(f"{_BEGINS}(-?[0-9]{{1,20}}) ([A-Z]{{3}}){_ENDS}")


def amount(money: Money) -> str:
    """The amount for a text that `written` makes readable."""
    return f"{_BEGINS}{money.minor} {money.currency}{_ENDS}"


def written(text: str, *, locale: str = DEFAULT_LOCALE) -> str:
    """The text with its amounts as they are written there, with the currency's digits and its code.

    1,234.50 EUR in English, 1.234,50 EUR in German, 12,34,567.50 INR in India. The code, since half the world has dollars.
    """
    return _AMOUNT.sub(lambda found: _in_digits(Money(int(found[1]), found[2]), locale), text)


def _in_digits(money: Money, locale: str) -> str:
    if money.currency not in DIGITS:
        return f"{money.minor} {money.currency}"
    known = _locale(locale) or Locale.parse(DEFAULT_LOCALE)
    digits: str = _pattern(known, DIGITS[money.currency]).apply(money.amount, known)
    return f"{digits} {money.currency}"


@lru_cache(maxsize=500)
def _pattern(locale: Locale, digits: int) -> NumberPattern:
    pattern: NumberPattern = copy.copy(locale.decimal_formats[None])
    pattern.frac_prec = (digits, digits)
    return pattern


@lru_cache(maxsize=500)
def _locale(tag: str) -> Locale | None:
    try:
        return Locale.parse(tag.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return None


def one_line(text: str) -> str:
    """A name or a title in one line and in reading order, so that it can only be read as what it stands for."""
    return " ".join(text.translate(_TURNING).split())


def clean_locale(tag: str, *, field: str) -> str:
    """A language, with or without a script and a region, as BCP 47 writes it: en, de-CH. Raises Invalid at `field`."""
    found = _locale(tag.strip()) if len(tag) <= LONGEST_LOCALE else None
    if found is None or found.language == "root":
        raise Invalid("This is no language tag that is known here, such as en or de-CH.", field=field)
    return str(found).replace("_", "-")


def moment(instant: datetime, time_zone: str) -> str:
    """On the wall of a place, and which wall: Tue 1 Dec 2026, 15:00 CET (Europe/Berlin)."""
    local = instant.astimezone(zone(time_zone))
    return f"{_day(local)}, {_clock(local)} {local.tzname()} ({time_zone})"


def span(period: Period, time_zone: str) -> str:
    """From when to when on the wall of a place; the day is not said twice."""
    start, end = period.start.astimezone(zone(time_zone)), period.end.astimezone(zone(time_zone))
    until = _clock(end) if start.date() == end.date() else f"{_day(end)}, {_clock(end)}"
    first, last = start.tzname(), end.tzname()
    zones = first if first == last else f"{first}/{last}"
    return f"{_day(start)}, {_clock(start)} to {until} {zones} ({time_zone})"


def _day(local: datetime) -> str:
    return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"


def _clock(local: datetime) -> str:
    return f"{local.hour:02}:{local.minute:02}"
