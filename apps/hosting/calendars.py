"""Outside calendars that block a listing: named by its host, fetched by a worker, carried out through the ledger.

What a feed takes it takes of every unit of the listing, as a host's own block does: another house that says "not available" does
not say of how many. A booking stands; the units that are not booked in that time are blocked all the same.
"""

import logging
from datetime import date, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.availability import actions as ledger
from apps.availability.models import BY_HOST, Block
from apps.bookings.actions import expire_every_dead_hold, past_dead_holds
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.core.db import unit_of_work
from apps.core.errors import Collector, Duplicate, Invalid, NotAllowed, OutsideRules
from apps.core.fetching import Fetched, NotFetched, clean_url, fetch_changed
from apps.core.periods import Period, merge
from apps.core.texts import clean_text
from apps.hosting.addresses import booking_uid, echoed_reference, is_echo
from apps.hosting.feeds import BadFeed, Busy, read_feed
from apps.hosting.models import ImportedCalendar
from apps.hosting.policies import calendar_for_host, listing_for_host
from apps.listings.kinds import kind_of, relations
from apps.listings.models import Listing
from apps.notifications.actions import tell, write_letter
from apps.notifications.letters import Words
from apps.notifications.models import NotificationType
from apps.notifications.wording import span
from apps.users.models import User

logger = logging.getLogger(__name__)

EVERY = timedelta(minutes=15)
# Between two tries of a feed that stays broken.
LONGEST_PAUSE = timedelta(hours=6)
MOST_COUNTED_FAILURES = 20
# A feed that says it has not changed is read anew all the same by then, since what it repeats goes on.
LONGEST_UNREAD = timedelta(days=1)
LARGEST_FEED = 2 * 1024 * 1024
MOST_CALENDARS = 20
# Beyond what anybody can book: two years ahead, for a year.
AHEAD = timedelta(days=1_100)
# How many feeds one call of the sweep reads.
BATCH = 20


def import_calendar(*, viewer: User, listing_id: int | None, name: str, url: str, now: datetime) -> Listing:
    """Let an outside feed block the listing; a worker fetches it soon, and again every quarter of an hour.

    Raises Required and Invalid at `name` and `url`; NotFound and NotAllowed at `listing_id`, also for a kind that has no
    periods to block; Duplicate at `name` for the second of one name; OutsideRules at `listing_id` for too many.
    """
    problems = Collector()
    with problems.caught():
        name = clean_text(name, field="name", max_length=150, required=True)
        if name.upper() == BY_HOST:
            raise Invalid("This name is taken for the host's own blocks.", field="name")
    with problems.caught():
        url = clean_text(url, field="url", max_length=2_000, required=True)
        # Outside the transaction, since it asks the network for the name.
        clean_url(url, field="url", allow_loopback=is_loopback_allowed())
    problems.raise_if_any()
    return _add(viewer=viewer, listing_id=listing_id, name=name, url=url, now=now)


def is_loopback_allowed() -> bool:
    """Only production keeps feeds off its own machine: a demo has no other to fetch them from."""
    return settings.MODE != "production"


@unit_of_work
def _add(*, viewer: User, listing_id: int | None, name: str, url: str, now: datetime) -> Listing:
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id", lock=True)
    if not kind_of(listing).is_blockable:
        raise NotAllowed("This kind of listing has no periods to block.", field="listing_id")
    if ImportedCalendar.objects.filter(listing=listing).count() >= MOST_CALENDARS:
        raise OutsideRules(f"A listing has at most {MOST_CALENDARS} calendars.", field="listing_id")
    try:
        with transaction.atomic():
            ImportedCalendar.objects.create(listing=listing, name=name, url=url, created_at=now, next_sync_at=now)
    except IntegrityError as error:
        raise Duplicate("The listing has a calendar of this name.", field="name") from error
    return listing


@unit_of_work
def remove_calendar(*, viewer: User, calendar_id: int | None, now: datetime) -> Listing:
    """Forget the feed and free what it blocked. Raises NotFound and NotAllowed at `calendar_id`."""
    calendar = calendar_for_host(viewer=viewer, calendar_id=calendar_id, field="calendar_id")
    ledger.replace_blocks(calendar.listing_id, [], source=calendar.name, now=now)
    ImportedCalendar.objects.filter(pk=calendar.pk).delete()
    return calendar.listing


def sync_due(*, now: datetime) -> int:
    """The sweep: fetch the feeds that are due. Safe with many workers; returns how many were tried."""
    for number in range(BATCH):
        calendar = _claim(now=now)
        if calendar is None:
            return number
        try:
            sync(calendar, now=now)
        except Exception:
            # One feed that breaks us must not keep all others from being read.
            logger.exception("calendar %s could not be read", calendar.pk)
            _failed(calendar, "Something went wrong on our side.", now=now)
    return BATCH


def _claim(*, now: datetime) -> ImportedCalendar | None:
    with transaction.atomic(durable=True):
        due = ImportedCalendar.objects.select_for_update(skip_locked=True).filter(next_sync_at__lte=now)
        calendar = due.filter(listing__deleted_at=None).order_by("next_sync_at", "pk").first()
        if calendar is not None:
            ImportedCalendar.objects.filter(pk=calendar.pk).update(next_sync_at=now + EVERY)
    return calendar


