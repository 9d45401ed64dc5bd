"""The words in which kinds speak of a booking: what is asked, what it takes, what it costs. Pure Python."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from apps.core.errors import OutsideRules
from apps.core.money import LARGEST_TOTAL, Money, total
from apps.core.periods import Period

# How far ahead anything may start.
HORIZON_DAYS = 730
HORIZON = timedelta(days=HORIZON_DAYS)
# A client's "now" is a little old when it arrives: a start this far back counts as now.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """What a guest asks for, in the fields of all kinds; a kind reads its own and refuses the others.

    Days are of the listing's zone, instants are aware, `minutes` is a parking time.
    """

    check_in: date | None = None
    check_out: date | None = None
    guests: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    minutes: int | None = None
    tickets: int | None = None

    def given(self) -> set[str]:
        """The names of the fields that hold something."""
        return {field.name for field in fields(self) if getattr(self, field.name) is not None}

    def merged_with(self, change: "BookingRequest") -> "BookingRequest":
        """This request with the fields of `change` in place of its own."""
        changes: dict[str, Any] = {name: getattr(change, name) for name in change.given()}
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Occupancy:
    """What a booking takes.

    `period` is when it is used; `occupied` is what the ledger takes, with the buffer after it. `quantity` counts
    tickets; None means one exclusive unit.
    """

    period: Period
    occupied: Period
    quantity: int | None = None
    check_in: date | None = None
    check_out: date | None = None
    guests: int | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a price: `amount` is quantity x unit amount, rounded once."""

    label: str
    quantity: Decimal
    unit_amount: Money
    amount: Money


def total_of(lines: list[Line], *, currency: str) -> Money:
    """What the lines sum to."""
    return total([line.amount for line in lines], currency=currency)


def check_total(lines: Sequence[Line], *, currency: str, field: str) -> None:
    """Raises OutsideRules at `field` when the lines sum to more than a client can count exactly."""
    if sum(line.amount.minor for line in lines) > LARGEST_TOTAL:
        raise OutsideRules(f"The total is more than {LARGEST_TOTAL} minor units of {currency}.", field=field)


def check_start(starts_at: datetime, *, now: datetime, field: str) -> None:
    """Raises OutsideRules at `field` unless the start lies between now (less GRACE) and the horizon."""
    if starts_at < now - GRACE:
        raise OutsideRules("The start is in the past.", field=field)
    if starts_at > now + HORIZON:
        raise OutsideRules(f"The start is more than {HORIZON_DAYS} days ahead.", field=field)
