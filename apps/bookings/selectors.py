"""Reads of bookings: always "visible to whom"."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Exists, F, Func, OuterRef, Q, QuerySet
from django.db.models.lookups import GreaterThan, LessThanOrEqual

from apps.bookings.models import Booking, BookingEvent, BookingLine
from apps.bookings.policies import side_of
from apps.bookings.states import LIVE, OPENS_ADDRESS, Actor, BookingStatus
from apps.core.along import Along
from apps.core.columns import EVERYTHING, Columns
from apps.core.db import require_transaction
from apps.core.errors import NotFound
from apps.core.ids import READABLE
from apps.core.keyset import keys
from apps.core.prepared import Prepared
from apps.core.read_pages import ReadPages
from apps.core.reads import INSTANT, INTEGER, INTEGERS, TEXTS, OneOf, Parameter, Read
from apps.listings.kinds import relations
from apps.payments.models import OPEN_STATUSES, Charge
from apps.users.models import User, UserRole
from apps.users.selectors import UNSHOWN

# What a booking is nearly always read with.
RELATED = ("allocation", "bill", "guest")
FINISHED = frozenset({BookingStatus.CANCELED, BookingStatus.EXPIRED, BookingStatus.NO_SHOW, BookingStatus.COMPLETED})


class BookingWhen(StrEnum):
    """Which part of a person's bookings."""

    UPCOMING = "UPCOMING"
    CURRENT = "CURRENT"
    PAST = "PAST"


def _rows() -> QuerySet[Booking]:
    return Booking.objects.select_related(*RELATED, "listing", *(f"listing__{name}" for name in relations()))


# One after the other, in one message.
LOCK = Prepared(
    "lock_booking", "SELECT 1 FROM bookings_booking WHERE id = %(booking)s FOR UPDATE", booking="bigint"
).after(
    Prepared(
        "lock_listing_of_booking",
        "SELECT 1 FROM listings_listing WHERE id = (SELECT listing_id FROM bookings_booking WHERE id = %(booking)s)"
        " FOR KEY SHARE",
        booking="bigint",
    )
)


def lock_booking(booking_id: int) -> None:
    """Lock the booking in the caller's transaction. What is read afterwards is what the one before left behind.

    The listing comes first, shared: who moves or deletes it locks it and then its bookings, and would otherwise wait for
    this booking while this booking's new place waits for the listing. The row is locked by itself: a query that waits
    for a lock and joins would show the joined rows as they were before the wait.
    """
    require_transaction()
    LOCK.rows(booking=booking_id)


def lock_listings(listing_ids: Iterable[int]) -> None:
    """Lock the listings, shared, before bookings of several of them are locked: the order of `lock_booking`."""
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM listings_listing WHERE id = ANY(%s) ORDER BY id FOR KEY SHARE", [sorted(set(listing_ids))]
        )


def booking_for(
    *, viewer: User | None, booking_id: int | None, access_token: str | None = None, lock: bool = False
) -> tuple[Booking, Actor]:
    """The booking and as whom the caller sees it. With `lock` its row is locked, inside the caller's transaction.

    Raises NotFound at `booking_id`, alike for what was never there and for what the caller may not see.
    """
    found: Booking | None = None
    if booking_id is not None:
        if lock:
            lock_booking(booking_id)
        found = _rows().filter(pk=booking_id).first()
    side = side_of(found, viewer=viewer, access_token=access_token) if found else None
    if found is None or side is None:
        raise NotFound("There is no such booking.", field="booking_id")
    return found, side


def booking_at_the_door(*, viewer: User | None, ticket_code: str) -> Booking | None:
    """The booking of a scanned ticket, to the host of the event and to staff alone."""
    try:
        booking, side = booking_for(viewer=viewer, booking_id=booking_of_ticket(ticket_code))
    except NotFound:
        return None
    return booking if side in (Actor.HOST, Actor.STAFF) else None


def find_booking(
    *, viewer: User | None, booking_id: int | None = None, reference: str | None = None, access_token: str | None = None
) -> Booking | None:
    """The booking by id or by reference (in any case), as far as the caller may see it."""
    if reference is not None:
        wanted = reference.strip().upper()
        if not wanted or set(wanted) - set(READABLE):
            return None
        booking_id = Booking.objects.filter(reference=wanted).values_list("pk", flat=True).first()
    try:
        return booking_for(viewer=viewer, booking_id=booking_id, access_token=access_token)[0]
    except NotFound:
        return None


