"""Leaving: nothing of the person stays, all that concerns others does."""

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent
from apps.availability.models import Block
from apps.bookings.actions.cancel import cancel
from apps.bookings.models import Booking
from apps.bookings.states import BookingStatus
from apps.hosting.models import ImportedCalendar
from apps.listings.models import Listing
from apps.notifications.models import Letter, Notification
from apps.payments.models import Charge, Customer
from apps.reviews.models import Review
from apps.users.models import MailToken, RefreshToken, Session, TrustedIdentity, User
from schema.core.ids import to_global_id
from tests.accounts.bookings import book_home, completed, lead_to
from tests.recipes import PASSWORD, make_event, make_guest, make_host, make_property, make_staff
from tests.schema.users.conftest import ME, REFRESH, SIGN_UP, TOKEN_AUTH, Api, sign_up_input
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

DELETE = "mutation($p: String!) { deleteAccount(input: {password: $p}) { deleted errors { code field } } }"
NOW = datetime.now(UTC)


def person(**fields: Any) -> User:
    return make_guest(
        password=PASSWORD, email="grace@navy.example", first_name="Grace", last_name="Hopperschmidt",
        phone_number="+12025550123", **fields,
    )  # fmt: skip


def mentions(*texts: str) -> list[str]:
    """The tables that hold one of the texts anywhere."""
    found = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(
                f'SELECT count(*) FROM "{table}" AS row WHERE lower(row::text) LIKE ANY(%s)',
                [[f"%{text.lower()}%" for text in texts]],
            )
            if cursor.fetchone() != (0,):
                found.append(table)
    return found


