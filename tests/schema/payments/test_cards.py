"""`Viewer.cards` and `removeCard`."""

from datetime import timedelta
from typing import Any

import pytest

from apps.bookings.actions import carry_out_payment, end, pay
from apps.bookings.models import Booking
from apps.payments import gateway
from apps.payments.models import Card, Charge
from apps.payments.tasks import forget_card
from apps.users.models import User
from tests.hosting.inputs import NOW
from tests.payments.steps import booked, jobs_kept, paid, stripe_api
from tests.recipes import make_guest, make_parking_spot, make_property
from tests.schema.listings.api import ask, mutate, told, top_code

pytestmark = pytest.mark.django_db(transaction=True)

CARDS = "{ me { cards { id brand last4 expMonth expYear } } }"


def cards(viewer: User) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = ask(CARDS, viewer=viewer)["data"]["me"]["cards"]
    return shown


def remove(card_id: str, *, viewer: User) -> Any:
    return mutate("removeCard", {"id": card_id}, viewer=viewer, shows="viewer { cards { id } }")


def parked(guest: User, *, card: str = "pm_card_visa") -> tuple[Booking, Charge]:
    booking = booked(make_parking_spot(), guest=guest, now=NOW, days=1)
    return booking, paid(booking, now=NOW, card=card)


def test_a_card_is_there_once_it_has_paid_and_once_only() -> None:
    guest = make_guest()
    home = make_property(units=9)
    assert cards(guest) == []
    first = paid(booked(home, guest=guest, now=NOW), now=NOW)
    paid(booked(home, guest=guest, now=NOW), now=NOW)
    paid(booked(home, guest=guest, now=NOW), now=NOW + timedelta(minutes=1), card="pm_card_mastercard")
    shown = cards(guest)
    assert [(card["brand"], card["last4"]) for card in shown] == [("mastercard", "4444"), ("visa", "4242")]
    assert shown[1]["id"] == first.payment_method
    assert 1 <= shown[1]["expMonth"] <= 12
    assert shown[1]["expYear"] >= NOW.year


def test_a_card_that_was_declined_or_is_anybody_elses_is_not_there() -> None:
    guest, other, home = make_guest(), make_guest(), make_property(units=9)
    paid(booked(home, guest=guest, now=NOW), now=NOW, card="pm_card_chargeDeclined")
    paid(booked(home, guest=guest, now=NOW), now=NOW, card="pm_card_authenticationRequired")
    paid(booked(home, guest=None, now=NOW), now=NOW)
    paid(booked(home, guest=other, now=NOW), now=NOW)
    assert cards(guest) == []
    assert len(cards(other)) == Card.objects.count() == 1


def test_a_card_saved_for_the_end_is_there_and_stays_while_it_is_needed() -> None:
    guest = make_guest()
    booking, charge = parked(guest)
    assert charge.status == "AUTHORIZED"
    (card,) = cards(guest)
    payload = remove(card["id"], viewer=guest)
    assert told(payload) == {("WRONG_STATE", "id")}
    assert payload["viewer"] is None
    assert len(cards(guest)) == 1

    over = NOW + timedelta(days=1, minutes=30)
    end(viewer=guest, booking_id=booking.pk, now=over)
    assert told(remove(card["id"], viewer=guest)) == {("WRONG_STATE", "id")}
    carry_out_payment(charge_id=charge.pk, now=over)
    assert remove(card["id"], viewer=guest) == {"viewer": {"cards": []}, "errors": []}


def test_a_removed_card_is_taken_from_the_processor_under_all_its_names() -> None:
    guest, home = make_guest(), make_property(units=9)
    charges = [paid(booked(home, guest=guest, now=NOW), now=NOW) for _ in range(2)]
    names = {charge.payment_method for charge in charges}
    assert len(names) == 2
    (card,) = cards(guest)
    with jobs_kept() as jobs:
        assert remove(card["id"], viewer=guest)["errors"] == []
    assert {job.task for job in jobs} == {"payments.forget_card"}
    assert {job.arguments["payment_method"] for job in jobs} == names
    for job in jobs * 2:
        forget_card(**job.arguments)
    assert {stripe_api("GET", f"/v1/payment_methods/{name}")["customer"] for name in names} == {None}
    again = paid(booked(home, guest=guest, now=NOW), now=NOW, card=card["id"])
    assert again.status == "FAILED"
    assert cards(guest) == []


def test_the_id_of_a_card_pays_the_next_booking_and_nobody_elses() -> None:
    guest, thief, home = make_guest(), make_guest(), make_property(units=9)
    paid(booked(home, guest=guest, now=NOW), now=NOW)
    (card,) = cards(guest)
    assert paid(booked(home, guest=guest, now=NOW), now=NOW, card=card["id"]).status == "SUCCEEDED"
    assert len(cards(guest)) == 1
    assert paid(booked(home, guest=thief, now=NOW), now=NOW, card=card["id"]).status == "FAILED"


def test_others_and_unknown_cards_do_not_exist() -> None:
    guest, other = make_guest(), make_guest()
    paid(booked(make_property(), guest=guest, now=NOW), now=NOW)
    (card,) = cards(guest)
    for wrong in (card["id"], "pm_never_given_out", "", "Q2FyZDox", "pm_\x00", "x" * 10_000):
        assert told(remove(wrong, viewer=other)) == {("NOT_FOUND", "id")}
    assert len(cards(guest)) == 1
    anonymous = ask('mutation { removeCard(input: {id: "pm_x"}) { errors { code } } }', viewer=None)
    assert top_code(anonymous) == "UNAUTHENTICATED"


def test_a_card_under_way_cannot_be_removed_meanwhile() -> None:
    guest, home = make_guest(), make_property(units=9)
    paid(booked(home, guest=guest, now=NOW), now=NOW)
    (card,) = cards(guest)
    booking = booked(home, guest=guest, now=NOW)
    charge = pay(viewer=guest, booking_id=booking.pk, payment_method=card["id"], now=NOW)
    assert told(remove(card["id"], viewer=guest)) == {("WRONG_STATE", "id")}
    carry_out_payment(charge_id=charge.pk, now=NOW)
    assert remove(card["id"], viewer=guest)["errors"] == []


def test_a_refused_key_leaves_the_card_to_be_forgotten_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise gateway.GatewayUnavailable("away")

    monkeypatch.setattr(gateway, "forget", away)
    with pytest.raises(gateway.GatewayUnavailable):
        forget_card(payment_method="pm_x")