def visible_bookings(*, viewer: User | None, ids: Iterable[int]) -> dict[int, Booking]:
    """Those of the bookings that an account may see, by id."""
    if viewer is None:
        return {}
    rows = _rows().filter(pk__in=list(ids))
    if viewer.role != UserRole.STAFF:
        rows = rows.filter(Q(guest=viewer) | Q(listing__host=viewer))
    return {row.pk: row for row in rows}


# By which it is known whose a booking is and what of, what is paid for it, and where in the list it stands. Its key is read always.
ALWAYS = (
    *("reference", "guest", "is_anonymous", "bill", "created_at"),
    *("listing__host", "listing__kind"),
)


def _page(
    side: Actor,
    when: BookingWhen | None,
    has_statuses: bool,
    of_listing: bool,
    shown: Columns,
    *,
    person: Parameter,
    statuses: Parameter,
    listing: Parameter,
    now: Parameter,
) -> QuerySet[Booking]:
    """The bookings of a person as guest or as host, in these states or this part, of all listings or of one.

    Each with the columns that are shown, of itself, its bill and its listing; or with everything, its guest and the kind's row too.
    """
    if shown != EVERYTHING:
        relations_shown = {"listing", *(name.partition("__")[0] for name in shown if "__" in name)}
        rows = Booking.objects.select_related(*sorted(relations_shown)).only(*ALWAYS, *shown)
    else:
        rows = Booking.objects.select_related("bill", "guest", "listing", *(f"listing__{name}" for name in relations()))
        rows = rows.defer(*(f"guest__{name}" for name in UNSHOWN))
    rows = rows.filter(guest_id=person) if side is Actor.GUEST else rows.filter(listing__host_id=person)
    if has_statuses:
        rows = rows.filter(OneOf("status", statuses))
    if of_listing:
        rows = rows.filter(listing_id=listing)
    start = Func(F("period"), function="lower", output_field=DateTimeField())
    end = Func(F("period"), function="upper", output_field=DateTimeField())
    finished = Q(status__in=FINISHED)
    match when:
        case BookingWhen.UPCOMING:
            return rows.filter(~finished, GreaterThan(start, now))
        case BookingWhen.CURRENT:
            return rows.filter(~finished, LessThanOrEqual(start, now), GreaterThan(end, now))
        case BookingWhen.PAST:
            return rows.filter(finished | Q(LessThanOrEqual(end, now)))
        case None:
            return rows


# A person's bookings with bill, guest and listing, newest first: by `own_bookings` and `hosted_bookings`.
BOOKINGS: ReadPages[Booking] = ReadPages(
    _page,
    keys("-created_at", "-id"),
    (INSTANT, INTEGER),
    person=INTEGER,
    statuses=TEXTS,
    listing=INTEGER,
    now=INSTANT,
)


@dataclass(frozen=True, slots=True)
class Asked:
    """Which of BOOKINGS are asked for: the shape of the read and its values."""

    shape: tuple[Hashable, ...]
    values: dict[str, Any]


def own_bookings(
    *,
    guest: User,
    statuses: Iterable[str] | None = None,
    when: BookingWhen | None = None,
    shown: Columns = EVERYTHING,
    now: datetime,
) -> Asked:
    """What a person booked. `shown` is what is read of each, beside what every list needs."""
    wanted = None if statuses is None else list(statuses)
    values = {"person": guest.pk, "statuses": wanted, "listing": None, "now": now}
    return Asked((Actor.GUEST, when, wanted is not None, False, shown), values)


def hosted_bookings(
    *, host: User, statuses: Iterable[str] | None = None, listing_id: int | None = None, shown: Columns = EVERYTHING
) -> Asked:
    """The bookings of a person's listings. `shown` is what is read of each, beside what every list needs."""
    wanted = None if statuses is None else list(statuses)
    values = {"person": host.pk, "statuses": wanted, "listing": listing_id, "now": None}
    return Asked((Actor.HOST, None, wanted is not None, listing_id is not None, shown), values)


def _lines(*, ids: Parameter) -> QuerySet[BookingLine]:
    return BookingLine.objects.filter(OneOf("booking_id", ids)).order_by("booking", "position")


def _history(*, ids: Parameter) -> QuerySet[BookingEvent]:
    return BookingEvent.objects.filter(OneOf("booking_id", ids)).order_by("booking", "pk")


