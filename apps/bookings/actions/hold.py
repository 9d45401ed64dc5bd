"""The hold: a PENDING booking that takes its place at once and gives it back unless it is paid."""

import functools
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from django.conf import settings
from psycopg2.extras import DateTimeTZRange

from apps.availability.actions import news
from apps.availability.claims import allocate_together, stock_claim, unit_claim
from apps.availability.models import Allocation
from apps.bookings.actions.expire import dead_holds_cleared, past_dead_holds
from apps.bookings.announcing import announce_event
from apps.bookings.bookable import Bookable, lock_bookable
from apps.bookings.models import Booking, BookingEvent, BookingLine, Written
from apps.bookings.states import Actor, BookingEventType, BookingStatus
from apps.bookings.telling import letter_of_hold
from apps.core import idempotency
from apps.core.db import may_end_with_it, unit_of_work
from apps.core.emails import clean_email
from apps.core.errors import AccountClosed, Collector, NotAllowed, NotFound, OutsideRules, Required
from apps.core.families import AVAILABILITY
from apps.core.instances import new
from apps.core.metrics import BOOKING_EVENTS, count_on_commit
from apps.core.money import LARGEST_TOTAL
from apps.core.texts import clean_text
from apps.core.together import Part, Together
from apps.core.versions import only
from apps.listings.kinds import Kind, kind_named
from apps.listings.models import ListingStatus
from apps.listings.offers import BookingRequest, Line, Occupancy, total_of
from apps.live.actions import ring_after_commit
from apps.live.models import LiveEvent
from apps.notifications.models import Letter
from apps.payments.actions import new_bill
from apps.payments.models import Bill, PaymentTiming
from apps.users.models import User

# What happens to a booking after it was held.
LATER = ("confirmed_at", "checked_in_at", "checked_out_at", "completed_at", "canceled_at")


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


@past_dead_holds
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

    found = _bookable(kind=kind, listing_id=listing_id, guest=guest, field=listing_field, now=now)
    listing = found.listing
    occupancy = kind.occupancy(listing, request, now=now)
    lines = kind.lines(listing, occupancy, price=listing.price)
    if total_of(lines, currency=listing.currency).minor > LARGEST_TOTAL:
        raise OutsideRules("This is more than can be charged.")

    where = None if occupancy.quantity is not None else occupancy.occupied
    room = dead_holds_cleared(listing_id=listing.pk, period=where, now=now) if found.has_dead_holds else nullcontext()
    with room:
        booking = _write(
            kind=kind,
            found=found,
            occupancy=occupancy,
            lines=lines,
            guest=guest,
            contact=person,
            ends_unit=claim is None and not found.has_dead_holds and may_end_with_it(),
            now=now,
        )
    if claim is not None:
        idempotency.remember(claim, result=booking.pk)
    return booking


def _bookable(*, kind: Kind, listing_id: int | None, guest: User | None, field: str, now: datetime) -> Bookable:
    """The listing as it is once it is locked against its end, as the guest's account is."""
    found: Bookable | None = None
    if listing_id is not None:
        found = lock_bookable(kind=kind, listing_id=listing_id, guest_id=None if guest is None else guest.pk, now=now)
    if found is not None and guest is not None and found.listing.host_id == guest.pk:
        raise NotAllowed("You cannot book your own listing.", field=field)
    if found is None or found.listing.status != ListingStatus.PUBLISHED:
        raise NotFound("There is no such listing.", field=field)
    if guest is not None and settings.REQUIRE_VERIFIED_EMAIL and guest.email_verified_at is None:
        raise NotAllowed("Verify your email address first.")
    if guest is not None and not found.has_guest:
        raise AccountClosed
    return found


