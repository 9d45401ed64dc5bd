"""The hold: a PENDING booking that takes its place at once and gives it back unless it is paid."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from psycopg2.extras import DateTimeTZRange

from apps.availability.actions import allocate
from apps.availability.models import Allocation
from apps.bookings.actions.expire import expire_dead_holds
from apps.bookings.models import Booking, BookingLine
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.emails import clean_email
from apps.core.errors import AccountClosed, Collector, NotAllowed, NotFound, OutsideRules, Required
from apps.core.families import AVAILABILITY
from apps.core.money import LARGEST_TOTAL
from apps.core.texts import clean_text
from apps.core.versions import only
from apps.listings.kinds import Kind, kind_named
from apps.listings.models import Listing, ListingStatus
from apps.listings.offers import BookingRequest, Line, Occupancy, total_of
from apps.payments.actions import open_bill
from apps.payments.models import PaymentTiming
from apps.users.models import User

# Whoever archives or deletes the listing waits until this booking is in, and then sees it. Tells on the way whether some
# hold of the listing has run out: clearing such holds away is a much dearer question, and mostly there is none.
LOCK_LISTING = """
    SELECT EXISTS (
        SELECT FROM availability_allocation WHERE listing_id = listing.id AND is_active AND held_until <= %s
    ) FROM listings_listing AS listing WHERE id = %s FOR KEY SHARE
"""
# The same for a guest with an account, who is kept from leaving it meanwhile. No row where they have left.
LOCK_LISTING_AND_GUEST = """
    SELECT EXISTS (
        SELECT FROM availability_allocation WHERE listing_id = listing.id AND is_active AND held_until <= %s
    ) FROM listings_listing AS listing, users_user AS guest
    WHERE listing.id = %s AND guest.id = %s AND guest.is_active FOR KEY SHARE OF listing, guest
"""


@dataclass(frozen=True, slots=True)
class Contact:
    """Who books without an account."""

    email: str
    first_name: str = ""
    last_name: str = ""


def clean_contact(contact: Contact | None) -> Contact:
    """Raises Required at `contact` without one, Invalid below it."""
    if contact is None:
        raise Required("Without an account a contact is needed.", field="contact")
    problems = Collector()
    email = first_name = last_name = ""
    with problems.caught():
        email = clean_email(contact.email, field=("contact", "email"))
    with problems.caught():
        first_name = clean_text(contact.first_name, field=("contact", "first_name"), max_length=150)
    with problems.caught():
        last_name = clean_text(contact.last_name, field=("contact", "last_name"), max_length=150)
    problems.raise_if_any()
    return Contact(email=email, first_name=first_name, last_name=last_name)


@unit_of_work
def hold(
    *,
    kind_code: str,
    listing_id: int | None,
    listing_field: str,
    request: BookingRequest,
    guest: User | None,
    contact: Contact | None = None,
    idempotency_key: str | None = None,
    now: datetime,
) -> Booking:
    """Hold what was asked for HOLD_SECONDS; what costs nothing is confirmed at once.

    `listing_field` names the input field of the listing. Raises the kind's own errors, NotFound and NotAllowed at the
    listing's field, Unavailable when it is taken, Required and Invalid below `contact`, Duplicate at
    `idempotency_key`, AccountClosed for a guest who has left; then nothing has been written.
    """
    kind = kind_named(kind_code)
    problems = Collector()
    with problems.caught():
        kind.check_request(request)
    key: str | None = None
    with problems.caught():
        key = idempotency.clean_key(idempotency_key)
    person: Contact | None = None
    if guest is None:
        with problems.caught():
            person = clean_contact(contact)
    problems.raise_if_any()

    claim: idempotency.Claim | None = None
    if key is not None:
        caller = f"book:{guest.pk}" if guest else f"book:{person.email if person else ''}"
        asked = {"listing": listing_id, "kind": kind_code, **asdict(request), **(asdict(person) if person else {})}
        claim = idempotency.claim(caller=caller, key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return Booking.objects.get(pk=claim.result)

    listing, has_dead_holds = _bookable(kind=kind, listing_id=listing_id, guest=guest, field=listing_field, now=now)
    occupancy = kind.occupancy(listing, request, now=now)
    lines = kind.lines(listing, occupancy, price=listing.price)
    if total_of(lines, currency=listing.currency).minor > LARGEST_TOTAL:
        raise OutsideRules("This is more than can be charged.")

    whole = occupancy.quantity is not None
    if has_dead_holds:
        expire_dead_holds(listing_id=listing.pk, period=None if whole else occupancy.occupied, now=now)
    expires_at = now + timedelta(seconds=settings.HOLD_SECONDS)
    allocation = allocate(
        listing_id=listing.pk,
        period=occupancy.occupied,
        quantity=occupancy.quantity,
        holder=None,
        held_until=expires_at,
        now=now,
    )
    booking = _write(
        kind=kind,
        listing=listing,
        occupancy=occupancy,
        lines=lines,
        allocation=allocation,
        guest=guest,
        contact=person,
        now=now,
    )
    if claim is not None:
        idempotency.remember(claim, result=booking.pk)
    return booking


def _bookable(
    *, kind: Kind, listing_id: int | None, guest: User | None, field: str, now: datetime
) -> tuple[Listing, bool]:
    """The listing, locked against its end as the guest's account is, and whether some hold of it has run out."""
    listing: Listing | None = None
    locked: list[tuple[bool]] = []
    if listing_id is not None:
        with connection.cursor() as cursor:
            if guest is None:
                cursor.execute(LOCK_LISTING, [now, listing_id])
            else:
                cursor.execute(LOCK_LISTING_AND_GUEST, [now, listing_id, guest.pk])
            locked = cursor.fetchall()
        listing = (
            Listing.objects.select_related(kind.relation).filter(pk=listing_id, kind=kind.code, deleted_at=None).first()
        )
    if listing is not None and guest is not None and listing.host_id == guest.pk:
        raise NotAllowed("You cannot book your own listing.", field=field)
    if listing is None or listing.status != ListingStatus.PUBLISHED:
        raise NotFound("There is no such listing.", field=field)
    if guest is not None and settings.REQUIRE_VERIFIED_EMAIL and guest.email_verified_at is None:
        raise NotAllowed("Verify your email address first.")
    if not locked:
        raise AccountClosed
    return listing, (True,) in locked


