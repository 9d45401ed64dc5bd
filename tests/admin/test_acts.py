"""What staff does in Django admin: told beforehand, confirmed by POST, refused as the API refuses, done once and audited."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.availability.models import Block
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.acting import act_path, all_acts
from apps.core.errors import NotAllowed
from apps.core.money import Money
from apps.notifications.models import Letter
from apps.notifications.sending_again import NOT_AGAIN_WITHIN, send_again
from apps.payments.models import Bill, Charge, Refund
from apps.reviews.models import Review
from apps.users.models import Session, User
from tests.admin.acting import Page, allowed, done, may
from tests.admin.test_ledgers import client_of
from tests.bookings.life import MINUTE, again, charges, held, ledger, nights, paid, parked, work
from tests.recipes import make_event, make_guest, make_onlooker, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def stayed(**fields: Any) -> Booking:
    """Two nights in a month for 200.00, paid, by moderate terms: everything goes back."""
    now = timezone.now()
    home = make_property(cancellation_policy="MODERATE", **fields)
    return paid(held(home, now=now, **nights(home, 2, now=now)), now=now)


def soon() -> Booking:
    """Two nights the day after tomorrow, paid, by moderate terms: half goes back."""
    now = timezone.now()
    home = make_property(cancellation_policy="MODERATE")
    return paid(held(home, now=now, **nights(home, 2, first=timedelta(days=2), now=now)), now=now)


def audit(kind: str) -> list[tuple[int | None, str]]:
    return list(AuditEvent.objects.filter(kind=kind).values_list("actor_id", "subject"))


def test_every_act_has_a_permission_of_its_table_and_is_closed_without_it() -> None:
    booking = stayed()
    rows: dict[str, Any] = {"bookings.Booking": booking, "payments.Charge": Charge.objects.get(bill=booking.bill_id)}
    rows |= {"notifications.Letter": Letter.objects.all()[0], "users.User": booking.guest}
    rows |= {"listings.Listing": booking.listing, "payments.Bill": booking.bill}
    staff = make_onlooker()
    seen = 0
    for act in all_acts():
        row = rows.get(act.model)
        if row is not None and not act.permission.partition(".")[2].startswith("view_"):
            assert client_of(staff).get(act_path(row, act.name)).status_code == 403, act.name
            assert client_of(staff).post(act_path(row, act.name), {"token": "x"}).status_code == 403
            seen += 1
    assert seen >= 7
    assert client_of(booking.listing.host).get(act_path(booking, "cancel")).status_code == 302
    assert again(booking).status == "CONFIRMED"


def test_cancel_says_what_goes_back_and_does_exactly_that() -> None:
    booking, staff = soon(), make_onlooker()
    staff = may(staff, booking, "cancel")
    client = client_of(staff)
    first = Page(client, booking, "cancel")
    for text in ("Everything that is left: 200.00 EUR", "By the guest's terms (moderate): 100.00 EUR"):
        assert text in first.text
    assert first.token is None
    page = Page(client, booking, "cancel", back="terms", reason="The roof leaks.")
    assert "100.00 EUR goes back, and 100.00 EUR is kept." in page.text
    assert f"The guest gets a mail ({booking.guest.email})" in page.text  # type: ignore[union-attr]
    assert f"The host gets a mail ({booking.listing.host.email})" in page.text
    assert ledger(booking) == (20_000, 20_000, 0)

    assert page.confirm() == [f"Canceled: {booking.reference}"]
    assert (again(booking).status, ledger(booking)) == ("CANCELED", (20_000, 20_000, 10_000))
    assert Bill.objects.get(pk=booking.bill_id).kept_minor == 10_000
    event = booking.history.get(type="CANCELED")
    assert (event.actor, event.data["reason"], event.data["refundMinor"]) == ("STAFF", "The roof leaks.", 10_000)
    assert audit("BOOKING_CANCELED") == [(staff.pk, f"booking:{booking.pk}")]
    told = Letter.objects.filter(booking=booking, template__in=("canceled", "host_canceled", "refunded"))
    assert sorted(told.values_list("template", flat=True)) == ["canceled", "host_canceled", "refunded"]

    # The same click once more: nothing more happens, and it is no mistake.
    assert page.confirm() == [f"Canceled: {booking.reference}"]
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 10_000), 1)
    assert (len(audit("BOOKING_CANCELED")), LogEntry.objects.filter(user=staff).count()) == (1, 1)


@pytest.mark.parametrize(("said", "back"), [({"back": "all"}, 20_000), ({"back": "other", "amount": "0"}, 0)])
def test_cancel_gives_back_what_staff_says(said: dict[str, Any], back: int) -> None:
    booking, staff = soon(), make_onlooker()
    done(may(staff, booking, "cancel"), booking, "cancel", **said)
    assert (again(booking).status, ledger(booking)[2]) == ("CANCELED", back)
    assert Bill.objects.get(pk=booking.bill_id).kept_minor == 20_000 - back


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"back": "other", "amount": "200.01"}, "From nothing to 200.00 EUR can go back."),
        ({"back": "other", "amount": "1.001"}, "EUR has 2 digits after the point."),
        ({"back": "other", "amount": "-1"}, "greater than or equal to 0"),
        ({"back": "other"}, "Say how much goes back."),
        ({"back": "twice"}, "Select a valid choice"),
        ({"back": "all", "reason": "x" * 1001}, "at most 1000 characters"),
    ],
)
def test_cancel_refuses_what_makes_no_sense(said: dict[str, Any], told: str) -> None:
    booking, staff = stayed(), make_onlooker()
    page = Page(client_of(may(staff, booking, "cancel")), booking, "cancel", **said)
    assert (page.status, page.token) == (200, None)
    assert told in page.text
    assert (again(booking).status, Refund.objects.count()) == ("CONFIRMED", 0)


def test_what_the_api_refuses_is_refused_here_with_the_same_words() -> None:
    booking = stayed()
    staff = may(may(make_onlooker(), booking, "cancel"), booking, "refund")
    client = client_of(staff)
    page = Page(client, booking, "cancel", back="all")
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=timezone.now())
    before = (ledger(booking), booking.history.count(), AuditEvent.objects.count(), Letter.objects.count())
    # Somebody was faster than the confirmation.
    assert page.confirm() == ["Nothing was done. A booking that is CANCELED cannot be canceled."]
    late = Page(client, booking, "cancel", back="all")
    assert "A booking that is CANCELED cannot be canceled." in late.text
    assert late.token is None
    for text in ("There is nothing left to refund.",):
        refund = Page(client, Charge.objects.get(bill=booking.bill_id), "refund", amount="1")
        assert text in refund.text
        assert refund.token is None
    assert (ledger(booking), booking.history.count(), AuditEvent.objects.count(), Letter.objects.count()) == before


def test_an_amount_to_keep_is_staffs_alone_to_say() -> None:
    booking = stayed()
    for viewer in (booking.guest, booking.listing.host):
        with pytest.raises(NotAllowed):
            actions.cancel(viewer=viewer, booking_id=booking.pk, amount=Money.zero("EUR"), now=timezone.now())
    assert (again(booking).status, ledger(booking)) == ("CONFIRMED", (20_000, 20_000, 0))


def test_a_confirmation_counts_for_who_was_told_and_for_what_was_told() -> None:
    booking, other = stayed(), stayed()
    staff, colleague = may(make_onlooker(), booking, "cancel"), may(make_onlooker(), booking, "cancel")
    page = Page(client_of(staff), booking, "cancel", back="all")
    assert client_of(colleague).post(page.path, {"token": str(page.token)}, follow=True).status_code == 200
    assert client_of(staff).post(act_path(other, "cancel"), {"token": str(page.token)}).status_code == 403
    assert client_of(staff).post(page.path, {"token": f"{page.token}x"}).status_code == 302
    assert client_of(staff).get(page.path, {"token": str(page.token)}).status_code == 200
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(staff)
    assert strict.post(page.path, {"token": str(page.token)}).status_code == 403
    assert {again(booking).status, again(other).status} == {"CONFIRMED"}
    assert not AuditEvent.objects.exists()


def test_give_money_back_of_a_payment() -> None:
    booking = stayed()
    charge = Charge.objects.get(bill=booking.bill_id)
    staff = may(make_onlooker(), charge, "refund")
    page = Page(client_of(staff), charge, "refund", amount="50", reason="Cold water")
    assert f"50.00 EUR of payment {charge.receipt_number} goes back" in page.text
    for _ in range(2):
        assert page.confirm() == [f"Refunded: {charge}"]
    assert (ledger(booking), again(booking).status) == ((20_000, 20_000, 5_000), "CONFIRMED")
    # All that is left, from the booking's page.
    done(staff, booking, "refund", payment=charge.pk)
    work(now=timezone.now())
    assert ledger(booking) == (20_000, 20_000, 20_000)
    assert audit("PAYMENT_REFUNDED") == [(staff.pk, f"booking:{booking.pk}")] * 2


def left_unpaid() -> Booking:
    """An hour of parking that is over, and whose card refused."""
    now = timezone.now()
    booking = parked(make_parking_spot(), start=now, card="pm_card_chargeCustomerFail")
    actions.finish_due(now=now + 60 * MINUTE)
    work(now=now + 60 * MINUTE)
    return again(booking)


def test_charge_a_debt_again() -> None:
    booking = left_unpaid()
    staff = may(make_onlooker(), booking, "retry")
    before = Bill.objects.get(pk=booking.bill_id)
    assert before.owed_since is not None
    page = Page(client_of(staff), booking, "retry")
    assert "100.00 EUR is charged to" in page.text
    for _ in range(2):
        assert page.confirm() == [f"Charged again: {booking.reference}"]
    assert charges(booking) == [("FAILED", 10_000), ("PROCESSING", 10_000)]
    assert "A payment is under way." in Page(client_of(staff), booking, "retry").text
    work(now=timezone.now())
    assert charges(booking) == [("FAILED", 10_000), ("FAILED", 10_000)]
    # The schedule goes on as it was.
    after = Bill.objects.get(pk=booking.bill_id)
    assert (after.retries, after.retry_at) == (before.retries, before.retry_at)
    assert audit("CHARGE_RETRIED") == [(staff.pk, f"booking:{booking.pk}")]

    fine = stayed()
    assert "There is nothing to pay for this booking." in Page(client_of(staff), fine, "retry").text
    with pytest.raises(NotAllowed):
        actions.retry(viewer=fine.listing.host, booking_id=fine.pk, now=timezone.now())
    assert len(charges(fine)) == 1


def test_a_mail_is_sent_again_to_the_address_of_now() -> None:
    booking = stayed()
    letter = Letter.objects.get(booking=booking, template="confirmed")
    staff = may(make_onlooker(), letter, "resend")
    client = client_of(staff)
    assert "It is on its way" in Page(client, letter, "resend").text
    Letter.objects.filter(pk=letter.pk).update(sent_at=timezone.now(), next_try_at=None)
    User.objects.filter(bookings=booking).update(email="moved@example.com")
    page = Page(client, letter, "resend")
    assert "to moved@example.com" in page.text
    for _ in range(2):
        assert page.confirm() == [f"Sent again: {letter}"]
    copy = Letter.objects.get(key__startswith="again:")
    assert (copy.to, copy.data, copy.template) == ("moved@example.com", letter.data, "confirmed")
    assert copy.next_try_at is not None
    # A colleague who is asked by the same guest.
    Letter.objects.filter(pk=copy.pk).update(sent_at=timezone.now(), next_try_at=None)
    assert "It was sent again just now." in Page(client, letter, "resend").text
    send_again(viewer=staff, letter_id=copy.pk, now=timezone.now() + 2 * NOT_AGAIN_WITHIN)
    assert sorted(Letter.objects.filter(key__startswith="again:").values_list("key", flat=True)) == [
        f"again:{letter.pk}:1",
        f"again:{letter.pk}:2",
    ]
    assert audit("MAIL_SENT_AGAIN") == [(staff.pk, f"booking:{booking.pk}")] * 2


def test_nobody_who_has_left_is_mailed_again() -> None:
    booking = stayed()
    letter = Letter.objects.get(booking=booking, template="confirmed")
    staff = may(make_onlooker(), letter, "resend")
    Letter.objects.filter(pk=letter.pk).update(sent_at=timezone.now(), next_try_at=None)
    User.objects.filter(bookings=booking).update(is_active=False)
    assert "The account of its reader is closed." in Page(client_of(staff), letter, "resend").text
    Letter.objects.filter(pk=letter.pk).update(to="", data={})
    assert "Its reader has left." in Page(client_of(staff), letter, "resend").text
    assert not Letter.objects.filter(key__startswith="again:").exists()


def test_block_a_period_on_the_listings_clocks() -> None:
    now = timezone.now()
    home = make_property(units=2)
    staff = may(make_onlooker(), home, "block")
    client = client_of(staff)
    day = (now + timedelta(days=90)).date()
    said = {"start": f"{day}T10:00", "end": f"{day}T12:00", "reason": "Painting"}
    page = Page(client, home, "block", **said)
    assert "All 2 units are off the market" in page.text
    for _ in range(2):
        assert page.confirm() == [f"Blocked: {home}"]
    block = Block.objects.get()
    assert block.period.lower.astimezone(UTC).hour in (8, 9)
    assert block.period.upper - block.period.lower == timedelta(hours=2)
    assert audit("PERIOD_BLOCKED") == [(staff.pk, f"listing:{home.pk}")]

    taken = paid(held(home, now=now, **nights(home, 1, now=now)), now=now)
    over = {"start": f"{taken.span.start:%Y-%m-%dT%H:%M}", "end": f"{taken.span.end:%Y-%m-%dT%H:%M}"}
    refused = Page(client, home, "block", **over)
    assert f"Bookings lie in this period: {taken.reference}." in refused.text
    assert refused.token is None
    backwards = Page(client, home, "block", start=said["end"], end=said["start"])
    assert "The end comes after the start." in backwards.text
    event = make_event()
    assert "no periods to block" in Page(client, event, "block", **said).text
    assert Block.objects.count() == 1


def test_hide_a_review_and_show_it_again() -> None:
    booking = stayed()
    now = datetime.now(UTC)
    review = Review.objects.create(
        listing=booking.listing, author=booking.guest, rating=1, comment="Rude.", created_at=now, updated_at=now
    )
    staff = may(make_onlooker(), review, "hide")
    page = Page(client_of(staff), review, "hide")
    for _ in range(2):
        assert page.confirm() == [f"Hidden: {review}"]
    review.refresh_from_db()
    assert review.hidden_at is not None
    assert "It is hidden already." in Page(client_of(staff), review, "hide").text
    done(staff, review, "show")
    review.refresh_from_db()
    assert review.hidden_at is None
    assert (len(audit("REVIEW_HIDDEN")), audit("REVIEW_SHOWN")) == (1, [(staff.pk, f"review:{review.pk}")])


def test_end_the_sessions_of_an_account() -> None:
    guest, now = make_guest(), timezone.now()
    Session.objects.create(user=guest, created_at=now, last_used_at=now)
    staff = may(make_onlooker(), guest, "end_sessions")
    page = Page(client_of(staff), guest, "end_sessions")
    assert "1 session is open" in page.text
    for _ in range(2):
        assert page.confirm() == [f"Sessions ended: {guest}"]
    guest.refresh_from_db()
    assert (guest.token_version, Session.objects.filter(ended_at=None).count()) == (1, 0)
    assert AuditEvent.objects.filter(kind="SESSIONS_ENDED", user_id=guest.pk, actor_id=staff.pk).count() == 1


def test_who_may_not_see_people_is_told_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    booking = stayed()
    staff = allowed(make_onlooker(), "bookings.cancel_booking")
    everything = User.has_perm
    monkeypatch.setattr(
        User, "has_perm", lambda self, name, obj=None: name != "users.view_user" and everything(self, name, obj)
    )
    page = Page(client_of(staff), booking, "cancel", back="all")
    assert page.token is not None
    assert "@example.com" not in page.text.partition('id="foresight"')[2]
