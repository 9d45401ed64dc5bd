"""The dashboard as the theme draws it: cards of numbers, and charts as Chart.js takes them."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.core.money import Money
from apps.staff.dashboard import COMING_DAYS, MOST_READ, RANGES, Dashboard

PRIMARY, PALE, WARNING = "var(--color-primary-600)", "var(--color-base-300)", "var(--staff-warning)"


@dataclass(frozen=True, slots=True)
class Card:
    """One number, and what it is about."""

    title: str
    number: str
    about: str = ""
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """`data` is JSON for Chart.js, `notes` stand below it, `words` say the same to who cannot see it."""

    name: str
    title: str
    kind: str
    data: str
    words: str
    is_blank: bool
    notes: tuple[str, ...] = ()
    legend: tuple[tuple[str, str], ...] = ()


def drawn(shown: Dashboard) -> dict[str, Any]:
    """What the page's template asks for."""
    return {"cards": _cards(shown), "charts": _charts(shown), "ranges": RANGES, "range_days": shown.range_days}


def _cards(shown: Dashboard) -> list[Card]:
    cards = []
    last = f"last {shown.range_days} days"
    if shown.bookings:
        made, confirmed = sum(shown.bookings.made), sum(shown.bookings.confirmed)
        cards.append(Card("Bookings made", f"{made:,}", f"{confirmed:,} confirmed, {last}"))
        share = shown.bookings.expired_share
        cards.append(
            Card("Holds that ran out unpaid", f"{share:.0%}", f"{sum(shown.bookings.expired):,} holds, {last}")
        )
        cards.append(Card("Held right now", f"{shown.bookings.held_now:,}", "waiting to be paid"))
    if shown.revenue:
        first, *others = [f"{total.amount:,} {total.currency}" for total in shown.revenue.totals] or ["0"]
        cards.append(Card("Revenue", first, ", ".join(others[:4]) or last))
    if shown.failed:
        failed = sum(shown.failed.failed)
        cards.append(Card("Failed charges", f"{failed:,}", last, is_bad=bool(shown.failed.failed[-1])))
    if shown.occupancy:
        number = f"{shown.occupancy.shares[0]:.0%}"
        cards.append(Card("Occupancy today", number, f"of {shown.occupancy.units:,} rooms, people and spots"))
    if shown.queue:
        late = shown.queue.oldest_seconds >= 60
        about = f"{shown.queue.waiting:,} jobs wait to be sent"
        cards.append(Card("Queue lag", _seconds(shown.queue.oldest_seconds), about, is_bad=late))
    return cards


def _charts(shown: Dashboard) -> list[Chart]:
    charts = []
    if shown.bookings:
        made = shown.bookings
        charts.append(
            Chart(
                "bookings",
                "Bookings made per day",
                "bar",
                _data(made.days, ("Confirmed", made.confirmed, PRIMARY), ("Made", made.made, PALE)),
                _words(made.days, made.made),
                not any(made.made),
                _cut(made.is_cut),
                (("Made", "pale"), ("Confirmed", "primary")),
            )
        )
        charts.append(
            Chart(
                "expired",
                "Holds that ran out unpaid, per day",
                "bar",
                _data(made.days, ("Ran out", made.expired, WARNING)),
                _words(made.days, made.expired),
                not any(made.expired),
            )
        )
    if shown.revenue:
        # One chart for each of the currencies in which most was paid; sums of different ones say nothing.
        for currency, minors in list(shown.revenue.by_currency.items())[:2] or [("", [0] * len(shown.revenue.days))]:
            amounts = [float(Money(minor, currency).amount) if currency else 0.0 for minor in minors]
            charts.append(
                Chart(
                    f"revenue-{currency}".rstrip("-"),
                    f"Revenue per day, {currency}".rstrip(", "),
                    "line",
                    _data(shown.revenue.days, ("Revenue", amounts, PRIMARY)),
                    _words(shown.revenue.days, amounts),
                    not any(amounts),
                    ("Paid on the day, less what of it went back since.", *_cut(shown.revenue.is_cut)),
                )
            )
    if shown.failed:
        reasons = ", ".join(f"{reason} {times:,}" for reason, times in shown.failed.reasons)
        charts.append(
            Chart(
                "failed",
                "Failed charges per day",
                "bar",
                _data(shown.failed.days, ("Failed", shown.failed.failed, WARNING)),
                _words(shown.failed.days, shown.failed.failed),
                not any(shown.failed.failed),
                (*((reasons,) if reasons else ()), *_cut(shown.failed.is_cut)),
            )
        )
    if shown.occupancy:
        percents = [round(100 * share, 1) for share in shown.occupancy.shares]
        charts.append(
            Chart(
                "occupancy",
                f"Occupancy of the coming {COMING_DAYS} days, in percent",
                "bar",
                _data(shown.occupancy.days, ("Occupied", percents, PRIMARY)),
                _words(shown.occupancy.days, percents),
                not any(percents),
                _cut(shown.occupancy.is_cut),
            )
        )
    return charts


def _data(days: list[date], *series: tuple[str, list[Any], str]) -> str:
    datasets = [
        {
            "label": label, "data": numbers, "backgroundColor": colour, "borderColor": colour, "displayYAxis": True,
            "maxBarThickness": 16, "maxTicksXLimit": 10,
        }
        for label, numbers, colour in series
    ]  # fmt: skip
    return json.dumps({"labels": [f"{day:%b} {day.day}" for day in days], "datasets": datasets})


def _words(days: list[date], numbers: list[Any]) -> str:
    return "; ".join(f"{day:%Y-%m-%d}: {number}" for day, number in zip(days, numbers, strict=True))


def _cut(is_cut: bool) -> tuple[str, ...]:
    return (f"There were more than {MOST_READ:,}; the newest of them are counted.",) if is_cut else ()


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