LINES: Read[BookingLine] = Read(_lines, ids=INTEGERS)
HISTORY: Read[BookingEvent] = Read(_history, ids=INTEGERS)


def lines_along() -> Along:
    """The price lines of bookings, to come along with them."""
    return Along(LINES, by="pk", place="ids")


def history_along() -> Along:
    """What happened to bookings, to come along with them."""
    return Along(HISTORY, by="pk", place="ids")


def lines_of(booking_ids: Iterable[int]) -> dict[int, list[BookingLine]]:
    """The price lines of each booking, in order."""
    ids = list(booking_ids)
    found: dict[int, list[BookingLine]] = {pk: [] for pk in ids}
    for line in LINES.rows(ids=ids):
        found[line.booking_id].append(line)
    return found


def history_of(booking_ids: Iterable[int]) -> dict[int, list[BookingEvent]]:
    """What happened to each booking, oldest first.

    In the order in which it was written under the booking's lock: of two who came at once the later one may have begun
    earlier.
    """
    ids = list(booking_ids)
    found: dict[int, list[BookingEvent]] = {pk: [] for pk in ids}
    for event in HISTORY.rows(ids=ids):
        found[event.booking_id].append(event)
    return found


def has_live_bookings(listing_id: int) -> bool:
    """Whether anything of the listing is held, confirmed or in use."""
    return Booking.objects.filter(listing=listing_id, status__in=LIVE).exists()


def booked_listing_ids(*, viewer: User | None, listing_ids: Iterable[int]) -> set[int]:
    """Those of the listings that the account has a booking of, in any state."""
    if viewer is None:
        return set()
    rows = Booking.objects.filter(guest=viewer, listing__in=list(listing_ids))
    return set(rows.values_list("listing", flat=True).distinct())


def may_see_address(*, viewer: User | None, listing_ids: Iterable[int]) -> set[int]:
    """Those of the listings whose address the account's own bookings open: confirmed, in use or completed."""
    if viewer is None:
        return set()
    rows = Booking.objects.filter(guest=viewer, listing__in=list(listing_ids), status__in=OPENS_ADDRESS)
    return set(rows.values_list("listing", flat=True).distinct())


def are_sides(*, viewer: User | None, user_ids: Iterable[int]) -> set[int]:
    """Those of the accounts that are the other side of a booking of the viewer's, unpaid holds left out."""
    if viewer is None:
        return set()
    ids = list(user_ids)
    real = Booking.objects.exclude(status=BookingStatus.EXPIRED).exclude(
        status=BookingStatus.PENDING, bill__captured_minor=0
    )
    hosts = real.filter(guest=viewer, listing__host__in=ids).values_list("listing__host", flat=True)
    guests = real.filter(listing__host=viewer, guest__in=ids).values_list("guest", flat=True)
    return {pk for pk in (*hosts.distinct(), *guests.distinct()) if pk is not None}


def completed_by(*, viewer: User, listing_ids: Iterable[int]) -> set[int]:
    """Those of the listings that the account has a completed booking of."""
    rows = Booking.objects.filter(guest=viewer, listing__in=list(listing_ids), status=BookingStatus.COMPLETED)
    return set(rows.values_list("listing", flat=True).distinct())


def debts() -> QuerySet[Booking]:
    """Bookings that were used and not paid in full, with no payment under way. For staff; the oldest first."""
    under_way = Charge.objects.filter(bill=OuterRef("bill"), status__in=OPEN_STATUSES)
    owed = Booking.objects.filter(bill__total_minor__gt=F("bill__settled_minor"))
    return owed.filter(~Exists(under_way), status=BookingStatus.COMPLETED).order_by("completed_at", "pk")


def bookings_of_bills(bill_ids: Iterable[int]) -> dict[int, Booking]:
    """The booking of each bill, for whoever was allowed to see the bill."""
    return {row.bill_id: row for row in _rows().filter(bill__in=list(bill_ids))}


def booking_of_ticket(ticket_code: str) -> int | None:
    """The booking that a ticket code was given out for; None for any other text. Whether it still admits is not said."""
    reference = ticket_code.strip().partition("-")[0].upper()
    if not reference or set(reference) - set(READABLE):
        return None
    found = Booking.objects.select_related("listing").filter(reference=reference).first()
    if found is None or not found.is_admitted_by(ticket_code.strip().upper()):
        return None
    return found.pk
