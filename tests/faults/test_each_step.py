"""Each flow of money, cut off once at each of its step boundaries, while the processor misbehaves in each of its ways."""

import os
from collections.abc import Callable
from datetime import timedelta

import pytest

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core import faults
from apps.core.money import Money
from apps.listings.offers import BookingRequest
from apps.payments.models import Charge, Refund
from tests.faults.tally import TOTAL, struck
from tests.faults.test_stories import (
    _empty_processor,  # noqa: F401 - a fixture
    assert_each_customer_was_charged_once,
    assert_nothing_is_left_to_do,
    assert_nothing_is_unpaid_or_lost,
)
from tests.faults.world import MINUTE, World, stripe_fails
from tests.payments.steps import booked

pytestmark = pytest.mark.django_db(transaction=True)

# How requests fail, and how webhooks come in.
TROUBLES: dict[str, tuple[dict[str, float], str]] = {
    "time-outs after success": ({"timeout_after_success": 0.6, "hang_seconds": 0.01}, "never"),
    "500s after success": ({"error_500_after_success": 0.6}, "never"),
    "webhooks twice": ({}, "twice"),
    "webhooks backwards": ({}, "backwards"),
    "webhooks wrongly signed": ({}, "wrongly signed"),
    "webhooks late": ({}, "late"),
    "webhooks lost": ({}, "never"),
    "500s": ({"error_500": 0.6}, "once"),
    "429s": ({"error_429": 0.6}, "once"),
}
FLOWS = ["pay", "end", "refund", "dearer", "cheaper", "cancel"]
# The suite takes three of the steps, and one trouble for each flow; `python -m tests.faults` takes all.
ALL = "FAULT_RUNS" in os.environ
SAMPLE = 3
CROSSED = (
    [(flow, trouble) for flow in FLOWS for trouble in TROUBLES] if ALL else list(zip(FLOWS, TROUBLES, strict=False))
)

Step = Callable[[], object]


def steps_of(world: World, flow: str) -> tuple[int, list[Step]]:
    """The booking, and what is done with it one after the other; each may be cut off and is done once more then."""
    listing = world.listings[-1 if flow == "end" else 0]
    booking = booked(listing, guest=world.guest, now=world.now)
    began = booking.span.start + timedelta(minutes=25)

    def change(nights: int) -> Booking:
        assert booking.check_in is not None
        # From its own first night: while the steps take their minutes, a day may end.
        stay = BookingRequest(check_out=booking.check_in + timedelta(days=nights))
        return actions.change(viewer=world.guest, booking_id=booking.pk, change=stay, now=world.now)

    def refund() -> Charge:
        charge = Charge.objects.get(bill=booking.bill_id)
        return actions.refund(
            viewer=world.staff,
            payment_id=charge.pk,
            amount=Money(500, "EUR"),
            idempotency_key="once and only",
            now=world.now,
        )

    further: dict[str, Step] = {
        "pay": lambda: None,
        "end": lambda: actions.end(viewer=world.guest, booking_id=booking.pk, now=began),
        "refund": refund,
        "dearer": lambda: change(4),
        "cheaper": lambda: change(1),
        "cancel": lambda: actions.cancel(viewer=world.guest, booking_id=booking.pk, now=world.now),
    }
    pay = lambda: actions.pay(  # noqa: E731
        viewer=world.guest, booking_id=booking.pk, payment_method="pm_card_visa", now=world.now
    )
    return booking.pk, [pay, world.work_all, further[flow], world.work_all]


def cut_off(flow: str, trouble: str, at: int | str | None, monkeypatch: pytest.MonkeyPatch, *, seed: int = 0) -> int:
    """Play the flow with one death, at the fault point of this number or at the first of this name.

    Returns how many fault points there were.
    """
    world = World(seed=0, spots=1)
    booking, steps = steps_of(world, flow)
    requests, webhooks = TROUBLES[trouble]
    before = struck()
    met, is_dead = 0, False

    def strike(place: str) -> None:
        nonlocal met, is_dead
        met += 1
        if at in (met - 1, place) and not is_dead:
            is_dead = True
            TOTAL.kills[place] += 1
            raise faults.Killed(place)

    with (
        world.calm(),
        stripe_fails(seed=at if isinstance(at, int) else seed, **requests),
        monkeypatch.context() as patched,
    ):
        patched.setattr(faults, "strike", strike)
        for step in steps:
            was_dead = is_dead
            world.attempt(step)
            if is_dead and not was_dead:
                # Whoever got no answer asks again.
                world.attempt(step)
            for _ in range(2 if requests else 0):
                # Most that is asked for fails: the sweeps ask again, and fail again.
                world.attempt(world.sweep)
                world.attempt(world.work_all)
            if webhooks not in ("late", "never"):
                world.hear_all(webhooks)
                world.attempt(world.work_all)
    if webhooks == "late":
        world.hear_all("once")
    found = world.settle((MINUTE, timedelta(days=90)))
    # The sweeps alone put everything right.
    assert (world.left_to_reconciling, found.healed, found.drift) == (0, [], [])
    assert_each_customer_was_charged_once()
    assert_nothing_is_unpaid_or_lost(Booking.objects.select_related("bill", "listing").get(pk=booking))
    assert_nothing_is_left_to_do()
    # Nobody but us gives anything back here.
    assert not Refund.objects.filter(idempotency_key__startswith="outside-").exists()
    captured = Charge.objects.filter(bill__booking=booking).exclude(receipt_number=None).count()
    wanted = 2 if flow == "dearer" else 1
    # Where the payment was not through at once, the flow may have been refused what came after it.
    assert captured == wanted or ((at is not None or requests) and captured < wanted)
    if at is None and not requests:
        assert Refund.objects.count() == (flow in ("refund", "cheaper", "cancel"))
    TOTAL.runs += 1
    TOTAL.points += met
    TOTAL.healed += len(found.healed)
    TOTAL.stripe += struck() - before
    TOTAL.faults[f"webhooks {webhooks}"] += webhooks != "once"
    return met


@pytest.mark.parametrize(("flow", "trouble"), CROSSED)
def test_a_death_at_any_step_costs_nobody_anything(flow: str, trouble: str, monkeypatch: pytest.MonkeyPatch) -> None:
    points = cut_off(flow, trouble, None, monkeypatch)
    assert points >= 3
    for at in range(0, points, 1 if ALL else max(1, points // SAMPLE)):
        try:
            cut_off(flow, trouble, at, monkeypatch)
        except AssertionError as error:
            raise AssertionError(f"{flow}, {trouble}, cut off at fault point {at}: {error}") from error
