"""The steps of a booking's life, as an account or by its secret, with the worker's part carried out on request."""

from datetime import datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.core.periods import local_date
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.models import OPEN_STATUSES, Bill, Charge, ChargeStatus, Refund, RefundStatus
from apps.users.models import User
from tests.hosting.inputs import NOW
from tests.recipes import make_guest

VISA = "pm_card_visa"
MONTH = timedelta(days=30)
NIGHT = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def held(listing: Listing, *, guest: User | None = None, now: datetime = NOW, **wanted: Any) -> Booking:
    """A hold of what is wanted, for a new guest unless one is given."""
    return actions.hold(
        kind_code=listing.kind,
        listing_id=listing.pk,
        listing_field="listing",
        request=BookingRequest(**wanted),
        guest=guest or make_guest(),
        now=now,
    )


def nights(home: Listing, count: int, *, first: timedelta = MONTH, now: datetime = NOW) -> dict[str, Any]:
    """The days of a stay that begins that long after now."""
    check_in = local_date(now + first, home.time_zone)
    return {"check_in": check_in, "check_out": check_in + count * NIGHT, "guests": 1}


def work(*, now: datetime = NOW) -> None:
    """What the workers would do about payments and refunds, once."""
    for charge in Charge.objects.filter(status__in=OPEN_STATUSES).order_by("pk"):
        actions.carry_out_payment(charge_id=charge.pk, now=now)
    for refund in Refund.objects.filter(status=RefundStatus.PENDING).order_by("pk"):
        actions.carry_out_refund(refund_id=refund.pk)


def paid(booking: Booking, *, card: str = VISA, now: datetime = NOW) -> Booking:
    """The booking after its guest paid and the worker carried that out, whatever came of it."""
    charge = actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method=card, now=now)
    actions.carry_out_payment(charge_id=charge.pk, now=now)
    return again(booking)


def authenticate(charge: Charge, outcome: str = "success") -> None:
    """Answer as the payer would on the page of the card's bank; nobody here is told of it yet."""
    url = urlsplit(charge.next_action_url)
    bank = HTTPConnection(url.netloc)
    # It sends the payer on to the shop, which is not open here.
    bank.request("GET", f"{url.path}?outcome={outcome}")
    assert bank.getresponse().status in (200, 302, 303)
    bank.close()


def authenticated(booking: Booking, outcome: str = "success", *, now: datetime = NOW) -> Booking:
    """The booking after its payer answered and the worker asked what came of it."""
    authenticate(Charge.objects.get(bill=booking.bill_id, status=ChargeStatus.REQUIRES_ACTION), outcome)
    work(now=now)
    return again(booking)


def stay(home: Listing, count: int = 2, *, first: timedelta = MONTH, now: datetime = NOW) -> Booking:
    """Nights of a home that are paid for."""
    return paid(held(home, **nights(home, count, first=first, now=now), now=now), now=now)


def parked(
    spot: Listing, *, minutes: int = 60, start: datetime = NOW, card: str = VISA, guest: User | None = None
) -> Booking:
    """Parking with the card saved, from `start` on, which is now unless said otherwise."""
    return paid(held(spot, guest=guest, starts_at=start, minutes=minutes), card=card)


def changed(booking: Booking, *, now: datetime = NOW, **wanted: Any) -> Booking:
    """The booking after its guest changed it and the worker did its part."""
    change = BookingRequest(**wanted)
    actions.change(viewer=booking.guest, booking_id=booking.pk, change=change, now=now)
    work(now=now)
    return again(booking)


def longer(booking: Booking, count: int, *, now: datetime = NOW) -> Booking:
    """The stay after its guest made it that many nights long."""
    assert booking.check_in is not None
    return changed(booking, check_out=booking.check_in + count * NIGHT, now=now)


def gave_back(booking: Booking, minor: int, *, charge: Charge | None = None, now: datetime = NOW) -> Booking:
    """The booking after its host gave that much back by hand, of its only payment unless one is given."""
    chosen = charge or Charge.objects.get(bill=booking.bill_id)
    amount = Money(minor, booking.currency)
    actions.refund(viewer=booking.listing.host, payment_id=chosen.pk, amount=amount, now=now)
    work(now=now)
    return again(booking)


def again(booking: Booking) -> Booking:
    """The booking as it is now."""
    return Booking.objects.select_related("bill", "allocation", "listing", "guest").get(pk=booking.pk)


def ledger(booking: Booking) -> tuple[int, int, int]:
    """What is owed in all, what was captured and what went back, in minor units."""
    bill = Bill.objects.get(pk=booking.bill_id)
    return bill.total_minor, bill.captured_minor, bill.refunded_minor


def charges(booking: Booking) -> list[tuple[str, int]]:
    """The status and amount of every payment, oldest first."""
    return list(Charge.objects.filter(bill=booking.bill_id).order_by("pk").values_list("status", "amount_minor"))


def story(booking: Booking) -> list[tuple[str, str]]:
    """What happened and by whom, oldest first."""
    return list(booking.history.order_by("at", "pk").values_list("type", "actor"))
