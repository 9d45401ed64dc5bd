"""Money that somebody has to look after is found in Django admin, and put right by what the API does too."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.bookings import actions
from apps.bookings.actions.outside import note_dispute
from apps.bookings.models import Booking
from apps.payments.models import Charge, Dispute, Refund
from apps.users.models import User
from tests.admin.test_actions import act
from tests.admin.test_ledgers import client_of, page
from tests.bookings.life import MINUTE, again, charges, held, nights, paid, parked, work
from tests.payments.steps import events_of, jobs_kept
from tests.recipes import make_event, make_guest, make_onlooker, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)


def found(staff: User, state: str) -> set[Booking]:
    return set(client_of(staff).get(page(Booking), {"money": state}).context["cl"].result_list)


def test_what_is_in_trouble_is_found_by_what_the_trouble_is() -> None:
    now = timezone.now()
    staff, guest = make_onlooker(), make_guest()
    fine = paid(held(make_event(), now=now, tickets=1), now=now)
    debt = parked(make_parking_spot(), start=now, card="pm_card_chargeCustomerFail")
    actions.finish_due(now=now + 60 * MINUTE)
    work(now=now + 60 * MINUTE)
    home = make_property(units=9)
    stuck = held(home, guest=guest, now=now, **nights(home, 1, now=now))
    with jobs_kept():
        actions.pay(viewer=guest, booking_id=stuck.pk, payment_method="pm_card_visa", now=now)
    waits = paid(held(make_event(), now=now, tickets=1), card="pm_card_authenticationRequired", now=now)
    Charge.objects.filter(bill__in=[stuck.bill_id, waits.bill_id]).update(asked_at=now - timedelta(hours=1))
    disputed = paid(held(make_event(), now=now, tickets=1), card="pm_card_createDispute", now=now)
    (told,) = events_of(Charge.objects.get(bill=disputed.bill_id).intent_id, "charge.dispute.created")
    note_dispute(dispute_id=told["data"]["object"]["id"])
    failed = paid(held(make_event(), now=now, tickets=1), now=now)
    Refund.objects.create(
        charge=Charge.objects.get(bill=failed.bill_id),
        amount_minor=1,
        status="FAILED",
        idempotency_key="k",
        created_at=now,
    )
    assert found(staff, "debt") == {debt}
    assert found(staff, "stuck") == {stuck}
    assert found(staff, "refund_failed") == {failed}
    assert found(staff, "disputed") == {disputed}
    assert found(staff, "") >= {fine, debt, stuck, waits, disputed, failed}

    # The dispute is found by its booking, and says which it is.
    shown = client_of(staff).get(page(Dispute), {"q": disputed.reference})
    assert list(shown.context["cl"].result_list) == [Dispute.objects.get()]
    assert disputed.reference in shown.content.decode()

    # Staff has the processor asked, as `refreshPayment` does.
    act(staff, Booking, "refresh_selected", stuck)
    assert (again(stuck).status, charges(stuck)) == ("CONFIRMED", [("SUCCEEDED", 10_000)])
    assert found(staff, "stuck") == set()
