"""Two of the staff do the same thing at once: it is done once, and the other is told."""

from collections import Counter
from collections.abc import Callable

import pytest
from django.utils import timezone

from apps.audit.models import AuditEvent
from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core.money import Money
from apps.notifications.models import Letter
from apps.notifications.sending_again import send_again
from apps.payments.models import Bill, Charge, Refund
from tests.admin.acting import Page
from tests.admin.test_ledgers import client_of
from tests.bookings.life import again, held, ledger, nights, paid
from tests.concurrency.guards import unguarded
from tests.concurrency.test_life_races import outcome
from tests.recipes import make_clerk, make_property, make_staff
from tests.serving import at_once

pytestmark = pytest.mark.django_db(transaction=True)
CLERKS = 32


def stayed() -> Booking:
    now = timezone.now()
    home = make_property()
    return paid(held(home, now=now, **nights(home, 2, now=now)), now=now)


def canceling(booking: Booking) -> Callable[[], str]:
    half = Money(10_000, "EUR")
    return outcome(actions.cancel, now=timezone.now(), viewer=make_staff(), booking_id=booking.pk, amount=half)


def test_of_many_who_cancel_at_once_one_does() -> None:
    booking = stayed()
    answers = Counter(at_once([canceling(booking) for _ in range(CLERKS)]))
    assert answers["WRONG_STATE"] == CLERKS - 1, answers
    assert (again(booking).status, ledger(booking), Refund.objects.count()) == ("CANCELED", (20_000, 20_000, 10_000), 1)
    assert Bill.objects.get(pk=booking.bill_id).kept_minor == 10_000
    assert AuditEvent.objects.filter(kind="BOOKING_CANCELED").count() == 1


def test_twin_without_locks_all_give_the_money_back() -> None:
    booking = stayed()
    unguarded([canceling(booking) for _ in range(2)], without_swap=True)
    assert (Refund.objects.count(), ledger(booking)[2]) == (2, 20_000)


def test_two_who_confirm_at_once_on_their_pages() -> None:
    booking = stayed()
    pages = [Page(client_of(make_clerk("support")), booking, "cancel", back="all") for _ in range(2)]

    def confirming(page: Page) -> Callable[[], bool]:
        # What a page says is read from its text: Django's test client mixes up the contexts of threads.
        def confirm() -> bool:
            answer = page.client.post(page.path, {"token": page.token or ""}, follow=True)
            return "Nothing was done. A booking that is CANCELED cannot be canceled." in answer.content.decode()

        return confirm

    assert Counter(at_once([confirming(page) for page in pages])) == {True: 1, False: 1}
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 20_000), 1)


def test_one_confirmation_that_is_sent_many_times_at_once_counts_once() -> None:
    booking = stayed()
    charge, clerk = Charge.objects.get(bill=booking.bill_id), make_staff()
    give = outcome(
        actions.refund,
        now=timezone.now(),
        viewer=clerk,
        payment_id=charge.pk,
        amount=Money(1_000, "EUR"),
        idempotency_key="the-same-key",
    )
    assert Counter(at_once([give] * 8)) == {"DONE": 8}
    assert (ledger(booking), Refund.objects.count()) == ((20_000, 20_000, 1_000), 1)


def sending(letter: Letter) -> Callable[[], str]:
    return outcome(send_again, now=timezone.now(), viewer=make_staff(), letter_id=letter.pk)


def a_letter() -> Letter:
    booking = stayed()
    Letter.objects.filter(booking=booking).update(sent_at=timezone.now(), next_try_at=None)
    return Letter.objects.get(booking=booking, template="confirmed")


def test_of_many_who_send_a_mail_again_one_does() -> None:
    letter = a_letter()
    answers = Counter(at_once([sending(letter) for _ in range(CLERKS)]))
    assert answers["WRONG_STATE"] == CLERKS - 1, answers
    assert Letter.objects.filter(key__startswith="again:").count() == 1


def test_twin_without_locks_the_database_alone_keeps_the_second_copy_out() -> None:
    """The copies' numbers are the same, and a letter's key is there once: the second is stopped, and not told why."""
    letter = a_letter()
    answers = Counter(unguarded([sending(letter) for _ in range(2)]))
    assert answers["IntegrityError"] == 1, answers
