"""No order of steps breaks the ledgers: the machine, run. MACHINE_EXAMPLES=500 runs that many lives, each time others."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from apps.bookings.models import Booking
from apps.payments.models import Charge
from tests.bookings.machine import Life, done

EXAMPLES = int(os.environ.get("MACHINE_EXAMPLES", "0"))
DEEDS = {
    "book",
    "pay",
    "change",
    "cancel by guest",
    "cancel by host",
    "cancel by staff",
    "end",
    "check in",
    "check out",
    "no show",
    "refund",
    "refund outside",
    "authentication success",
    "authentication failure",
    "confirmed again",
    "debts asked for",
}


@pytest.mark.django_db(transaction=True)
def test_no_order_of_steps_breaks_the_ledgers() -> None:
    done.clear()
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=EXAMPLES or 8,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=not EXAMPLES,
            # A life that fails is told as it was: making it shorter takes minutes.
            phases=[Phase.generate],
            print_blob=True,
        ),
    )
    # The machine went through the whole life, or it would have proved nothing.
    assert set(Booking.objects.values_list("status", flat=True)) >= {"COMPLETED", "EXPIRED", "CANCELED"}
    assert set(Charge.objects.values_list("status", flat=True)) >= {"SUCCEEDED", "FAILED"}
    assert Charge.objects.filter(refunded_minor__gt=0).exists()
    assert len(DEEDS & {name for name, count in done.items() if count}) >= (len(DEEDS) if EXAMPLES >= 100 else 10), done
