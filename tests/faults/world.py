"""The world in which the stories happen: a guest, a host, a worker and a broker that die, and Stripe with its faults."""

import json
import os
import random
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.conf import settings
from django.db.models import F

from apps.bookings import actions
from apps.bookings.models import Booking
from apps.core import faults, outbox
from apps.core.errors import DomainError
from apps.core.money import Money
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments import gateway, tasks
from apps.payments.models import CAPTURED_STATUSES, Charge, ChargeStatus, Refund, RefundStatus
from tests.payments.steps import booked, deliver, stripe_api
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_staff

CARDS = [
    *["pm_card_visa"] * 5,
    "pm_card_mastercard",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_authenticationRequired",
    "pm_card_chargeCustomerFail",
]
REQUESTS = {
    "timeout_after_success": 0.15,
    "hang_seconds": 0.01,
    "error_500": 0.05,
    "error_500_after_success": 0.05,
    "error_429": 0.05,
}
# How probable it is to die at a fault point; more so between the steps of asking for money.
DEATH, DEATH_WITH_MONEY = 0.03, 0.12
MONEY = ("charge.", "refund.", "settle.")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Until holds have run out, everything is over and every retry was made.
LONG = (MINUTE, HOUR, timedelta(days=30), timedelta(days=60), *[timedelta(days=8)] * 4)


