"""What a hold reads before it is written, in one message: the listing, what stands in the way, and the keys of the new rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BigIntegerField, Exists, Func, Model, OuterRef, QuerySet, Value

from apps.availability.models import Allocation
from apps.bookings.models import Booking, BookingEvent
from apps.core.db import require_transaction
from apps.core.prepared import Prepared
from apps.core.reads import INSTANT, INTEGER, Parameter, Read
from apps.integrations.models import EventType
from apps.integrations.recording import following, kept
from apps.listings.kinds import Kind, kind_named
from apps.listings.models import Listing
from apps.payments.models import Bill
from apps.users.models import User

# Whoever archives or deletes the listing waits until this booking is in, and then sees it.
LOCK_LISTING = Prepared(
    "lock_to_hold", "SELECT 1 FROM listings_listing AS listing WHERE id = %(listing)s FOR KEY SHARE", listing="bigint"
)
# The same for a guest with an account, who is kept from leaving it meanwhile. Whether they have left is read behind it.
LOCK_LISTING_AND_GUEST = Prepared(
    "lock_to_hold",
    """
    SELECT 1 FROM listings_listing AS listing, users_user AS guest
    WHERE listing.id = %(listing)s AND guest.id = %(guest)s FOR KEY SHARE OF listing, guest
    """,
    listing="bigint",
    guest="bigint",
)


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

    `is_followed`: an integrator wants to be told of holds of it. `has_guest`: the guest's account is there and not closed.
    """

    listing: Listing
    has_dead_holds: bool
    is_followed: bool
    has_guest: bool
    numbers: Numbers


def lock_bookable(*, kind: Kind, listing_id: int, guest_id: int | None, now: datetime) -> Bookable | None:
    """The listing of the kind, whatever its status; None where there is none.

    Until the transaction ends it is kept from its end, and a guest who has not left from leaving.
    """
    require_transaction()
    found: list[Any] = BOOKABLE.instances(
        kind.code,
        guest_id is not None,
        after=LOCK_LISTING if guest_id is None else LOCK_LISTING_AND_GUEST,
        listing=listing_id,
        guest=guest_id,
        now=now,
        since=now - kept(),
    )
    if not found:
        return None
    (row,) = found
    return Bookable(
        listing=row,
        has_dead_holds=row.has_dead_holds,
        is_followed=row.is_followed,
        has_guest=guest_id is not None and row.has_guest,
        numbers=Numbers(allocation=row.new_allocation, bill=row.new_bill, booking=row.new_booking, event=row.new_event),
    )


def _next_key(model: type[Model]) -> Func:
    """The next primary key of the model, from the sequence that PostgreSQL has given its column."""
    sequence = f"{model._meta.db_table}_{model._meta.pk.column}_seq"
    return Func(Value(sequence), function="nextval", output_field=BigIntegerField())


def _bookable(
    kind_code: str, has_guest: bool, *, listing: Parameter, guest: Parameter, now: Parameter, since: Parameter
) -> QuerySet[Listing]:
    """One question for each kind, asked behind the lock and in one message with it.

    It is no part of the lock's statement: that one may wait, and sees all but the rows that it locks as they were before. To
    clear run-out holds away is a much dearer question, and mostly there is none.
    """
    kind = kind_named(kind_code)
    dead = Allocation.objects.filter(listing=OuterRef("pk"), is_active=True, held_until__lte=now)
    followed = following(EventType.BOOKING_HELD, host=OuterRef("host"), since=since)
    is_open = {"has_guest": Exists(User.objects.filter(pk=guest, is_active=True))}
    return (
        Listing.objects.select_related(kind.relation)
        .filter(pk=listing, kind=kind_code, deleted_at=None)
        .annotate(
            has_dead_holds=Exists(dead),
            is_followed=Exists(followed),
            new_allocation=_next_key(Allocation),
            new_bill=_next_key(Bill),
            new_booking=_next_key(Booking),
            new_event=_next_key(BookingEvent),
            **(is_open if has_guest else {}),
            **kind.along(),
        )
    )


BOOKABLE: Read[Listing] = Read(_bookable, listing=INTEGER, guest=INTEGER, now=INSTANT, since=INSTANT)
