"""Parallel payments, refunds and cards on the money ledger: numbers without gaps, no deadlock, nothing charged to thin air."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from apps.bookings import actions
from apps.bookings.actions import processor
from apps.bookings.models import Booking
from apps.core.db import unit_of_work
from apps.payments import asking, cards
from apps.payments.actions import next_receipt_number
from apps.payments.models import Card, Charge, ReceiptCounter, Refund, RefundStatus
from apps.payments.outcomes import RefundOutcome
from apps.payments.selectors import receipt_gaps, unbalanced_bills
from tests.bookings.life import MINUTE, again, charges, held, ledger, paid, parked, stay, work
from tests.concurrency.guards import met_halfway, overtaken, unguarded
from tests.concurrency.test_life_races import by_guest, giving_back, outcome, told
from tests.hosting.inputs import NOW
from tests.payments.steps import jobs_kept
from tests.recipes import make_event, make_guest, make_parking_spot, make_property
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)

MIDNIGHT = datetime(2027, 1, 1, tzinfo=UTC)
CLIENTS = 32


def test_parallel_receipts_have_no_gaps() -> None:
    event = make_event()
    used = ["pm_card_visa", "pm_card_visa", "pm_card_chargeDeclined", "pm_card_visa"] * 3
    bookings = [held(event, tickets=1) for _ in used]

    def paying(booking: Booking, card: str) -> Callable[[], Booking]:
        return lambda: paid(booking, card=card)

    at_once([paying(booking, card) for booking, card in zip(bookings, used, strict=True)])
    numbers = Charge.objects.filter(status="SUCCEEDED").values_list("receipt_number", flat=True)
    assert sorted(str(number) for number in numbers) == [f"2026-{number:06d}" for number in range(1, 10)]
    assert receipt_gaps() == []


class Torn(Exception):
    """What makes a transaction go back."""


@unit_of_work
def numbered(*, now: datetime, is_torn: bool) -> str:
    number = next_receipt_number(now=now)
    if is_torn:
        raise Torn
    return number


def numbering(now: datetime, *, is_torn: bool = False) -> Callable[[], str]:
    def call() -> str:
        try:
            return numbered(now=now, is_torn=is_torn)
        except Torn:
            return "torn"

    return call


def test_over_the_new_year_each_year_has_its_own_numbers_without_gaps() -> None:
    """Also where every fourth transaction takes a number and then fails."""
    last, first = MIDNIGHT - timedelta(microseconds=1), MIDNIGHT
    calls = [numbering(moment, is_torn=number % 4 == 3) for number in range(32) for moment in (last, first)]
    numbers = [number for number in at_once(calls) if number != "torn"]
    assert sorted(numbers) == [f"{year}-{number:06d}" for year in (2026, 2027) for number in range(1, 25)]
    assert dict(ReceiptCounter.objects.values_list("year", "last")) == {2026: 24, 2027: 24}


def test_twin_counting_in_the_application_gives_a_number_twice() -> None:
    ReceiptCounter.objects.create(year=2026)

    @unit_of_work
    def read_then_write() -> int:
        last = ReceiptCounter.objects.select_for_update().get(year=2026).last
        ReceiptCounter.objects.filter(year=2026).update(last=last + 1)
        return last + 1

    assert set(unguarded([read_then_write] * 8)) == {1}


# ------------------------------------------------------------------------------------ refunds that come back


def coming_back() -> Callable[[], str]:
    """The bank sends the refund back, and the worker is told."""

    def call() -> str:
        actions.carry_out_refund(refund_id=Refund.objects.earliest("pk").pk)
        return "DONE"

    return call


@pytest.fixture
def sent_back(monkeypatch: pytest.MonkeyPatch) -> Booking:
    """A paid stay of which the host gives something back, which the processor will say has failed."""
    booking = stay(make_property(), 2)
    giving_back(booking, 3_000)()
    first = Refund.objects.get().pk
    real = asking.ask_for_refund

    def ask(refund: Refund) -> RefundOutcome:
        if refund.pk != first:
            return real(refund)
        return RefundOutcome(status=RefundStatus.FAILED, processor_id="re_1", failure_code="expired_or_canceled_card")

    monkeypatch.setattr(processor, "ask_for_refund", ask)
    return booking


def test_a_refund_that_comes_back_while_it_is_canceled_and_refunded_ends_even(sent_back: Booking) -> None:
    booking = sent_back
    calls = [coming_back()] * 12
    calls += [outcome(actions.cancel, **by_guest(booking))] * 10
    calls += [giving_back(booking, 1_000)] * 10
    outcomes = at_once(calls)
    assert Counter(outcomes[:22]) == {"DONE": 13, "WRONG_STATE": 9}
    # Whoever comes after the cancel finds nothing left, or no more than what came back.
    assert set(outcomes[22:]) <= {"DONE", "WRONG_STATE", "INVALID"}
    work()
    assert (again(booking).status, told(booking)["CANCELED"], unbalanced_bills()) == ("CANCELED", 1, [])
    failed = Refund.objects.get(status="FAILED")
    back = sum(Refund.objects.filter(status="SUCCEEDED").values_list("amount_minor", flat=True))
    assert (failed.amount_minor, ledger(booking)) == (3_000, (20_000, 20_000, back))
    # 3,000 came back before the cancel and went back with it, or after it and is the guest's to be given again.
    assert back in range(17_000, 20_001, 1_000)


def test_twin_locking_the_charge_before_the_bill_locks_each_other_out(sent_back: Booking) -> None:
    cancels = outcome(actions.cancel, **by_guest(sent_back))
    answers = met_halfway(coming_back(), cancels, locks_of="payments_bill")
    assert sorted(answers) == ["DONE", "OperationalError"]


# ------------------------------------------------------------------------------------ cards


def remover(booking: Booking) -> Callable[[], str]:
    """The guest has their only card forgotten."""

    def call() -> str:
        return outcome(
            lambda *, now, **given: cards.remove_card(**given),
            viewer=booking.guest,
            card_id=Card.objects.values_list("payment_method", flat=True).first() or "pm_none",
        )()

    return call


def test_a_card_is_not_forgotten_before_it_has_paid_at_the_end() -> None:
    booking = parked(make_parking_spot(price_minor=6_000), minutes=60)
    over = NOW + 60 * MINUTE
    ends = [outcome(actions.end, now=over, **by_guest(booking))] * 8
    sweeps = [outcome(actions.finish_due, now=over)] * 8
    with jobs_kept() as jobs:
        outcomes = at_once([*[remover(booking)] * 16, *ends, *sweeps])
    assert Counter(outcomes[:16]) == {"WRONG_STATE": 16}
    assert not [job for job in jobs if job.task == "payments.forget_card"]
    work(now=over)
    assert charges(booking) == [("SUCCEEDED", 6_000)]
    assert remover(booking)() == "DONE"
    assert not Card.objects.exists()


def test_a_card_that_is_forgotten_while_it_is_saved_for_the_end_still_pays() -> None:
    """The one who has it forgotten looked before somebody paid with it; the processor hears of it after that."""
    guest = make_guest()
    paid(held(make_event(), guest=guest, tickets=1))
    known = Card.objects.get()
    booking = held(make_parking_spot(price_minor=6_000), guest=guest, starts_at=NOW, minutes=60)

    def pays() -> str:
        return paid(booking, card=known.payment_method).status

    with jobs_kept() as jobs:
        assert overtaken(remover(booking), pays) == ("DONE", "CONFIRMED")
    (job,) = [job for job in jobs if job.task == "payments.forget_card"]
    assert not cards.forget_at_processor(**job.arguments)
    assert not Card.objects.exists()
    over = NOW + 60 * MINUTE
    actions.finish_due(now=over)
    work(now=over)
    assert charges(booking) == [("SUCCEEDED", 6_000)]
    # Charged once more, it is listed again, and can be forgotten for good.
    assert remover(booking)() == "DONE"
    assert cards.forget_at_processor(**job.arguments)
