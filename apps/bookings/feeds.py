"""The secret address under which a person's calendar program finds their bookings, and what it finds there."""

import re
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from icalendar import Calendar, Event

from apps.bookings.models import Booking
from apps.bookings.states import LIVE, OPENS_ADDRESS, BookingStatus
from apps.core.ids import derive, is_derived
from apps.listings.kinds import kind_of
from apps.notifications.preferences import feed_number
from apps.users.models import User

PRODUCT = "-//Holdfast//Bookings//EN"
ADDRESS = re.compile(r"(?P<user>[1-9][0-9]{0,17})-(?P<secret>[0-9a-f]{64})")


def feed_address(user: User) -> str:
    """What follows /calendars/ in the person's address. Another password makes another address, and so does `next_feed`."""
    return f"{user.pk}-{derive('calendar', *_of(user))}"


def _of(user: User) -> tuple[object, ...]:
    return user.pk, user.password, feed_number(user_id=user.pk)


def feed_url(user: User) -> str:
    """Where the person's calendar program finds their live bookings."""
    return f"{settings.PUBLIC_URL}/calendars/{feed_address(user)}.ics"


def feed_owner(address: str) -> User | None:
    """Whose address it is; None for one that was never given out, or is no longer good."""
    parts = ADDRESS.fullmatch(address)
    if parts is None:
        return None
    user = User.objects.filter(pk=int(parts["user"]), is_active=True, deleted_at=None).first()
    return user if user is not None and is_derived(parts["secret"], "calendar", *_of(user)) else None


@require_safe
def calendar_feed(request: HttpRequest, address: str) -> HttpResponse:
    """`/calendars/<address>.ics`: the live bookings of the person. 404 for what was never given out."""
    user = feed_owner(address)
    if user is None:
        response = HttpResponse("There is no such calendar.", status=404, content_type="text/plain")
    else:
        response = HttpResponse(feed_of(user), content_type="text/calendar; charset=utf-8")
        response["Content-Disposition"] = 'inline; filename="bookings.ics"'
    response["Cache-Control"] = "private, no-store"
    response["Referrer-Policy"] = "no-referrer"
    response["X-Robots-Tag"] = "noindex"
    return response


def feed_of(user: User) -> bytes:
    """One event for each booking of the person that is held, confirmed or in use, with its reference in the summary."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", "Bookings")
    rows = Booking.objects.select_related("listing").filter(guest=user, status__in=LIVE)
    for booking in rows.order_by("period", "pk"):
        calendar.add_component(_event(booking))
    content: bytes = calendar.to_ical()
    return content


def _event(booking: Booking) -> Event:
    listing = booking.listing
    is_open = booking.status in OPENS_ADDRESS or not kind_of(listing).has_private_address
    place = ", ".join(part for part in (listing.address if is_open else "", listing.city, listing.country) if part)
    event = Event()
    event.add("uid", f"{booking.reference}@{urlsplit(settings.PUBLIC_URL).hostname or 'localhost'}")
    event.add("dtstamp", booking.updated_at)
    event.add("dtstart", booking.span.start)
    event.add("dtend", booking.span.end)
    event.add("summary", f"{listing.title} ({booking.reference})")
    event.add("status", "TENTATIVE" if booking.status == BookingStatus.PENDING else "CONFIRMED")
    if place:
        event.add("location", place)
    return event
