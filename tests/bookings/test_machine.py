"""A machine that holds, pays, changes, cancels, ends, refunds, blocks and lets time pass in any order, on all kinds, and
checks the ledgers after each step."""

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from itertools import combinations

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from apps.availability.actions import block, unblock
from apps.availability.models import Allocation, Block, Stock, Unit
from apps.bookings import actions
from apps.bookings.actions import (
    carry_out_payment,
    complete_ended,
    expire_dead_holds,
    expire_holds,
    finish_due,
    hold,
    pay,
)
from apps.bookings.models import Booking
from apps.core.errors import DomainError, ErrorCode
from apps.core.money import Money
from apps.core.periods import Period, local_date
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.models import OPEN_STATUSES, Charge
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_service

# What was done and not refused: a machine that is always refused proves nothing.
done: Counter[str] = Counter()
REFUSALS = {ErrorCode.UNAVAILABLE, ErrorCode.OUTSIDE_RULES, ErrorCode.WRONG_STATE, ErrorCode.HOLD_EXPIRED}
CARDS = [
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
]


class Life(RuleBasedStateMachine):
    bookings = Bundle("bookings")
    charges = Bundle("charges")

    @initialize()
    def open_shop(self) -> None:
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.guest = make_guest()
        self.listings: list[Listing] = [
            make_property(units=2),
            make_service(staff=2, time_zone="America/New_York", service__buffer_minutes=15),
            make_event(tickets=5),
            make_parking_spot(price_minor=333),
        ]

    @property
    def ids(self) -> list[int]:
        return [listing.pk for listing in self.listings]

    @rule(
        target=bookings,
        which=st.integers(0, 3),
        day=st.integers(1, 4),
        length=st.integers(1, 3),
        is_declined_first=st.booleans(),
    )
    def book_and_pay(self, which: int, day: int, length: int, is_declined_first: bool) -> object:
        booking = self.book_one(which, day, length)
        if isinstance(booking, int):
            if is_declined_first:
                self.pay_now(booking, "pm_card_chargeDeclined")
            self.pay_now(booking, "pm_card_visa")
        return booking

    @rule(target=bookings, which=st.integers(0, 3), day=st.integers(1, 4), length=st.integers(1, 3))
    def book(self, which: int, day: int, length: int) -> object:
        return self.book_one(which, day, length)

    def pay_now(self, booking: int, card: str) -> None:
        charge = pay(viewer=self.guest, booking_id=booking, payment_method=card, now=self.now)
        carry_out_payment(charge_id=charge.pk, now=self.now)

    def book_one(self, which: int, day: int, length: int) -> object:
        listing = self.listings[which]
        moment = self.now + timedelta(days=day)
        first = local_date(moment, listing.time_zone)
        at_noon = datetime.combine(moment.date(), time(12), tzinfo=UTC)
        request = [
            BookingRequest(check_in=first, check_out=first + timedelta(days=length), guests=1),
            BookingRequest(starts_at=self._slot(listing, day, length)),
            BookingRequest(tickets=length),
            BookingRequest(starts_at=at_noon, minutes=50 * length),
        ][which]
        try:
            booking = hold(
                kind_code=listing.kind, listing_id=listing.pk, listing_field="listing", request=request, guest=self.guest,
                now=self.now,
            )  # fmt: skip
        except DomainError as error:
            assert error.code in REFUSALS, error
            return multiple()
        return booking.pk

    def _slot(self, listing: Listing, day: int, length: int) -> datetime:
        """One of the first slots of that day, free or not."""
        midnight = datetime.combine((self.now + timedelta(days=day)).date(), time(0), tzinfo=UTC)
        offered = kind_of(listing).offered(listing, Period(midnight, midnight + timedelta(days=1)), now=self.now)
        return offered[0].start + timedelta(minutes=75 * (length - 1)) if offered else midnight

    @rule(target=charges, booking=bookings, card=st.sampled_from(CARDS), is_quick=st.booleans())
    def start_payment(self, booking: int, card: str, is_quick: bool) -> object:
        try:
            charge = pay(viewer=self.guest, booking_id=booking, payment_method=card, now=self.now).pk
            if is_quick:
                carry_out_payment(charge_id=charge, now=self.now)
            return charge
        except DomainError as error:
            assert error.code in REFUSALS, error
            return multiple()

    def try_to(self, name: str, action: Callable[[], object]) -> None:
        try:
            action()
        except DomainError as error:
            assert error.code in REFUSALS | {ErrorCode.NOT_ALLOWED}, error
        else:
            done[name] += 1

    @rule(booking=bookings, is_host=st.booleans())
    def cancel(self, booking: int, is_host: bool) -> None:
        viewer = Booking.objects.get(pk=booking).listing.host if is_host else self.guest
        self.try_to("cancel", lambda: actions.cancel(viewer=viewer, booking_id=booking, now=self.now))

    @rule(booking=bookings, day=st.integers(1, 4), length=st.integers(1, 4), is_quick=st.booleans())
    def change(self, booking: int, day: int, length: int, is_quick: bool) -> None:
        row = Booking.objects.select_related("listing").get(pk=booking)
        wanted = [
            BookingRequest(check_out=row.check_in and row.check_in + timedelta(days=length)),
            BookingRequest(starts_at=self._slot(row.listing, day, length)),
            BookingRequest(tickets=length),
            BookingRequest(ends_at=row.span.start + timedelta(minutes=50 * length)),
        ][self.ids.index(row.listing_id)]
        self.try_to(
            "change",
            lambda: actions.change(viewer=self.guest, booking_id=booking, change=wanted, now=self.now),
        )
        if is_quick:
            self.work_off(row)

    @rule(booking=bookings, is_quick=st.booleans())
    def end(self, booking: int, is_quick: bool) -> None:
        self.try_to("end", lambda: actions.end(viewer=self.guest, booking_id=booking, now=self.now))
        if is_quick:
            self.work_off(Booking.objects.get(pk=booking))

    @rule(minutes=st.integers(1, 40))
    def park_and_leave(self, minutes: int) -> None:
        booking = Booking.objects.filter(listing=self.ids[3], status="CONFIRMED").order_by("-pk").first()
        if booking is None:
            return
        self.now = max(self.now, booking.span.start + timedelta(minutes=minutes))
        self.try_to("end", lambda: actions.end(viewer=self.guest, booking_id=booking.pk, now=self.now))
        self.work_off(booking)

    @rule(booking=bookings, minor=st.sampled_from([1, 333, 5_000, 10_000]))
    def refund(self, booking: int, minor: int) -> None:
        row = Booking.objects.select_related("listing").get(pk=booking)
        charge = Charge.objects.filter(bill=row.bill_id).exclude(receipt_number=None).order_by("pk").last()
        if charge is None or charge.refunded_minor == charge.amount_minor:
            return
        amount = Money(min(minor, charge.amount_minor - charge.refunded_minor), "EUR")
        self.try_to(
            "refund",
            lambda: actions.refund(viewer=row.listing.host, payment_id=charge.pk, amount=amount, now=self.now),
        )

    def work_off(self, booking: Booking) -> None:
        for charge in Charge.objects.filter(bill=booking.bill_id, status="PROCESSING"):
            carry_out_payment(charge_id=charge.pk, now=self.now)

    @rule(charge=charges)
    def work(self, charge: int) -> None:
        carry_out_payment(charge_id=charge, now=self.now)

    @rule(seconds=st.sampled_from([1, 60, 900, 86_400, 6 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        expire_holds(now=self.now)
        complete_ended(now=self.now)
        finish_due(now=self.now)

    @rule(which=st.sampled_from([0, 1, 3]), day=st.integers(1, 4), hours=st.integers(1, 40))
    def block_period(self, which: int, day: int, hours: int) -> None:
        period = Period(self.now + timedelta(days=day), self.now + timedelta(days=day, hours=hours))
        before = Block.objects.filter(listing=self.ids[which]).count()
        try:
            with transaction.atomic():
                expire_dead_holds(listing_id=self.ids[which], period=period, now=self.now)
                block(self.ids[which], period, reason="", source="HOST", now=self.now)
        except DomainError as error:
            assert error.code is ErrorCode.UNAVAILABLE
            assert Block.objects.filter(listing=self.ids[which]).count() == before

    @rule(which=st.sampled_from([0, 1, 3]), day=st.integers(0, 4), hours=st.integers(1, 40))
    def unblock_period(self, which: int, day: int, hours: int) -> None:
        period = Period(self.now + timedelta(days=day), self.now + timedelta(days=day, hours=hours))
        with transaction.atomic():
            unblock(self.ids[which], period, source="HOST", now=self.now)

    @invariant()
    def no_two_holders_share_a_unit(self) -> None:
        by_unit = defaultdict(list)
        for taken in Allocation.objects.filter(listing__in=self.ids, is_active=True, unit__isnull=False):
            by_unit[taken.unit_id].append(taken)
        for rows in by_unit.values():
            for left, right in combinations(rows, 2):
                assert left.holder == right.holder or not left.occupied.overlaps(right.occupied)

    @invariant()
    def tickets_are_counted_right(self) -> None:
        for stock in Stock.objects.filter(listing__in=self.ids):
            taken = sum(Allocation.objects.filter(listing=stock.pk, is_active=True).values_list("quantity", flat=True))
            assert stock.taken == taken <= stock.capacity

    @invariant()
    def every_booking_adds_up(self) -> None:
        rows = (
            Booking.objects.filter(listing__in=self.ids).select_related("bill", "allocation").prefetch_related("lines")
        )
        for booking in rows:
            assert sum(line.amount_minor for line in booking.lines.all()) == booking.bill.total_minor
            assert booking.allocation.is_active == (booking.status not in ("EXPIRED", "CANCELED"))
            assert (booking.expires_at is not None) == (booking.status == "PENDING")
            self.money_adds_up(booking)

    def money_adds_up(self, booking: Booking) -> None:
        bill = booking.bill
        attempts = list(Charge.objects.filter(bill=bill).prefetch_related("refunds"))
        captured = [charge for charge in attempts if charge.receipt_number]
        assert sum(charge.amount_minor for charge in captured) == bill.captured_minor
        assert sum(charge.refunded_minor for charge in attempts) == bill.refunded_minor
        for charge in attempts:
            assert sum(refund.amount_minor for refund in charge.refunds.all()) == charge.refunded_minor
            assert charge.refunded_minor <= (charge.amount_minor if charge.receipt_number else 0)
        assert 0 <= bill.paid.minor == bill.captured_minor - bill.refunded_minor
        assert 0 <= bill.settled_minor <= min(bill.total_minor, bill.captured_minor)
        under_way = [charge for charge in attempts if charge.status in OPEN_STATUSES]
        assert len(under_way) <= 1
        is_charged = booking.status == "COMPLETED" or (booking.status == "CONFIRMED" and bill.timing == "NOW")
        if is_charged and not under_way:
            assert bill.owed.minor == 0

    @invariant()
    def blocks_are_carried_out_on_every_unit(self) -> None:
        for unit in Unit.objects.filter(listing__in=self.ids):
            blocked = Allocation.objects.filter(unit=unit, holder=0, is_active=True)
            for row in Block.objects.filter(listing=unit.listing_id):
                wanted = Period(row.period.lower, row.period.upper)
                assert any(each.occupied.contains(wanted) for each in blocked)


@pytest.mark.django_db(transaction=True)
def test_no_order_of_steps_breaks_the_ledgers() -> None:
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=10,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
    # The machine went through the whole life, or it would have proved nothing.
    reached = set(Booking.objects.values_list("status", flat=True))
    assert reached >= {"PENDING", "CONFIRMED", "EXPIRED", "COMPLETED", "CANCELED"}
    assert set(Charge.objects.values_list("status", flat=True)) >= {"SUCCEEDED", "AUTHORIZED", "FAILED"}
    assert Charge.objects.filter(refunded_minor__gt=0).exists()
    assert set(done) == {"cancel", "change", "end", "refund"}
    assert Block.objects.exists()
