"""From the text of a cell to a value. Each conversion refuses what it cannot read, and says what it had to mend."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from apps.core.money import DIGITS, is_currency, quantize
from apps.core.periods import instant, is_time_zone
from apps.importing.problems import Refused
from apps.listings.models import CancellationPolicy

LONGEST_IDENTIFIER = 100
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
BREAK = re.compile(r"\s*<br\s*/?>\s*", re.IGNORECASE)
# Currency signs and codes before or after a number, and the spaces between.
AROUND_NUMBER = re.compile(r"^[^\d.,+-]*|[^\d.,]*$")
DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(h(?:ou)?rs?|min(?:ute)?s?)", re.IGNORECASE)
YES = {"t", "true", "yes", "y", "1"}
NO = {"f", "false", "no", "n", "0"}


@dataclass(slots=True)
class Cell:
    """What a conversion may know beside the text: the field's bounds, the row's values so far, where to note repairs."""

    name: str
    at_least: Decimal | None
    at_most: Decimal | None
    longest: int | None
    clamps: bool = False
    decimal_comma: bool = False
    pattern: str = ""
    row: dict[str, Any] = field(default_factory=dict)
    repairs: list[str] = field(default_factory=list)


def shown(text: str) -> str:
    """The text as a reason quotes it: short, on one line."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 40 else f"{flat[:39]}…")


def within(value: Decimal, cell: Cell) -> Decimal:
    """The value, moved to its bound where the mapping says so. Raises Refused outside the bounds otherwise."""
    if cell.at_least is not None and value < cell.at_least:
        if not cell.clamps:
            raise Refused(f"{cell.name} is {value}, below {cell.at_least}")
        cell.repairs.append(f"{cell.name} raised to {cell.at_least}")
        return cell.at_least
    if cell.at_most is not None and value > cell.at_most:
        if not cell.clamps:
            raise Refused(f"{cell.name} is {value}, above {cell.at_most}")
        cell.repairs.append(f"{cell.name} lowered to {cell.at_most}")
        return cell.at_most
    return value


def number(text: str, cell: Cell) -> Decimal:
    """A plain decimal number. Raises Refused for anything else, NaN and infinity included."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise Refused(f"{cell.name} is no number: {shown(text)}") from None
    if not value.is_finite() or abs(value.adjusted()) > 30:
        raise Refused(f"{cell.name} is no number: {shown(text)}")
    return value


def cleaned(text: str, cell: Cell) -> str:
    """Without control characters, which the database or a client would choke on."""
    if CONTROL.search(text):
        cell.repairs.append(f"control characters taken out of {cell.name}")
        text = CONTROL.sub("", text)
    return text


def cut(text: str, cell: Cell) -> str:
    """At most the field's longest length, never silently."""
    if cell.longest is not None and len(text) > cell.longest:
        cell.repairs.append(f"{cell.name} cut from {len(text)} to {cell.longest} characters")
        return f"{text[: cell.longest - 1].rstrip()}…"
    return text


def line(text: str, cell: Cell) -> str:
    """One line: line breaks and runs of spaces become one space. HTML stays the text it is."""
    flat = " ".join(cleaned(text, cell).split())
    if any(mark in text for mark in "\r\n"):
        cell.repairs.append(f"line breaks in {cell.name} became spaces")
    return cut(flat, cell)


def text(text: str, cell: Cell) -> str:
    """Several lines, every kind of line end as a newline."""
    return cut(cleaned(text.replace("\r\n", "\n").replace("\r", "\n"), cell).strip(), cell)


def html(content: str, cell: Cell) -> str:
    """Several lines, of which `<br/>` ends one too; other markup stays the text it is."""
    return text(BREAK.sub("\n", content), cell)


def identifier(text: str, cell: Cell) -> str:
    """The source's name of a thing, as text: ids may be longer than any integer type.

    One that is longer than the column keeps its beginning and a digest of the whole, so that it stays unique.
    """
    name = cleaned(text, cell)
    if len(name) <= LONGEST_IDENTIFIER:
        return name
    return f"{name[: LONGEST_IDENTIFIER - 33]}~{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def integer(text: str, cell: Cell) -> int:
    value = number(text, cell)
    if value != value.to_integral_value():
        raise Refused(f"{cell.name} is no whole number: {shown(text)}")
    return int(within(value, cell))


def decimal(text: str, cell: Cell) -> Decimal:
    """With one digit after the point: bathrooms come in halves."""
    return quantize(within(number(text, cell), cell), digits=1)


