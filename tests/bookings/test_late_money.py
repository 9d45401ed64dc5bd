"""Money that comes when nobody waits for it any more, and money that the payer's bank takes back."""

from datetime import datetime, timedelta

import pytest

from apps.bookings import actions
from apps.bookings.actions.outside import note_dispute
from apps.bookings.models import Booking
from apps.core.errors import WrongState
from apps.payments import gateway
from apps.payments.models import Bill, Charge, Dispute, Refund
from apps.payments.selectors import unbalanced_bills
from tests.bookings.life import MINUTE, again, authenticate, charges, held, ledger, nights, paid, story, work
from tests.hosting.inputs import NOW
from tests.payments.steps import events_of, stripe_api
from tests.recipes import make_event, make_parking_spot, make_property, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def confirm_again(charge: Charge) -> None:
    """The payer, whose page still knows the payment that was declined, tries it with another card."""
    stripe_api(
        "POST",
        f"/v1/payment_intents/{charge.intent_id}/confirm",
        payment_method="pm_card_visa",
        return_url="https://x.test/",
    )


def hear(charge: Charge, *, now: datetime = NOW) -> None:
    """What a webhook about the payment makes of it."""
    actions.settle(charge_id=charge.pk, outcome=gateway.look_up(intent_id=charge.intent_id), now=now)


def test_who_pays_twice_gets_the_second_payment_back() -> None:
    booking = paid(held(make_event(), tickets=1), card="pm_card_chargeDeclined")
    declined = Charge.objects.get()
    booking = paid(booking, card="pm_card_mastercard")
    assert ledger(booking) == (10_000, 10_000, 0)
    confirm_again(declined)
    hear(declined)
    work()
    assert charges(booking) == [("REFUNDED", 10_000), ("SUCCEEDED", 10_000)]
    assert ledger(booking) == (10_000, 20_000, 10_000)
    bill = Bill.objects.get(pk=booking.bill_id)
    assert (bill.settled_minor, bill.owed.minor, again(booking).status) == (10_000, 0, "CONFIRMED")
    assert (story(booking)[-1], unbalanced_bills()) == (("REFUNDED", "SYSTEM"), [])
    # Heard once more it does nothing.
    hear(declined)
    assert Refund.objects.count() == 1


def test_a_late_payment_of_a_debt_settles_it_and_gives_nothing_back() -> None:
    booking = paid(
        held(make_parking_spot(price_minor=6_000), starts_at=NOW, minutes=60), card="pm_card_chargeCustomerFail"
    )
    over = NOW + 60 * MINUTE
    actions.finish_due(now=over)
    work(now=over)
    refused = Charge.objects.get()
    assert refused.status == "FAILED"
    confirm_again(refused)
    hear(refused, now=over)
    assert (charges(booking), ledger(booking)) == ([("SUCCEEDED", 6_000)], (6_000, 6_000, 0))
    assert not Refund.objects.exists()


def test_what_is_over_before_the_payment_lands_goes_back() -> None:
    event = make_event(starts_at=NOW + timedelta(minutes=20))
    booking = paid(held(event, tickets=1), card="pm_card_authenticationRequired")
    charge = Charge.objects.get()
    assert booking.expires_at is not None
    actions.expire_holds(now=booking.expires_at)
    over = again(booking).span.end
    authenticate(charge)
    hear(charge, now=over)
    work(now=over)
    assert (again(booking).status, charges(booking)) == ("EXPIRED", [("REFUNDED", 10_000)])


# ------------------------------------------------------------------------------------ disputes


def disputed() -> Booking:
    """A stay whose payer asked the bank for the money, as we know."""
    home = make_property()
    booking = paid(held(home, **nights(home, 2)), card="pm_card_createDispute")
    (told,) = events_of(Charge.objects.get().intent_id, "charge.dispute.created")
    note_dispute(dispute_id=told["data"]["object"]["id"])
    assert Dispute.objects.get().status == "needs_response"
    return booking


def decided(verdict: str) -> None:
    """The bank decides, and we are told."""
    dispute = Dispute.objects.get()
    stripe_api("POST", f"/v1/disputes/{dispute.processor_id}", **{"evidence[uncategorized_text]": verdict})
    note_dispute(dispute_id=dispute.processor_id)


@pytest.mark.parametrize("verdict", [None, "losing_evidence"])
def test_what_the_bank_took_back_does_not_go_back_again(verdict: str | None) -> None:
    booking = disputed()
    if verdict is not None:
        decided(verdict)
    charge = Charge.objects.get()
    with pytest.raises(WrongState):
        actions.refund(viewer=make_staff(), payment_id=charge.pk, now=NOW)
    actions.cancel(viewer=booking.listing.host, booking_id=booking.pk, now=NOW)
    work()
    assert (again(booking).status, again(booking).allocation.is_active) == ("CANCELED", False)
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 0), 0)
    assert ("REFUNDED", "HOST") not in story(booking)


def test_a_dispute_that_was_won_leaves_the_payment_as_any_other() -> None:
    booking = disputed()
    decided("winning_evidence")
    assert Dispute.objects.get().status == "won"
    actions.refund(viewer=make_staff(), payment_id=Charge.objects.get().pk, now=NOW)
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 20_000), 1)


def test_an_answer_from_before_the_end_of_a_dispute_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    disputed()
    dispute = Dispute.objects.get()
    overtaken = gateway.dispute(dispute_id=dispute.processor_id)
    decided("losing_evidence")
    monkeypatch.setattr(gateway, "dispute", lambda **_: overtaken)
    note_dispute(dispute_id=dispute.processor_id)
    assert Dispute.objects.get().status == "lost"
