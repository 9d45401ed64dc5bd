"""Six callers and one of everything, with words and amounts in it by which a leak is known."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture

from apps.availability.models import Block
from apps.bookings.actions import hold
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.hosting.models import ImportedCalendar
from apps.integrations.actions import send_test
from apps.integrations.models import WebhookEndpoint
from apps.listings.models import Image, Listing
from apps.listings.offers import BookingRequest
from apps.notifications.models import Notification
from apps.payments.models import Card, Charge
from apps.reviews.models import Review
from apps.users.models import Session, User
from schema.core.context import Context
from schema.core.ids import to_global_id
from tests.accounts.bookings import book_home, completed, lead_to
from tests.recipes import make_event, make_guest, make_host, make_parking_spot, make_property, make_service, make_staff

CALLERS = ("anonymous", "stranger", "guest", "host", "other host", "staff")
# What a night of the home costs: an amount that nothing else has.
PRICE_MINOR = 7_654_321
TOTAL_MINOR = 2 * PRICE_MINOR
# Within the window that the walk asks for.
BLOCKED = (datetime(2026, 1, 1, 10, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC))


def picture() -> SimpleUploadedFile:
    content = BytesIO()
    Picture.new("RGB", (8, 8)).save(content, "PNG")
    return SimpleUploadedFile("x.png", content.getvalue(), "image/png")


def pay(booking: Booking, payer: User | None, key: str) -> Charge:
    bill = booking.bill
    bill.captured_minor = bill.settled_minor = bill.total_minor
    bill.save()
    charge: Charge = Charge.objects.create(
        bill=bill, payer=payer, amount_minor=bill.total_minor, currency="EUR", payment_method="pm_secret", timing="NOW",
        status="SUCCEEDED", idempotency_key=key, client_secret=f"client-secret-{key}", card_brand="visa",
        card_last4="9137", receipt_number=f"2026-{key}", created_at=datetime.now(UTC), paid_at=datetime.now(UTC),
    )  # fmt: skip
    return charge


@dataclass
class World:
    """The accounts by the name of the caller, and the ids of what there is by short names."""

    users: dict[str, User]
    ids: dict[str, str]
    secret: str

    def context(self, caller: str) -> Context:
        """The context of a new request of the caller."""
        if caller == "anonymous":
            return Context(now=datetime.now(UTC), ip="198.51.100.9")
        user = User.objects.get(pk=self.users[caller].pk)
        user.current_session = Session.objects.filter(user=user).latest("pk")
        return Context(now=datetime.now(UTC), user=user, session=user.current_session, ip="198.51.100.9")


def _add_secrets_of_the_host(home: Listing, *, now: datetime) -> None:
    Block.objects.create(
        listing=home,
        period=BLOCKED,
        reason="Reason of a block",
        created_at=now,
    )
    ImportedCalendar.objects.create(
        listing=home, name="Another site", url="https://calendars.example/secret-of-the-feed", created_at=now,
        next_sync_at=now, last_synced_at=now, last_error="Gone",
    )  # fmt: skip


def _add_tickets(event: Listing, guest: User) -> None:
    request = BookingRequest(tickets=2)
    booking = hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event_id",
        request=request,
        guest=guest,
        now=datetime.now(UTC),
    )
    lead_to(booking, BookingStatus.CONFIRMED)


def _add_open_payment(booking: Booking, guest: User) -> None:
    """One that failed, and one that the guest has still to confirm."""
    for key, status in (("000003", "FAILED"), ("000004", "REQUIRES_ACTION")):
        Charge.objects.create(
            bill=booking.bill, payer=guest, amount_minor=booking.bill.total_minor, currency="EUR", status=status,
            payment_method="pm_secret", timing="NOW", idempotency_key=key, client_secret=f"client-secret-{key}",
            failure_code="card_declined" if status == "FAILED" else "", next_action_url="https://bank.example/confirm",
            created_at=datetime.now(UTC),
        )  # fmt: skip


def make_world() -> World:
    now = datetime.now(UTC)
    users = {
        name: make(
            email=f"mail-of-{name.replace(' ', '-')}@example.com",
            phone_number=f"+4930555000{number}",
            first_name=f"First{number}",
            last_name=f"Lastname{number}",
        )
        for number, (name, make) in enumerate(
            {
                "stranger": make_guest, "guest": make_guest, "host": make_host, "other host": make_host, "staff": make_staff,
            }.items()
        )
    }  # fmt: skip
    for user in users.values():
        Session.objects.create(user=user, device="Firefox", created_at=now, last_used_at=now)
    guest, host = users["guest"], users["host"]
    home = make_property(host=host, units=4, title="Home", address="Secret Lane 1", price_minor=PRICE_MINOR)
    draft = make_property(host=host, status="DRAFT", title="Unseen draft")
    empty = make_property(host=host, title="Nothing booked")
    service, event, spot = make_service(host=host), make_event(host=host), make_parking_spot(host=host)
    stayed = make_property(host=host, title="Stayed in", price_minor=PRICE_MINOR)
    booking = book_home(home, guest=guest, weeks=4)
    charge = pay(booking, guest, "000001")
    lead_to(booking, BookingStatus.CONFIRMED)
    nobodys = book_home(home, email="mail-of-contact@example.com", weeks=5)
    past, unreviewed = book_home(home, guest=guest, weeks=6), book_home(stayed, guest=guest, weeks=6)
    pay(past, guest, "000002")
    completed(past)
    completed(unreviewed)
    review = Review.objects.create(
        listing=home,
        author=guest,
        rating=4,
        comment="Good.",
        created_at=now,
        updated_at=now,
        reply="Thanks.",
        replied_at=now,
    )
    image = Image(listing=home, position=0, alt="The front")
    image.file.save("home.png", ContentFile(picture().read()))
    _add_secrets_of_the_host(home, now=now)
    _add_tickets(event, guest)
    _add_open_payment(book_home(home, guest=guest, weeks=7), guest)
    User.objects.filter(pk=guest.pk).update(profile_picture="profiles/guest.png", last_login=now)
    note = Notification.objects.create(
        recipient=guest, type="MESSAGE", title="Words for the guest alone", body="...", key="k", created_at=now
    )
    card = Card.objects.create(
        user=guest, payment_method="pm_card", fingerprint="f", brand="visa", last4="5973", exp_month=1, exp_year=2031,
        created_at=now,
    )  # fmt: skip
    endpoint = WebhookEndpoint.objects.create(
        owner=host, url="http://127.0.0.1:9/hook-of-the-host", types=["booking.held"], created_at=now, updated_at=now
    )
    message = send_test(viewer=host, endpoint_id=endpoint.pk, now=now)
    listings = {"home": home, "draft": draft, "empty": empty, "stayed": stayed}
    ids = {name: to_global_id("Property", row.pk) for name, row in listings.items()}
    ids |= {"service": to_global_id("Service", service.pk), "event": to_global_id("Event", event.pk)}
    ids |= {"spot": to_global_id("ParkingSpot", spot.pk), "image": to_global_id("Image", image.pk)}
    ids |= {"booking": to_global_id("Booking", booking.pk), "nobodys": to_global_id("Booking", nobodys.pk)}
    ids |= {"payment": to_global_id("Payment", charge.pk), "review": to_global_id("Review", review.pk)}
    ids |= {"notification": to_global_id("Notification", note.pk), "card": card.payment_method}
    ids |= {"viewer": to_global_id("Viewer", guest.pk), "session": to_global_id("Session", guest.sessions.get().pk)}
    ids |= {"webhook": to_global_id("WebhookEndpoint", endpoint.pk), "message": message.public_id}
    ids |= {f"user:{name}": to_global_id("User", user.pk) for name, user in users.items()}
    return World(users=users, ids=ids, secret=nobodys.access_token or "")


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def at(days: int, hour: int = 12) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0).isoformat()
