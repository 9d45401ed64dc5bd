"""What a hold has to know before it can be written, read at once: the listing, what stands in the way, and new numbers."""

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, DateTimeField, Exists, Func, Model, OuterRef, Value

from apps.availability.models import Allocation
from apps.bookings.models import Booking, BookingEvent
from apps.core.prepared import Given, PreparedQuery
from apps.integrations.models import EventType
from apps.integrations.recording import following, kept
from apps.listings.kinds import Kind, kind_named
from apps.listings.models import Listing
from apps.payments.models import Bill


@dataclass(frozen=True, slots=True)
class Numbers:
    """Primary keys that were drawn for a booking and for what comes with it. Those of a refused hold are used by nothing."""

    allocation: int
    bill: int
    booking: int
    event: int


@dataclass(frozen=True, slots=True)
class Bookable:
    """The listing with its kind's row. `has_dead_holds`: some hold of it has run out, and was not cleared away yet.

    `is_followed`: an integrator wants to be told of holds of it.
    """

    listing: Listing
    has_dead_holds: bool
    is_followed: bool
    numbers: Numbers


def bookable(*, kind: Kind, listing_id: int, now: datetime) -> Bookable | None:
    """The listing of the kind, whatever its status; None where there is none."""
    row: Any = _query(kind.code).first(listing=listing_id, now=now, since=now - kept())
    if row is None:
        return None
    return Bookable(
        listing=row,
        has_dead_holds=row.has_dead_holds,
        is_followed=row.is_followed,
        numbers=Numbers(allocation=row.new_allocation, bill=row.new_bill, booking=row.new_booking, event=row.new_event),
    )


@functools.cache
def _query(kind_code: str) -> PreparedQuery[Any]:
    """One question for each kind. To clear run-out holds away is a much dearer one, and mostly there is none."""
    dead = Allocation.objects.filter(
        listing=OuterRef("pk"), is_active=True, held_until__lte=Given("now", DateTimeField())
    )
    followed = following(EventType.BOOKING_HELD, host=OuterRef("host"), since=Given("since", DateTimeField()))
    return PreparedQuery(
        "bookable",
        lambda: (
            Listing.objects.select_related(kind_named(kind_code).relation)
            .filter(pk=Given("listing", BigIntegerField()), kind=kind_code, deleted_at=None)
            .annotate(
                has_dead_holds=Exists(dead),
                is_followed=Exists(followed),
                new_allocation=_next_key(Allocation),
                new_bill=_next_key(Bill),
                new_booking=_next_key(Booking),
                new_event=_next_key(BookingEvent),
            )
        ),
    )


def _next_key(model: type[Model]) -> Func:
    """The next primary key of the model, from the sequence that PostgreSQL has given its column."""
    sequence = f"{model._meta.db_table}_{model._meta.pk.column}_seq"
    return Func(Value(sequence), function="nextval", output_field=BigIntegerField())