def test_nothing_of_the_person_stays(api: Api, settings: Settings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path
    guest, host = person(), make_host()
    home = make_property(host=host)
    booking = completed(book_home(home, guest=guest))
    charge = Charge.objects.create(
        bill=booking.bill, payer=guest, amount_minor=20_000, currency="EUR", payment_method="pm_x", timing="NOW",
        status="SUCCEEDED", idempotency_key="k", created_at=NOW,
    )  # fmt: skip
    review = Review.objects.create(
        listing=home, author=guest, rating=5, comment="Fine.", created_at=NOW, updated_at=NOW
    )
    Customer.objects.create(user=guest, processor_id="cus_1")
    TrustedIdentity.objects.create(user=guest, issuer="x", subject="grace-at-x", created_at=NOW)
    guest.profile_picture.save("me.png", ContentFile(b"picture"))
    picture = Path(guest.profile_picture.path)
    tokens = api.sign_in(guest)
    told = {"notifications_letter", "notifications_notification"}
    assert set(mentions("hopperschmidt", "grace@navy.example")) == {"users_user", "bookings_booking", *told}

    assert api.data(DELETE, p=PASSWORD) == {"deleteAccount": {"deleted": True, "errors": []}}

    assert mentions("hopperschmidt", "grace@navy.example", "2025550123", "grace-at-x") == []
    assert not picture.exists()
    for model in (Session, RefreshToken, MailToken, TrustedIdentity, Customer):
        assert not model._default_manager.filter().exists(), model
    for row in (booking, charge, review):
        row.refresh_from_db()
    assert (booking.guest, booking.email, booking.status) == (None, "", "COMPLETED")
    assert (charge.payer, charge.amount_minor) == (None, 20_000)
    assert (review.author, review.comment) == (None, "Fine.")
    assert api.data(ME)["me"] is None
    assert api.send(ME)["extensions"] == {"token": "INVALID"}
    assert Api().code(REFRESH, token=tokens["refreshToken"]) == "INVALID_TOKEN"
    assert Api().code(TOKEN_AUTH, email=guest.email, password=PASSWORD) == "INVALID_CREDENTIALS"
    event = AuditEvent.objects.get(kind="ACCOUNT_DELETED")
    assert (event.user_id, event.actor_id, event.data) == (guest.pk, guest.pk, {})
    # The address is free again, for another account.
    fresh = Api().data(SIGN_UP, input=sign_up_input(email="grace@navy.example"))["signUp"]
    assert fresh["errors"] == []
    assert User.objects.get(email="grace@navy.example").pk != guest.pk


def test_what_the_person_said_and_was_called_goes_and_nothing_else(api: Api) -> None:
    """Somebody whose whole name is a word that stands everywhere, and who said why they cancel."""
    host, guest = make_host(), make_guest(password=PASSWORD, first_name="null", last_name="")
    reason = "Broke my leg, call +1 202 555 0177"
    booking = book_home(make_property(host=host, title="Nulltown"), guest=guest)
    cancel(viewer=guest, booking_id=booking.pk, reason=reason, now=datetime.now(UTC))
    Letter.objects.create(
        key="x", to="host@example.com", template="host_canceled", booking=booking, created_at=NOW, sent_at=NOW,
        data={"null": None, "paragraphs": [f"null left Nulltown.\n\n{reason}"], "details": [["Guest", "null"]]},
    )  # fmt: skip
    assert {"bookings_bookingevent", "notifications_notification"} <= set(mentions("202 555 0177"))

    assert api.enter(guest).data(DELETE, p=PASSWORD)["deleteAccount"]["deleted"]

    assert mentions("202 555 0177", "Broke my leg") == []
    assert Letter.objects.get(key="x").data == {
        "null": None, "paragraphs": ["A guest left Nulltown."], "details": [["Guest", "A guest"]],
    }  # fmt: skip
    told = Notification.objects.get(recipient=host, type="BOOKING_CANCELED")
    assert told.title == "Canceled: Nulltown"
    assert told.body.endswith("was canceled by the guest.")


def test_what_a_host_noted_goes_with_the_host(api: Api) -> None:
    host = make_host(password=PASSWORD)
    home = make_property(host=host)
    for listing, reason in ((home, "My wedding"), (make_property(), "Another's")):
        period = DateTimeTZRange(NOW, NOW + timedelta(days=1))
        Block.objects.create(listing=listing, period=period, reason=reason, created_at=NOW)
        ImportedCalendar.objects.create(
            listing=listing,
            name="Mine",
            url=f"https://cal.example/secret-{listing.pk}",
            created_at=NOW,
            next_sync_at=NOW,
        )
    assert api.enter(host).data(DELETE, p=PASSWORD)["deleteAccount"]["deleted"]
    assert sorted(Block.objects.values_list("reason", flat=True)) == ["", "Another's"]
    assert ImportedCalendar.objects.exclude(listing=home).count() == ImportedCalendar.objects.count() == 1


def test_what_others_see_afterwards(api: Api) -> None:
    host, guest = make_host(password=PASSWORD, first_name="Hosty", last_name="McHostface"), make_guest()
    home, draft = make_property(host=host), make_event(host=host, status="DRAFT")
    booking = completed(book_home(home, guest=guest))
    assert api.enter(host).data(DELETE, p=PASSWORD)["deleteAccount"]["deleted"]
    assert set(Listing.objects.values_list("pk", "status")) == {(home.pk, "ARCHIVED"), (draft.pk, "ARCHIVED")}
    query = (
        "{ me { bookings { edges { node { listing { title host { id firstName lastName displayName email } } } } } } }"
    )
    shown = Api().enter(guest).data(query)["me"]["bookings"]["edges"][0]["node"]["listing"]
    assert shown["title"] == home.title
    assert {**shown["host"], "id": ""} == {"id": "", "firstName": "", "lastName": "", "displayName": "", "email": None}
    assert Api().data("query($id: ID!) { node(id: $id) { id } }", id=shown["host"]["id"])["node"] is None
    assert Booking.objects.get(pk=booking.pk).guest == guest


def test_a_wrong_password_changes_nothing(api: Api) -> None:
    user = person()
    api.enter(user)
    before = User.objects.values().get()
    assert api.refusals(DELETE, p="wrong") == [("INVALID_CREDENTIALS", ["password"])]
    assert User.objects.values().get() == before
    assert api.data(ME)["me"] is not None
    assert Api().code(DELETE, p=PASSWORD) == "UNAUTHENTICATED"


@pytest.mark.parametrize("statuses", [(), ("CONFIRMED",), ("CONFIRMED", "CHECKED_IN")])
@pytest.mark.parametrize("side", ["guest", "host"])
def test_live_bookings_keep_both_sides_here(api: Api, statuses: tuple[str, ...], side: str) -> None:
    guest, host = person(), make_host(password=PASSWORD)
    lead_to(book_home(make_property(host=host), guest=guest), *map(BookingStatus, statuses))
    api.enter(guest if side == "guest" else host)
    before = list(User.objects.order_by("pk").values()), list(Booking.objects.values()), list(Listing.objects.values())
    assert api.refusals(DELETE, p=PASSWORD) == [("WRONG_STATE", [])]
    after = list(User.objects.order_by("pk").values()), list(Booking.objects.values()), list(Listing.objects.values())
    assert after == before


def test_a_hold_that_has_run_out_keeps_nobody(api: Api) -> None:
    guest = person()
    booking = book_home(make_property(), guest=guest)
    past = NOW - timedelta(minutes=1)
    Booking.objects.update(expires_at=past)
    booking.allocation.held_until = past
    booking.allocation.save()
    assert api.enter(guest).data(DELETE, p=PASSWORD)["deleteAccount"]["deleted"]
    booking.refresh_from_db()
    assert (booking.status, booking.guest) == ("EXPIRED", None)


def test_staff_loses_everything_at_once(api: Api) -> None:
    boss = make_staff(password=PASSWORD, is_superuser=True)
    query = """mutation($p: String!) { deleteAccount(input: {password: $p}) { deleted }
        setUserRole(input: {userId: "x", role: STAFF}) { user { id } } }"""
    answer = api.enter(boss).send(query, p=PASSWORD)
    assert answer["data"]["deleteAccount"]["deleted"]
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    boss.refresh_from_db()
    assert (boss.role, boss.is_superuser, boss.is_active, boss.email) == ("GUEST", False, False, "")


def test_who_has_left_while_a_request_was_served_is_not_signed_in(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    guest, home = person(), make_property()
    holding = sys.modules["apps.bookings.actions.hold"]
    bookable = holding._bookable

    def left_meanwhile(**asked: Any) -> Any:
        User.objects.filter(pk=guest.pk).update(is_active=False)
        return bookable(**asked)

    monkeypatch.setattr(holding, "_bookable", left_meanwhile)
    book = """mutation($id: ID!, $from: Date!, $to: Date!) {
        bookProperty(input: {propertyId: $id, checkIn: $from, checkOut: $to, guests: 1}) { booking { id } } }"""
    days = [(NOW + timedelta(days=more)).date().isoformat() for more in (30, 31)]
    answer = api.enter(guest).send(book, **{"id": to_global_id("Property", home.pk), "from": days[0], "to": days[1]})
    assert answer["data"] == {"bookProperty": None}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["UNAUTHENTICATED"]
    assert not Booking.objects.exists()


def test_of_many_that_delete_at_once_one_does() -> None:
    user = person()
    api = Api().enter(user)
    answers = at_once([lambda: api.send(DELETE, p=PASSWORD)] * 6)
    done = [answer for answer in answers if (answer["data"]["deleteAccount"] or {}).get("deleted")]
    assert len(done) == 1
    assert AuditEvent.objects.filter(kind="ACCOUNT_DELETED").count() == 1