def money(text: str, cell: Cell) -> int:
    """Minor units of the row's currency, from "$1,234.00", "1234", "EUR 12.5" or, with decimal_comma, "1.234,00 €"."""
    if text.strip().startswith(("-", "(")):
        raise Refused(f"{cell.name} is negative: {shown(text)}")
    plain = AROUND_NUMBER.sub("", text)
    plain = plain.replace(".", "").replace(",", ".") if cell.decimal_comma else plain.replace(",", "")
    value = number(plain.replace(" ", "").replace("\u00a0", ""), cell)
    if cell.at_least is not None and value < cell.at_least:
        raise Refused(f"{cell.name} is {value}, below {cell.at_least}")
    exact = value.scaleb(DIGITS[cell.row["currency"]])
    minor = quantize(exact, digits=0)
    if minor != exact:
        cell.repairs.append(f"{cell.name} rounded to the currency's digits")
    if cell.at_most is not None and minor > cell.at_most:
        raise Refused(f"{cell.name} is too much: {shown(text)}")
    return int(minor)


def latitude(text: str, cell: Cell) -> float:
    value = number(text, cell)
    if not -90 <= value <= 90:
        raise Refused(f"{cell.name} is outside -90..90: {shown(text)}")
    return float(value)


def longitude(text: str, cell: Cell) -> float:
    value = number(text, cell)
    if not -180 <= value <= 180:
        raise Refused(f"{cell.name} is outside -180..180: {shown(text)}")
    return 180.0 if value == -180 else float(value)


def words(text: str, cell: Cell) -> list[str]:
    """A JSON array of texts, or the older {a,"b c"}; each word once, in order."""
    if text.startswith("{") and text.endswith("}"):
        found: Any = [part.strip().strip('"') for part in text[1:-1].split(",")]
    else:
        try:
            found = json.loads(text)
        except ValueError:
            raise Refused(f"{cell.name} is no list: {shown(text)}") from None
    if not isinstance(found, list):
        raise Refused(f"{cell.name} is no list: {shown(text)}")
    clean = (line(str(word), cell) for word in found)
    return list(dict.fromkeys(word for word in clean if word))


def flag(text: str, cell: Cell) -> bool:
    lowered = text.lower()
    if lowered in YES:
        return True
    if lowered in NO:
        return False
    raise Refused(f"{cell.name} is neither yes nor no: {shown(text)}")


def day(text: str, cell: Cell) -> date:
    try:
        value = datetime.strptime(text, cell.pattern).date() if cell.pattern else date.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        raise Refused(f"{cell.name} is no date: {shown(text)}") from None
    if not 1900 <= value.year <= 2200:
        raise Refused(f"{cell.name} is no date of this age: {shown(text)}")
    return value


def clock(text: str, cell: Cell) -> time:
    try:
        value = datetime.strptime(text, cell.pattern).time() if cell.pattern else time.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        raise Refused(f"{cell.name} is no time of day: {shown(text)}") from None
    return value.replace(tzinfo=None)


def moment(text: str, cell: Cell) -> datetime:
    """An instant in UTC; without an offset it is local time of the row's zone."""
    try:
        value = datetime.strptime(text, cell.pattern) if cell.pattern else datetime.fromisoformat(text)  # noqa: DTZ007
    except ValueError:
        raise Refused(f"{cell.name} is no date and time: {shown(text)}") from None
    if not 1900 <= value.year <= 2200:
        raise Refused(f"{cell.name} is no date of this age: {shown(text)}")
    if value.tzinfo is not None:
        return value.astimezone(UTC)
    return instant(value.date(), value.time(), cell.row["time_zone"])


def longest_minutes(text: str, cell: Cell) -> int:
    """The longest time that a text of rules names, in minutes: "3HR Com / 6HR Pas" is 360, "30Min" is 30."""
    found = [Decimal(amount) * (60 if unit.lower().startswith("h") else 1) for amount, unit in DURATION.findall(text)]
    if not found:
        raise Refused(f"{cell.name} names no time: {shown(text)}")
    return int(within(max(found), cell))


def currency(text: str, cell: Cell) -> str:
    code = text.upper()
    if not is_currency(code):
        raise Refused(f"{cell.name} is no ISO 4217 currency: {shown(text)}")
    return code


def time_zone(text: str, cell: Cell) -> str:
    if not is_time_zone(text):
        raise Refused(f"{cell.name} is no IANA time zone: {shown(text)}")
    return text


def cancellation_policy(text: str, cell: Cell) -> str:
    code = text.upper()
    if code not in CancellationPolicy.values:
        raise Refused(f"{cell.name} is none of {', '.join(CancellationPolicy.values)}: {shown(text)}")
    return code


CONVERSIONS: dict[str, Callable[[str, Cell], Any]] = {
    "line": line,
    "text": text,
    "html": html,
    "identifier": identifier,
    "integer": integer,
    "decimal": decimal,
    "money": money,
    "latitude": latitude,
    "longitude": longitude,
    "words": words,
    "flag": flag,
    "date": day,
    "time": clock,
    "instant": moment,
    "longest_minutes": longest_minutes,
    "currency": currency,
    "time_zone": time_zone,
    "cancellation_policy": cancellation_policy,
}