def sync(calendar: ImportedCalendar, *, now: datetime) -> None:
    """Fetch the feed and make its blocks what it says. One that cannot be read leaves everything as it was."""
    listing = Listing.objects.select_related(*relations()).get(pk=calendar.listing_id)

    def days(first: date, end: date) -> Period:
        return kind_of(listing).days(listing, first, end)

    try:
        fetched = _fetch(calendar, now=now)
        busy = None
        if fetched.body is not None:
            window = Period(now, now + AHEAD)
            busy = read_feed(fetched.body, time_zone=listing.time_zone, days=days, window=window)
    except (NotFetched, BadFeed) as error:
        _failed(calendar, str(error), now=now)
        return
    _carry_out(calendar_id=calendar.pk, fetched=fetched, busy=busy, now=now)


def _fetch(calendar: ImportedCalendar, *, now: datetime) -> Fetched:
    is_known = calendar.read_at is not None and calendar.read_at > now - LONGEST_UNREAD
    return fetch_changed(
        calendar.url,
        largest_bytes=LARGEST_FEED,
        allow_loopback=is_loopback_allowed(),
        etag=calendar.etag if is_known else "",
        last_modified=calendar.last_modified if is_known else "",
    )


def _failed(calendar: ImportedCalendar, reason: str, *, now: datetime) -> None:
    """Keep the reason for the host to see. A feed that stays broken, or takes long to find so, is asked less and less often."""
    failures = min(calendar.failures + 1, MOST_COUNTED_FAILURES)
    pause = min(EVERY * 2 ** (failures - 1), LONGEST_PAUSE)
    ImportedCalendar.objects.filter(pk=calendar.pk).update(
        last_error=reason[:500], failures=failures, next_sync_at=now + pause
    )


@past_dead_holds
@unit_of_work
def _carry_out(*, calendar_id: int, fetched: Fetched, busy: list[Busy] | None, now: datetime) -> None:
    """Block what the feed takes, None: what it took when it was last read, around what is booked.

    A booking stands, and its host is told of the conflict.
    """
    # The listing first, as for who removes the calendar.
    of_it = Listing.objects.select_for_update(of=("self",)).select_related("host").filter(calendars=calendar_id)
    listing = of_it.first()
    calendar = ImportedCalendar.objects.select_for_update(of=("self",)).filter(pk=calendar_id).first()
    if listing is None or calendar is None:
        return
    if busy is None:
        said = Block.objects.filter(listing=listing, source=calendar.name)
        busy = [Busy("", Period(each.period.lower, each.period.upper), each.reason) for each in said]
    else:
        busy = _without_echoes(listing, busy)
        changes = {"etag": fetched.etag, "last_modified": fetched.last_modified, "read_at": now}
        ImportedCalendar.objects.filter(pk=calendar.pk).update(**changes)
    for period in merge(each.period for each in busy):
        expire_every_dead_hold(listing_id=listing.pk, period=period, now=now)
    blocks = [(each.period, each.summary[:1000]) for each in busy]
    ledger.replace_blocks(listing.pk, blocks, source=calendar.name, now=now)
    _tell_conflicts(calendar, listing, busy, now=now)
    ImportedCalendar.objects.filter(pk=calendar.pk).update(last_synced_at=now, last_error="", failures=0)


def _without_echoes(listing: Listing, busy: list[Busy]) -> list[Busy]:
    """Without what our own feed of this listing says: it comes back where the other house reads it and shows what it read."""
    suspects = [reference for each in busy if (reference := echoed_reference(each.uid))]
    known = Booking.objects.filter(listing=listing, reference__in=suspects).values_list("reference", flat=True)
    ours = {booking_uid(reference) for reference in known}
    return [each for each in busy if each.uid not in ours and not is_echo(each.uid, listing_id=listing.pk)]


def _tell_conflicts(calendar: ImportedCalendar, listing: Listing, busy: list[Busy], *, now: datetime) -> None:
    if not busy:
        return
    # A hold may still go away; it is looked at again when the feed is.
    booked = Booking.objects.filter(
        listing=listing,
        status__in=(BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN),
        period__overlap=(min(each.period.start for each in busy), max(each.period.end for each in busy)),
    )
    bookings = list(booked.order_by("pk"))
    for each in busy:
        for booking in bookings:
            if booking.span.overlaps(each.period):
                _tell_conflict(calendar, listing, each, booking, now=now)


def _tell_conflict(
    calendar: ImportedCalendar, listing: Listing, taken: Busy, booking: Booking, *, now: datetime
) -> None:
    title = f"Booked twice: {listing.title}"
    body = (
        f"The calendar {calendar.name} says that {span(taken.period, listing.time_zone)} is taken, but booking "
        f"{booking.reference} ({span(booking.span, listing.time_zone)}) lies in it. The booking stands: please sort it out."
    )
    key = f"calendar:{calendar.pk}:{booking.pk}:{int(taken.period.end.timestamp())}"
    tell(
        recipient_ids=[listing.host_id],
        type=NotificationType.CALENDAR_CONFLICT,
        title=title,
        body=body,
        key=key,
        booking_id=booking.pk,
        now=now,
    )
    words = Words(
        subject=title,
        name=listing.host.first_name,
        paragraphs=[body],
        link_label="The booking",
        link_path=f"/bookings/{booking.reference}",
    )
    write_letter(
        to=listing.host.email,
        template="calendar_conflict",
        words=words,
        key=key,
        type=NotificationType.CALENDAR_CONFLICT,
        reader_id=listing.host_id,
        booking_id=booking.pk,
        now=now,
    )