def _write(
    *,
    kind: Kind,
    listing: Listing,
    occupancy: Occupancy,
    lines: list[Line],
    allocation: Allocation,
    guest: User | None,
    contact: Contact | None,
    now: datetime,
) -> Booking:
    total = total_of(lines, currency=listing.currency)
    bill = open_bill(total=total, timing=PaymentTiming(kind.payment_timing), now=now)
    booking = Booking.objects.create(
        listing=listing,
        guest=guest,
        is_anonymous=guest is None,
        email=guest.email if guest else contact.email if contact else "",
        first_name=guest.first_name if guest else contact.first_name if contact else "",
        last_name=guest.last_name if guest else contact.last_name if contact else "",
        allocation=allocation,
        bill=bill,
        period=DateTimeTZRange(occupancy.period.start, occupancy.period.end),
        check_in=occupancy.check_in,
        check_out=occupancy.check_out,
        tickets=occupancy.quantity,
        guests=occupancy.guests,
        price_minor=listing.price_minor,
        currency=listing.currency,
        cancellation_policy=listing.cancellation_policy,
        expires_at=allocation.held_until,
        created_at=now,
    )
    _add_lines(booking, lines)
    booking.record(BookingEventType.HELD, now=now, actor=Actor.GUEST)
    if total.minor == 0:
        with only(AVAILABILITY, listing.pk):
            Allocation.objects.filter(pk=allocation.pk).update(held_until=None)
        booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)
    return booking


def write_lines(booking: Booking, lines: list[Line]) -> None:
    """Make these the lines of the booking."""
    BookingLine.objects.filter(booking=booking).delete()
    _add_lines(booking, lines)


def _add_lines(booking: Booking, lines: list[Line]) -> None:
    BookingLine.objects.bulk_create(
        BookingLine(
            booking=booking,
            position=position,
            label=line.label,
            quantity=line.quantity,
            unit_amount_minor=line.unit_amount.minor,
            amount_minor=line.amount.minor,
            currency=booking.currency,
        )
        for position, line in enumerate(lines)
    )