@functools.cache
def hold_of(*, is_counted: bool) -> Together:
    """The statement that takes a place and writes the booking of it, for stock or for exclusive units."""
    return Together(
        "hold_stock" if is_counted else "hold_unit",
        stock_claim() if is_counted else unit_claim(),
        Part(
            Bill,
            is_keyed=True,
            untouched=("captured_minor", "refunded_minor", "settled_minor", "retry_at", "retries"),
        ),
        Part(Booking, is_keyed=True, untouched=("status", *LATER)),
        Part(BookingLine),
        Part(BookingEvent, is_keyed=True, untouched=("data",)),
        Part(Letter, untouched=("tries", "sent_at", "failed_at", "last_error")),
        Part(LiveEvent, untouched=("position",)),
    )


def _write(
    *,
    kind: Kind,
    found: Bookable,
    occupancy: Occupancy,
    lines: list[Line],
    guest: User | None,
    contact: Contact | None,
    ends_unit: bool,
    now: datetime,
) -> Booking:
    """Take the place and write the booking down, with its debt, its history and whom it is told. Raises Unavailable.

    `ends_unit`: nothing was written before, and nothing is left to do behind it.
    """
    listing, numbers = found.listing, found.numbers
    total = total_of(lines, currency=listing.currency)
    expires_at = now + timedelta(seconds=settings.HOLD_SECONDS)
    bill = new_bill(pk=numbers.bill, total=total, timing=PaymentTiming(kind.payment_timing), now=now)
    booking = new(
        Booking,
        pk=numbers.booking,
        listing=listing,
        guest=guest,
        is_anonymous=guest is None,
        email=guest.email if guest else contact.email if contact else "",
        first_name=guest.first_name if guest else contact.first_name if contact else "",
        last_name=guest.last_name if guest else contact.last_name if contact else "",
        allocation_id=numbers.allocation,
        bill=bill,
        period=DateTimeTZRange(occupancy.period.start, occupancy.period.end),
        check_in=occupancy.check_in,
        check_out=occupancy.check_out,
        tickets=occupancy.quantity,
        guests=occupancy.guests,
        price_minor=listing.price_minor,
        currency=listing.currency,
        cancellation_policy=listing.cancellation_policy,
        expires_at=expires_at,
        created_at=now,
    )
    event = new(
        BookingEvent, pk=numbers.event, booking=booking, at=now, type=BookingEventType.HELD, actor=Actor.GUEST, data={}
    )
    letter = letter_of_hold(booking, event)
    rows = _rows(booking, lines)
    ring_after_commit()
    count_on_commit(BOOKING_EVENTS, kind.code, str(BookingEventType.HELD))
    booking.allocation = allocate_together(
        hold_of(is_counted=occupancy.quantity is not None),
        [bill],
        [booking],
        rows,
        [event],
        [] if letter is None else [letter],
        # Nobody can have listened to the booking, which was not there before; to the listing they do.
        [news(listing.pk, occupancy.occupied)],
        allocation_id=numbers.allocation,
        listing_id=listing.pk,
        period=occupancy.occupied,
        quantity=occupancy.quantity,
        held_until=expires_at,
        now=now,
        ends_unit=ends_unit and total.minor > 0 and not found.is_followed,
    )
    booking.written = Written(lines=rows, history=[event])
    if found.is_followed:
        announce_event(booking, event)
    if total.minor == 0:
        with only(AVAILABILITY, listing.pk):
            Allocation.objects.filter(pk=booking.allocation_id).update(held_until=None)
        booking.allocation.held_until = None
        booking.move_to(BookingStatus.CONFIRMED, now=now, actor=Actor.SYSTEM)
        booking.written = None
    return booking


def write_lines(booking: Booking, lines: list[Line]) -> None:
    """Make these the lines of the booking."""
    BookingLine.objects.filter(booking=booking).delete()
    BookingLine.objects.bulk_create(_rows(booking, lines))


def _rows(booking: Booking, lines: list[Line]) -> list[BookingLine]:
    return [
        new(
            BookingLine,
            booking=booking,
            position=position,
            label=line.label,
            quantity=line.quantity,
            unit_amount_minor=line.unit_amount.minor,
            amount_minor=line.amount.minor,
            currency=booking.currency,
        )
        for position, line in enumerate(lines)
    ]
