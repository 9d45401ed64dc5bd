"""Accounts come last: who locks one to verify or to close it waits for nobody who has yet to ask for it."""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.accounts.actions import delete_account
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.db import unit_of_work
from apps.listings.offers import BookingRequest
from apps.payments.models import Card, Charge
from apps.reviews import actions as reviews
from apps.reviews.models import Review
from apps.users.actions.credentials import verify_email
from apps.users.actions.mail_tokens import mail_link, secret_of
from apps.users.models import MailPurpose, MailToken, User
from tests.accounts.bookings import completed
from tests.bookings.life import again, held, nights
from tests.concurrency.test_leaving_races import Meanwhile, leaver, told
from tests.hosting.inputs import NOW
from tests.recipes import PASSWORD, make_event, make_property
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

# `apps.bookings.actions` also has a function of this name.
PAYING = sys.modules["apps.bookings.actions.pay"]


def paid_for_another(payer: User, *, email: str) -> tuple[Booking, Charge]:
    """A booking of the address, without an account, that somebody with an account is paying."""
    event = make_event()
    booking = actions.hold(
        kind_code="EVENT",
        listing_id=event.pk,
        listing_field="event",
        request=BookingRequest(tickets=1),
        guest=None,
        contact=actions.Contact(email=email),
        now=NOW,
    )
    charge = actions.pay(
        viewer=payer,
        booking_id=booking.pk,
        access_token=booking.access_token,
        payment_method="pm_card_visa",
        now=NOW,
    )
    return booking, charge


def leaving(user: User) -> Callable[[], str]:
    return lambda: told(lambda: delete_account(viewer=user, password=PASSWORD, now=NOW))


def test_an_address_is_verified_while_what_it_booked_is_being_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    """The card is the account's, and the booking is about to be."""
    user = leaver()
    booking, charge = paid_for_another(user, email=user.email)
    unit_of_work(mail_link)(user=user, purpose=MailPurpose.VERIFY_EMAIL, email=user.email, now=NOW)
    secret = secret_of(MailToken.objects.get())
    verifying = Meanwhile(
        monkeypatch, PAYING, "_confirm", lambda: told(lambda: verify_email(token=secret, now=NOW)), waits=True
    )
    actions.carry_out_payment(charge_id=charge.pk, now=NOW)
    assert verifying.outcome() == "DONE"
    assert (again(booking).status, again(booking).guest) == ("CONFIRMED", user)
    assert Card.objects.get().user == user


def test_who_pays_for_another_leaves_when_the_payment_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    payer = leaver()
    booking, charge = paid_for_another(payer, email="ada@analytical.example")
    waiting = Meanwhile(monkeypatch, PAYING, "_confirm", leaving(payer), waits=True)
    actions.carry_out_payment(charge_id=charge.pk, now=NOW)
    assert waiting.outcome() == "DONE"
    charge.refresh_from_db()
    assert (again(booking).status, charge.status, charge.payer) == ("CONFIRMED", "SUCCEEDED", None)
    assert not Card.objects.exists()


def test_an_author_leaves_when_the_reply_to_them_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    author, home = leaver(), make_property()
    completed(held(home, guest=author, **nights(home, 2, first=timedelta(days=1))))
    review = reviews.create_review(viewer=author, listing_id=home.pk, rating=5, comment="Lovely.", now=NOW)
    waiting = Meanwhile(monkeypatch, reviews, "tell", leaving(author), waits=True)
    reviews.reply_to_review(viewer=home.host, review_id=review.pk, reply="Come again.", now=NOW)
    assert waiting.outcome() == "DONE"
    kept = Review.objects.get()
    assert (kept.author, kept.reply) == (None, "Come again.")


def test_of_many_who_close_an_account_at_once_one_does() -> None:
    user = leaver()
    assert Counter(at_once([leaving(user)] * 8)) == {"DONE": 1, "CLOSED": 7}
