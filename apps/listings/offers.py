"""The words in which kinds speak of a booking: what is asked, what it takes, what it costs. Pure Python."""

from dataclasses import dataclass, fields, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from apps.core.money import Money, total
from apps.core.periods import Period


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
