"""Reading iCal feeds: which periods an outside calendar takes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice
from time import monotonic
from typing import Any

from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from icalendar import Calendar

from apps.core.periods import Period, zone

MOST_EVENTS = 5_000
MOST_REPETITIONS = 1_500
MOST_PERIODS = 10_000
# What is repeated from farther back takes long to work out.
FIRST_YEAR = 1900
MOST_SECONDS = 10.0
FREQUENCIES = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}


class BadFeed(ValueError):
    """It is no calendar, or one that is too large."""


@dataclass(frozen=True, slots=True)
class Busy:
    """A time that an event of a feed takes."""

    uid: str
    period: Period
    summary: str


def read_feed(content: bytes, *, time_zone: str, days: Callable[[date, date], Period], window: Period) -> list[Busy]:
    """What the feed's events take inside the window, in order.

    `days` turns all-day events, from their first day to the day after their last, into a period. A time without a zone
    is one of `time_zone`. Canceled events and those that say they take no time are left out; of one event in several
    versions the latest counts. Raises BadFeed.
    """
    try:
        calendar: Any = Calendar.from_ical(content)
        events = list(calendar.walk("VEVENT")) if calendar.name == "VCALENDAR" else None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise BadFeed("It is no iCal feed.") from error
    if events is None:
        raise BadFeed("It is no iCal feed.")
    if len(events) > MOST_EVENTS:
        raise BadFeed(f"It has more than {MOST_EVENTS:,} events.")
    busy: list[Busy] = []
    until = monotonic() + MOST_SECONDS
    for event in _latest(events):
        if monotonic() > until:
            raise BadFeed("Its events are repeated in a way that takes too long to work out.")
        try:
            busy += _busy(event, time_zone=time_zone, days=days, window=window)
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            # Nothing that an event may mean is dropped in silence: the whole feed counts as broken.
            raise BadFeed(f"The event {_text(event, 'UID')[:100] or 'without a UID'} cannot be read.") from error
        if len(busy) > MOST_PERIODS:
            raise BadFeed(f"It takes more than {MOST_PERIODS:,} periods.")
    return sorted(busy, key=lambda each: (each.period, each.uid))


def _text(event: Any, name: str) -> str:
    return str(event.get(name, "")).strip()


def _latest(events: list[Any]) -> Iterator[Any]:
    """One version of each event: the highest SEQUENCE, among equals the last."""
    kept: dict[tuple[str, str], Any] = {}
    for number, event in enumerate(events):
        uid = _text(event, "UID") or f"without-uid-{number}"
        again = event.get("RECURRENCE-ID")
        if again is not None and again.params.get("RANGE"):
            raise BadFeed(f"The event {uid[:100]} changes from one of its repetitions on, which cannot be read.")
        key = (uid, again.to_ical().decode() if again is not None else "")
        present = kept.get(key)
        if present is None or int(event.get("SEQUENCE", 0)) >= int(present.get("SEQUENCE", 0)):
            kept[key] = event
    moved: dict[str, set[Any]] = {}
    for (uid, again), event in kept.items():
        if again:
            moved.setdefault(uid, set()).add(event["RECURRENCE-ID"].dt)
    for (uid, again), event in kept.items():
        if _text(event, "STATUS").upper() == "CANCELLED" or _text(event, "TRANSP").upper() == "TRANSPARENT":
            continue
        if not again:
            event.moved_away = moved.get(uid, set())
        yield event


def _busy(event: Any, *, time_zone: str, days: Callable[[date, date], Period], window: Period) -> Iterator[Busy]:
    start = event["DTSTART"].dt
    end = _end(event, start)
    uid, summary = _text(event, "UID"), _text(event, "SUMMARY")
    for first, last in _repetitions(event, start, end, window=window):
        if isinstance(first, datetime):
            begin, finish = _instant(first, time_zone), _instant(last, time_zone)
            if finish <= begin:
                continue
            period = Period(begin, finish)
        else:
            period = days(first, max(last, first + timedelta(days=1)))
        # What has begun keeps its start, so that the same event is the same block at every reading.
        if period.overlaps(window):
            yield Busy(uid=uid, period=Period(period.start, min(period.end, window.end)), summary=summary)


def _end(event: Any, start: Any) -> Any:
    if "DTEND" in event:
        return event["DTEND"].dt
    if "DURATION" in event:
        return start + event["DURATION"].dt
    return start if isinstance(start, datetime) else start + timedelta(days=1)


def _instant(moment: datetime, time_zone: str) -> datetime:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone(time_zone))
    return moment.astimezone(UTC)


def _repetitions(event: Any, start: Any, end: Any, *, window: Period) -> Iterator[tuple[Any, Any]]:
    """Each time the event takes place up to the end of the window, as (start, end)."""
    rules = event.get("RRULE")
    more = list(_dates(event, "RDATE"))
    if rules is None and not more:
        yield start, end
        return
    if start.year < FIRST_YEAR:
        raise ValueError("it is repeated since before there were calendars like this")
    length = end - start
    is_timed = isinstance(start, datetime)
    # Repeated on the wall of its own zone, so that it stays at its hour when the clocks change.
    zone_of = start.tzinfo if is_timed else None
    wall = start.replace(tzinfo=None) if is_timed else datetime.combine(start, time(0))
    left_out = {_wall(moment, zone_of) for moment in _excluded(event)}
    last = window.end.astimezone(zone_of).replace(tzinfo=None) if zone_of else window.end.replace(tzinfo=None)
    first = window.start.replace(tzinfo=None) - timedelta(days=2) - length
    moments = {wall, *(_wall(moment, zone_of) for moment in more)}
    if rules is not None:
        rule = rrulestr(_rule_text(rules, zone_of, last=last), dtstart=wall)
        moments |= set(islice(rule.xafter(first, inc=True), MOST_REPETITIONS + 1))
    if len(moments) > MOST_REPETITIONS + 1:
        raise ValueError("it is repeated too often")
    for moment in sorted(moments - left_out):
        again = moment.replace(tzinfo=zone_of) if is_timed else moment.date()
        yield again, again + length


def _rule_text(rules: Any, zone_of: Any, *, last: datetime) -> str:
    """The rule, which ends at `last` or before, on the wall of the event as its start is."""
    if str((rules.get("FREQ") or [""])[0]).upper() not in FREQUENCIES:
        raise ValueError("it is repeated within a day, or in no known way")
    until = (rules.get("UNTIL") or [None])[0]
    if isinstance(until, datetime):
        last = min(last, _wall(until, zone_of))
    elif until is not None:
        last = min(last, datetime.combine(until, time(23, 59, 59)))
    others = {name: value for name, value in rules.items() if name.upper() != "UNTIL"}
    text: str = type(rules)({**others, "UNTIL": [last.replace(microsecond=0)]}).to_ical().decode()
    return text


def _excluded(event: Any) -> Iterator[Any]:
    yield from _dates(event, "EXDATE")
    yield from getattr(event, "moved_away", set())


def _dates(event: Any, name: str) -> Iterator[Any]:
    """The days or instants of EXDATE or RDATE; of a period, which RDATE may hold, its start would not say how long it takes."""
    given = event.get(name, [])
    for dates in given if isinstance(given, list) else [given]:
        for each in dates.dts:
            if isinstance(each.dt, tuple):
                raise ValueError("it is repeated for another length")
            yield each.dt


def _wall(moment: Any, zone_of: Any) -> datetime:
    if not isinstance(moment, datetime):
        return datetime.combine(moment, time(0))
    return (moment.astimezone(zone_of) if moment.tzinfo and zone_of else moment).replace(tzinfo=None)