class World:
    """One batch of stories. Everything that happens is drawn from `seed`."""

    def __init__(self, seed: int, *, spots: int = 6) -> None:
        self.random = random.Random(seed)
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.start = self.now
        self.guest, self.staff = make_guest(), make_staff()
        policy = {"cancellation_policy": "FLEXIBLE"}
        self.listings: list[Listing] = [
            make_property(units=30, price_minor=1_001, **policy),
            make_event(tickets=500, price_minor=777, starts_at=self.now + timedelta(days=20), **policy),
            *[make_parking_spot(price_minor=333, **policy) for _ in range(spots)],
        ]
        self.bookings: list[int] = []
        self.broker: list[tuple[str, dict[str, Any]]] = []
        self.delivered: set[str] = set()
        self.met: Counter[str] = Counter()
        self.kills: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        # Payments and refunds that the sweeps had not brought to an end.
        self.left_to_reconciling = 0

    # ------------------------------------------------------------------------------------------------- the faults

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Within the block processes die, Stripe fails and the broker is not always there."""
        reads = self.random.random() < 0.3
        with (
            stripe_fails(seed=self.random.randrange(2**31), reads=reads, **REQUESTS),
            patch.object(faults, "strike", self._strike),
            patch.object(outbox, "current_app", self),
        ):
            yield

    @contextmanager
    def calm(self) -> Iterator[None]:
        """Within the block the broker is this world's, and reliable."""
        with patch.object(outbox, "current_app", _Reliable(self.broker)):
            yield

    def work_all(self) -> None:
        """The worker carries out every job; one that it dies over, or whose answer is lost, stays for the sweeps."""
        while self.broker:
            with suppress(gateway.AnswerLost):
                self.carry_out(*self.broker.pop(0))

    def _strike(self, place: str) -> None:
        self.met[place] += 1
        if self.random.random() < (DEATH_WITH_MONEY if place.startswith(MONEY) else DEATH):
            self.kills[place] += 1
            raise faults.Killed(place)

    def send_task(self, name: str, *, kwargs: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        """The broker: away, forgetful, or delivering twice now and then."""
        fate = self.random.random()
        if fate < 0.05:
            self.faults["broker away"] += 1
            raise OSError("the broker is away")
        if fate < 0.08:
            self.faults["broker flushed"] += 1
            return
        self.broker.extend([(name, kwargs)] * (2 if fate > 0.9 else 1))

    def attempt(self, call: Callable[[], object]) -> None:
        """What a process does: it may be refused, get no answer, or die on the way."""
        with suppress(DomainError, faults.Killed):
            try:
                call()
            except gateway.GatewayUnavailable:
                self.faults["no answer"] += 1

    # -------------------------------------------------------------------------------------------------- the people

    def tell(self, stories: int) -> None:
        """That many bookings come into the world, and everything that may happen to them happens."""
        happenings: list[tuple[Callable[[], None], int]] = [
            (self.pay, 8), (self.work, 12), (self.hear, 3), (self.authenticate, 2), (self.change, 4), (self.end, 2),
            (self.cancel, 1), (self.refund, 2), (self.refund_outside, 1), (self.sweep, 2), (self.wait, 2),
        ]  # fmt: skip
        choices, weights = [each for each, _ in happenings], [weight for _, weight in happenings]
        with self.trouble():
            for _ in range(stories):
                self.book()
                for happening in self.random.choices(choices, weights, k=18):
                    happening()

    def book(self) -> None:
        listing = self.random.choice(self.listings)
        guest = None if self.random.random() < 0.25 else self.guest
        kept: list[Booking] = []
        days = self.random.randint(5, 60)
        self.attempt(lambda: kept.append(booked(listing, guest=guest, now=self.now, days=days)))
        self.bookings.extend(booking.pk for booking in kept)

    def guest_of(self, booking_id: int) -> dict[str, Any]:
        """Who books with an account and who does it with the booking's secret alone."""
        booking = Booking.objects.filter(pk=booking_id).first()
        if booking is None or not booking.is_anonymous:
            return {"viewer": self.guest}
        return {"viewer": None, "access_token": booking.access_token}

    def any_booking(self) -> int:
        """One of the latest, so that stories become long."""
        return self.random.choice(self.bookings[-4:]) if self.bookings else 0

    def pay(self) -> None:
        card = self.random.choice(CARDS)
        unpaid = Booking.objects.filter(pk__in=self.bookings[-4:], bill__settled_minor__lt=F("bill__total_minor"))
        booking = self.random.choice([*unpaid.exclude(status="EXPIRED").values_list("pk", flat=True), 0])
        who = self.guest_of(booking)
        self.attempt(lambda: actions.pay(booking_id=booking, payment_method=card, now=self.now, **who))

    def change(self) -> None:
        booking = Booking.objects.select_related("listing").filter(pk=self.any_booking()).first()
        if booking is None:
            return
        if booking.check_in is not None and booking.check_out is not None:
            nights = timedelta(days=self.random.randint(1, 5))
            request = BookingRequest(check_in=booking.check_in, check_out=booking.check_in + nights)
        elif booking.tickets is not None:
            request = BookingRequest(tickets=self.random.randint(1, 5))
        else:
            request = BookingRequest(minutes=self.random.randint(10, 90))
        who = self.guest_of(booking.pk)
        self.attempt(lambda: actions.change(booking_id=booking.pk, change=request, now=self.now, **who))

    def end(self) -> None:
        booking = Booking.objects.filter(pk=self.any_booking(), bill__timing="AT_END", status="CONFIRMED").first()
        if booking is not None:
            moment = max(self.now, booking.span.start + timedelta(minutes=self.random.randint(1, 80)))
            # The clock goes there, and never back: what was asked then is not younger than what comes after it.
            self.pass_time(moment - self.now)
            self.attempt(lambda: actions.end(booking_id=booking.pk, now=self.now, **self.guest_of(booking.pk)))

    def cancel(self) -> None:
        booking = self.any_booking()
        who = self.guest_of(booking) if self.random.random() < 0.7 else {"viewer": self.staff}
        self.attempt(lambda: actions.cancel(booking_id=booking, now=self.now, **who))

    def refund(self) -> None:
        captured = Charge.objects.filter(bill__booking=self.any_booking(), status__in=CAPTURED_STATUSES)
        charges = list(captured.order_by("pk"))
        if not charges:
            return
        charge = self.random.choice(charges)
        part = Money(self.random.randint(1, charge.amount_minor), charge.currency)
        self.attempt(lambda: actions.refund(viewer=self.staff, payment_id=charge.pk, amount=part, now=self.now))

    def refund_outside(self) -> None:
        """Somebody gives money back in Stripe's own dashboard."""
        charge = Charge.objects.filter(bill__booking=self.any_booking(), status="SUCCEEDED").first()
        if charge is not None:
            part = self.random.randint(1, charge.amount_minor)
            # It may be made although the answer is an error or never comes.
            self.faults["refund outside"] += 1
            with suppress(OSError):
                stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=part)

    def authenticate(self) -> None:
        """The payer does what the bank asks for, or fails to."""
        outcome = "success" if self.random.random() < 0.8 else "failure"
        for charge in Charge.objects.filter(bill__booking__in=self.bookings[-4:], status="REQUIRES_ACTION"):
            with suppress(urllib.error.URLError):
                urllib.request.urlopen(f"{charge.next_action_url}?outcome={outcome}", timeout=300).close()

    # ------------------------------------------------------------------------------------------------ the machines

    def work(self) -> None:
        """A worker takes some jobs. One that dies or gets no answer may find its job in the broker again."""
        for _ in range(min(len(self.broker), 2)):
            self.work_once()

    def work_once(self) -> None:
        name, arguments = self.broker.pop(self.random.randrange(len(self.broker)))
        before = self.kills.total() + self.faults.total()
        self.attempt(lambda: self.carry_out(name, arguments))
        if self.kills.total() + self.faults.total() > before and self.random.random() < 0.7:
            self.broker.append((name, arguments))

    def carry_out(self, name: str, arguments: dict[str, Any]) -> None:
        match name:
            case "bookings.carry_out_payment":
                actions.carry_out_payment(**arguments, now=self.now)
            case "bookings.carry_out_refund":
                actions.carry_out_refund(**arguments)
            case "bookings.cancel_intent":
                actions.cancel_intent(**arguments, now=self.now)
            case "bookings.handle_event":
                actions.handle_event(**arguments, now=self.now)
            case "payments.forget_card":
                tasks.forget_card(**arguments)

    def hear(self) -> None:
        """Stripe's webhooks come in: late, in any order, twice, wrongly signed, or never."""
        told: list[Any] = []
        with suppress(OSError):
            listed = stripe_api("GET", "/v1/events", limit=40)["data"]
            told = [event for event in listed if event["id"] not in self.delivered]
        self.random.shuffle(told)
        for event in told[: self.random.randint(0, 12)]:
            fate = self.random.random()
            self.delivered.add(event["id"])
            if fate < 0.25:
                self.faults["webhook lost"] += 1
            elif fate < 0.3:
                assert deliver(event, secret="whsec_wrong").status_code == 400
                self.faults["webhook with a wrong signature"] += 1
            else:
                for _ in range(1 + (fate > 0.85)):
                    # A web process that dies answers nothing: Stripe will come again.
                    with suppress(faults.Killed):
                        deliver(event)

    def hear_all(self, how: str) -> None:
        """Every webhook so far comes in: "once", "twice", "backwards", or "wrongly signed" before it is sent again."""
        told = [
            event for event in stripe_api("GET", "/v1/events", limit=100)["data"] if event["id"] not in self.delivered
        ]
        self.delivered |= {event["id"] for event in told}
        for event in told if how == "backwards" else reversed(told):
            if how == "wrongly signed":
                assert deliver(event, secret="whsec_wrong").status_code == 400
            for _ in range(2 if how == "twice" else 1):
                self.attempt(lambda event=event: deliver(event))  # type: ignore[misc]

    def sweep(self) -> None:
        real = max(self.now, datetime.now(UTC)) + MINUTE
        sweeps: list[Callable[[], object]] = [
            lambda: outbox.send_waiting(now=real),
            lambda: actions.expire_holds(now=self.now),
            lambda: actions.complete_ended(now=self.now),
            lambda: actions.finish_due(now=self.now),
            lambda: actions.resume_payments(now=real),
            lambda: actions.resume_cancelations(now=real),
            lambda: actions.resume_refunds(now=real),
            lambda: actions.resume_events(now=real),
            lambda: actions.collect_debts(now=self.now),
        ]
        self.random.shuffle(sweeps)
        for each in sweeps:
            self.attempt(each)

    def wait(self) -> None:
        self.pass_time(self.random.choice([*[timedelta(seconds=5)] * 8, *[MINUTE, 5 * MINUTE, 20 * MINUTE] * 2, DAY]))

    def pass_time(self, span: timedelta) -> None:
        """Time goes by; after a day Stripe has forgotten every idempotency key."""
        self.now += span
        if span >= DAY:
            stripe_api("DELETE", "/_config/answers")
            self.faults["keys forgotten"] += 1

    # ----------------------------------------------------------------------------------------------- the dust settles

    def settle(self, steps: Sequence[timedelta] = LONG) -> actions.Reconciliation:
        """Nothing goes wrong any more, and time passes until everything is over. What reconciling then finds."""
        with patch.object(outbox, "current_app", _Reliable(self.broker)):
            for step in steps:
                self.pass_time(step)
                for _ in range(2):
                    self.sweep()
                    self.work_all()
            self.left_to_reconciling = (
                Charge.objects.filter(status=ChargeStatus.PROCESSING).count()
                + Refund.objects.filter(status=RefundStatus.PENDING).count()
            )
            first = actions.reconcile(since=self.start - HOUR, now=self.now)
            self.work_all()
            second = actions.reconcile(since=self.start - HOUR, now=self.now)
        assert second.healed == [], "healed twice"
        return first


class _Reliable:
    """A broker without faults."""

    def __init__(self, broker: list[tuple[str, dict[str, Any]]]) -> None:
        self._broker = broker

    def send_task(self, name: str, *, kwargs: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._broker.append((name, kwargs))


@contextmanager
def stripe_fails(*, seed: int | None = None, **requests: float | bool) -> Iterator[None]:
    """Within the block Stripe fails so often, each time in the same places with the same seed."""
    body = json.dumps({"requests": requests, "seed": seed}).encode()
    headers = {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY}", "Content-Type": "application/json"}
    url = f"{os.environ['STRIPE_API_BASE']}/_config/faults"
    urllib.request.urlopen(urllib.request.Request(url, body, headers, method="POST"), timeout=300).close()
    try:
        yield
    finally:
        stripe_api("DELETE", "/_config/faults")
