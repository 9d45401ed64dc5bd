"""Stuck money: everything that needs somebody is found, says what to do, leaves when it is done, and costs little to look for."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.bookings import actions
from apps.bookings.actions.outside import note_dispute
from apps.bookings.models import Booking
from apps.bookings.stuck import SORTS, Stuck, count_stuck, stuck_money
from apps.core.errors import NotAllowed, NotFound, Required, WrongState
from apps.core.money import Money
from apps.payments.differences import Difference, keep_differences
from apps.payments.models import Bill, Charge, DealtWith, Discrepancy, Dispute, Refund, WebhookEvent
from apps.users.models import User
from tests.admin.acting import Page, done
from tests.admin.test_ledgers import client_of, page
from tests.bookings.life import MINUTE, again, charges, held, ledger, nights, paid, parked, work
from tests.payments.steps import events_of, jobs_kept
from tests.recipes import make_clerk, make_event, make_guest, make_parking_spot, make_property

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = timedelta(hours=1)
# What a fresh hold, a paid booking and a canceled one leave behind is nothing to look after.


def found(*, after: timedelta = timedelta(0)) -> dict[str, Stuck]:
    """What is stuck, by sort; one of each at most."""
    told = {sort.name: rows for sort, rows in stuck_money(now=timezone.now() + after)}
    assert all(len(rows) <= 1 for rows in told.values())
    return {name: rows[0] for name, rows in told.items() if rows}


def a_ticket(card: str = "pm_card_visa") -> Booking:
    now = timezone.now()
    return paid(held(make_event(), now=now, tickets=1), card=card, now=now)


def test_what_goes_well_is_not_listed() -> None:
    now = timezone.now()
    held(make_event(), now=now, tickets=1)
    gone = a_ticket()
    actions.cancel(viewer=gone.guest, booking_id=gone.pk, now=now)
    home = make_property(cancellation_policy="NON_REFUNDABLE")
    kept = paid(held(home, now=now, **nights(home, 1, now=now)), now=now)
    actions.cancel(viewer=kept.guest, booking_id=kept.pk, now=now)
    assert ledger(kept) == (10_000, 10_000, 0)
    late = parked(make_parking_spot(), start=now)
    actions.finish_due(now=now + 60 * MINUTE)
    work(now=now + 60 * MINUTE)
    assert charges(late) == [("SUCCEEDED", 10_000)]
    assert Bill.objects.get(pk=late.bill_id).owed_since is not None
    assert found(after=timedelta(minutes=5)) == {}
    assert count_stuck(now=now) == 0


def test_a_refund_that_failed_is_refunded_again_from_the_list() -> None:
    booking, clerk = a_ticket("pm_card_refundFail"), make_clerk("finance")
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=timezone.now())
    work(now=timezone.now())
    # The bank sent it back.
    if not Refund.objects.filter(status="FAILED").exists():
        Refund.objects.update(status="PENDING")
        work(now=timezone.now())
    Refund.objects.update(status="FAILED")
    Charge.objects.update(refunded_minor=0, status="SUCCEEDED")
    Bill.objects.update(refunded_minor=0)
    (stuck,) = found().values()
    assert (stuck.booking, stuck.amount, stuck.needs_somebody) == (booking, Money(10_000, "EUR"), True)
    assert "A refund failed" in stuck.words
    listed = client_of(clerk).get("/admin/stuck/").content.decode()
    (remedy,) = stuck.remedies
    for text in (booking.reference, "100.00 EUR", page(Refund, "change", stuck.row.pk), "/refund/"):
        assert text in listed
    done(clerk, remedy[0], remedy[1], amount="", reason="Again")
    assert found() == {}


def test_what_was_called_off_and_paid_is_found_until_it_has_gone_back() -> None:
    booking, clerk = a_ticket(), make_clerk("finance")
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=timezone.now())
    # The refund is lost: nobody wrote it down.
    Refund.objects.all().delete()
    Charge.objects.update(refunded_minor=0, status="SUCCEEDED")
    Bill.objects.update(refunded_minor=0)
    (stuck,) = found().values()
    assert (stuck.subject, stuck.amount) == (f"kept:{booking.bill_id}", Money(10_000, "EUR"))
    charge = Charge.objects.get()
    done(clerk, booking, "refund", payment=charge.pk, amount="40")
    assert found()["kept"].amount == Money(6_000, "EUR")
    done(clerk, booking, "refund", payment=charge.pk)
    work(now=timezone.now())
    assert found() == {}


def test_a_payment_that_lands_late_and_stays_here_is_found() -> None:
    now = timezone.now()
    event = make_event(tickets=1)
    booking = held(event, now=now, tickets=1)
    charge = actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=now)
    actions.cancel(viewer=booking.guest, booking_id=booking.pk, now=now)
    actions.carry_out_payment(charge_id=charge.pk, now=now)
    assert again(booking).status == "CANCELED"
    assert Bill.objects.get(pk=booking.bill_id).kept_minor == 0
    assert found() == {}
    Bill.objects.update(refunded_minor=0)
    assert list(found()) == ["kept"]


def test_a_dispute_is_listed_until_it_is_settled() -> None:
    booking, clerk = a_ticket("pm_card_createDispute"), make_clerk("finance")
    (told,) = events_of(Charge.objects.get().intent_id, "charge.dispute.created")
    note_dispute(dispute_id=told["data"]["object"]["id"])
    stuck = found()["dispute"]
    assert (stuck.booking, stuck.amount) == (booking, Money(10_000, "EUR"))
    assert "it has a deadline" in stuck.words
    Dispute.objects.update(status="under_review")
    assert found() == {}
    Dispute.objects.update(status="lost")
    assert "for good" in found()["dispute"].words
    client = client_of(clerk)
    assert "This field is required." in Page(client, stuck.row, "deal", note=" ").text
    looked = Page(client, stuck.row, "deal", note="Written off, see the minutes of May.")
    assert "No money moves, and nobody gets a mail." in looked.text
    for _ in range(2):
        assert looked.confirm() == [f"Dealt with: {stuck.row}"]
    assert found() == {}
    kept = DealtWith.objects.get()
    assert (kept.actor_id, kept.note) == (clerk.pk, "Written off, see the minutes of May.")
    audit = AuditEvent.objects.filter(kind="MONEY_DEALT_WITH")
    assert list(audit.values_list("actor_id", "subject")) == [(clerk.pk, f"booking:{booking.pk}")]
    assert "Nothing is stuck there any more." in Page(client, stuck.row, "deal", note="Again").text


def test_a_debt_needs_somebody_once_the_card_is_not_asked_again() -> None:
    now = timezone.now()
    booking = parked(make_parking_spot(), start=now, card="pm_card_chargeCustomerFail")
    actions.finish_due(now=now + 60 * MINUTE)
    assert found(after=timedelta(minutes=2)) == {}
    work(now=now + 60 * MINUTE)
    stuck = found()["debt"]
    assert (stuck.booking, stuck.amount, stuck.needs_somebody) == (booking, Money(10_000, "EUR"), False)
    assert "by itself" in stuck.words
    assert count_stuck(now=now) == 0
    Bill.objects.update(retry_at=None)
    assert (found()["debt"].needs_somebody, count_stuck(now=now)) == (True, 1)
    actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=now)
    assert found() == {}
    work(now=now)
    assert found() == {}


def test_a_booking_that_became_dearer_and_was_not_paid_is_a_debt_once_it_is_over() -> None:
    now = timezone.now()
    booking = a_ticket()
    Bill.objects.filter(pk=booking.bill_id).update(total_minor=12_000)
    assert found() == {}
    actions.complete_ended(now=booking.span.end + MINUTE)
    assert again(booking).status == "COMPLETED"
    assert found()["debt"].amount == Money(2_000, "EUR")
    assert count_stuck(now=now) == 1


def test_what_has_no_answer_for_long_is_found_though_the_sweeps_look_again() -> None:
    now = timezone.now()
    booking = held(make_event(), now=now, tickets=1)
    with jobs_kept():
        charge = actions.pay(viewer=booking.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=now)
    Charge.objects.update(updated_at=now + HOUR)
    assert found(after=timedelta(minutes=9)) == {}
    stuck = found(after=timedelta(minutes=11))["charge"]
    assert (stuck.booking, stuck.amount, stuck.remedies) == (booking, charge.amount, ((booking, "refresh"),))
    done(make_clerk("finance"), booking, "refresh")
    assert again(booking).status == "CONFIRMED"
    assert found(after=timedelta(minutes=11)) == {}

    waits = a_ticket("pm_card_authenticationRequired")
    assert found(after=timedelta(hours=23)) == {}
    assert found(after=timedelta(hours=25))["charge"].booking == waits
    Charge.objects.filter(bill=waits.bill_id).delete()

    with jobs_kept():
        actions.refund(viewer=booking.listing.host, payment_id=charge.pk, now=now)
    assert found(after=timedelta(minutes=30)) == {}
    assert found(after=2 * HOUR)["refund"].booking == booking
    done(make_clerk("finance"), booking, "refresh")
    assert (found(after=2 * HOUR), ledger(booking)) == ({}, (10_000, 10_000, 10_000))


def test_messages_of_the_processor_that_are_not_carried_out() -> None:
    now = timezone.now()
    event = WebhookEvent.objects.create(event_id="evt_1", type="customer.updated", object_id="cus_1", received_at=now)
    assert found(after=timedelta(minutes=9)) == {}
    assert found(after=timedelta(minutes=11))["event"].remedies == ((event, "handle"),)
    assert done(make_clerk("finance"), event, "handle") == ["Carried out: evt_1"]
    assert found(after=timedelta(minutes=11)) == {}


def test_differences_stay_until_they_are_gone_or_settled() -> None:
    now = timezone.now()
    since = now - 3 * timedelta(days=1)
    booking = a_ticket()
    lost = Difference("charge 1 is not paid", charge_id=Charge.objects.get().pk, amount=Money(100, "EUR"))
    for _ in range(2):
        keep_differences([lost], since=since, now=now)
    stuck = found()["discrepancy"]
    assert (stuck.booking, stuck.amount, Discrepancy.objects.count()) == (booking, Money(100, "EUR"), 1)
    # A comparison that did not go back so far has not looked; one that did finds it gone.
    keep_differences([], since=since + HOUR, now=now + HOUR)
    assert "discrepancy" in found()
    keep_differences([], since=since, now=now + HOUR)
    assert found() == {}
    # It comes again: what was settled before does not hide it.
    clerk = make_clerk("finance")
    keep_differences([lost], since=since, now=now + 2 * HOUR)
    actions.deal_with(viewer=clerk, subject=found()["discrepancy"].subject, note="Asked them", now=now)
    keep_differences([lost], since=since, now=now + 3 * HOUR)
    assert found() == {}
    keep_differences([], since=since, now=now + 4 * HOUR)
    keep_differences([lost], since=since, now=now + 5 * HOUR)
    assert "discrepancy" in found()


def test_reconcile_keeps_what_it_cannot_heal() -> None:
    now = timezone.now()
    booking = a_ticket()
    Charge.objects.update(amount_minor=9_999)
    result = actions.reconcile(since=now - HOUR, now=now)
    assert len(result.drift) == Discrepancy.objects.filter(ended_at=None).count() > 0
    assert Discrepancy.objects.filter(charge__bill=booking.bill_id, amount_minor=10_000).exists()


def test_only_staff_settles_and_only_what_is_stuck() -> None:
    now = timezone.now()
    booking, clerk, other = a_ticket("pm_card_createDispute"), make_clerk("finance"), make_clerk("finance")
    (told,) = events_of(Charge.objects.get().intent_id, "charge.dispute.created")
    note_dispute(dispute_id=told["data"]["object"]["id"])
    subject = found()["dispute"].subject

    def settle(viewer: User, subject: str, note: str = "Done") -> DealtWith:
        return actions.deal_with(viewer=viewer, subject=subject, note=note, now=now)

    for viewer in (make_guest(), booking.listing.host):
        with pytest.raises(NotAllowed):
            settle(viewer, subject)
    with pytest.raises(NotAllowed):
        settle(clerk, f"charge:{Charge.objects.get().pk}")
    for nothing in ("debt:1", "dispute:999999", "dispute:x", "dispute:", "dispute:1:2", f"dispute:{'9' * 40}"):
        with pytest.raises(NotFound):
            settle(clerk, nothing)
    with pytest.raises(Required):
        settle(clerk, subject, note=" ")
    assert not DealtWith.objects.exists()
    settle(clerk, subject)
    with pytest.raises(WrongState):
        settle(other, subject)
    assert DealtWith.objects.get().actor_id == clerk.pk
    assert client_of(make_clerk("support")).post("/admin/act/payments/dispute/1/deal/").status_code == 403


def test_looking_costs_one_statement_for_the_badge_and_reads_partial_indexes() -> None:
    now = timezone.now()
    a_ticket("pm_card_createDispute")
    Dispute.objects.create(
        charge=Charge.objects.get(), processor_id="du_1", status="lost", amount_minor=1, currency="EUR", created_at=now
    )
    # Made once and filled in, and made anew.
    for is_compiled in (True, False):
        with override_settings(COMPILED_READS=is_compiled), CaptureQueriesContext(connection) as queries:
            assert count_stuck(now=now) == 1
            assert count_stuck(now=now - timedelta(days=9)) == 1
        assert len(queries) == 2
    front = client_of(make_clerk("finance")).get("/admin/stuck/").content.decode()
    assert "Stuck money" in front
    expected = {
        "failed_refund": "refund_failed", "kept": "bill_kept_too_much", "dispute": "dispute_costs_us", "debt": "bill_debt",
        "charge": "charge_open", "refund": "refund_open", "event": "webhook_event_waiting", "discrepancy": "discrepancy_open",
    }  # fmt: skip
    assert {sort.name for sort in SORTS} == set(expected)
    with connection.cursor() as cursor:
        # The tables of a test are too small for an index to be worth it: whether it can be used is the question.
        cursor.execute("SET enable_seqscan = off")
        try:
            for sort in SORTS:
                plan = sort.find(now).order_by().explain()
                assert expected[sort.name] in plan or "charge_one_open" in plan, (sort.name, plan)
        finally:
            cursor.execute("RESET enable_seqscan")
