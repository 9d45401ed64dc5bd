"""A machine that does to bookings, in any order, whatever guests, hosts, staff, workers, banks and time do to them."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from apps.availability.actions import block, unblock
from apps.availability.models import Block
from apps.bookings import actions
from apps.bookings.actions.expire import expire_dead_holds
from apps.bookings.models import Booking
from apps.bookings.selectors import lock_listings
from apps.bookings.terms import refundable
from apps.core.errors import DomainError, ErrorCode, InputErrors
from apps.core.money import Money
from apps.core.periods import Period, local_date
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.listings.offers import BookingRequest
from apps.payments.models import CAPTURED_STATUSES, OPEN_STATUSES, Bill, Charge, Refund, WebhookEvent
from tests.bookings import invariants
from tests.bookings.life import authenticate
from tests.payments.steps import stripe_api
from tests.recipes import make_event, make_guest, make_parking_spot, make_property, make_service, make_staff

# What was done and not refused: a machine that is always refused proves nothing.
done: Counter[str] = Counter()
REFUSALS = {
    ErrorCode.UNAVAILABLE,
    ErrorCode.OUTSIDE_RULES,
    ErrorCode.WRONG_STATE,
    ErrorCode.HOLD_EXPIRED,
    ErrorCode.NOT_ALLOWED,
}
CARDS = [
    *["pm_card_visa"] * 2,
    "pm_card_mastercard",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_chargeCustomerFail",
]
EVENTS = ["payment_intent.succeeded", "payment_intent.payment_failed", "charge.refunded", "setup_intent.succeeded"]
PRICE_OF_PARKING = 333
MINUTE = timedelta(minutes=1)


def is_refusal(error: DomainError) -> bool:
    """Whether one may be refused so: it was not the moment for it."""
    every = error.errors if isinstance(error, InputErrors) else [error]
    return all(each.code in REFUSALS for each in every)


class Life(RuleBasedStateMachine):
    bookings = Bundle("bookings")

    @initialize(target=bookings, cards=st.tuples(*[st.sampled_from([None, *CARDS])] * 4), length=st.integers(1, 3))
    def open_shop(self, cards: tuple[str | None, ...], length: int) -> object:
        """A shop of every kind with a booking of each, paid with those cards."""
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.guest, self.staff = make_guest(), make_staff()
        self.listings: list[Listing] = [
            make_property(units=2, cancellation_policy="MODERATE"),
            make_service(staff=2, time_zone="America/New_York", service__buffer_minutes=15),
            make_event(tickets=5, starts_at=self.now + timedelta(days=6)),
            make_parking_spot(price_minor=PRICE_OF_PARKING),
        ]
        self.ids = [listing.pk for listing in self.listings]
        self.events = 0
        made = [self.hold(which, which, length, card) for which, card in enumerate(cards)]
        return multiple(*(pk for pk in made if pk is not None))

    # ------------------------------------------------------------------------------------------------- the guest

    @rule(
        target=bookings,
        which=st.integers(0, 3),
        day=st.integers(0, 4),
        length=st.integers(1, 3),
        card=st.sampled_from([None, *CARDS]),
    )
    def book(self, which: int, day: int, length: int, card: str | None) -> object:
        made = self.hold(which, day, length, card)
        return multiple() if made is None else made

    def hold(self, which: int, day: int, length: int, card: str | None) -> int | None:
        listing = self.listings[which]
        moment = self.now + timedelta(days=day)
        first = local_date(moment, listing.time_zone)
        request = [
            BookingRequest(check_in=first, check_out=first + timedelta(days=length), guests=1),
            BookingRequest(starts_at=self._slot(listing, day, length)),
            BookingRequest(tickets=length),
            BookingRequest(starts_at=moment, minutes=50 * length),
        ][which]
        try:
            booking = actions.hold(
                kind_code=listing.kind, listing_id=listing.pk, listing_field="listing", request=request, guest=self.guest,
                now=self.now,
            )  # fmt: skip
        except DomainError as error:
            assert is_refusal(error), error
            return None
        done["book"] += 1
        if card is not None:
            self.pay(booking.pk, card, is_quick=True)
        return booking.pk

    def _slot(self, listing: Listing, day: int, length: int) -> datetime:
        """One of the first slots of that day, free or not."""
        midnight = datetime.combine((self.now + timedelta(days=day)).date(), time(0), tzinfo=UTC)
        offered = kind_of(listing).offered(listing, Period(midnight, midnight + timedelta(days=1)), now=self.now)
        return offered[0].start + timedelta(minutes=75 * (length - 1)) if offered else midnight

    def pay(self, booking: int, card: str, *, is_quick: bool) -> None:
        def pay() -> None:
            charge = actions.pay(viewer=self.guest, booking_id=booking, payment_method=card, now=self.now)
            if is_quick:
                actions.carry_out_payment(charge_id=charge.pk, now=self.now)

        self.attempt("pay", pay)

    @rule(booking=bookings, card=st.sampled_from(CARDS), is_quick=st.booleans())
    def pay_for(self, booking: int, card: str, is_quick: bool) -> None:
        self.pay(booking, card, is_quick=is_quick)

    @rule(booking=bookings, day=st.integers(1, 4), length=st.integers(1, 4), is_quick=st.booleans())
    def change(self, booking: int, day: int, length: int, is_quick: bool) -> None:
        row = Booking.objects.select_related("listing", "bill").get(pk=booking)
        wanted = [
            BookingRequest(check_out=row.check_in and row.check_in + timedelta(days=length)),
            BookingRequest(starts_at=self._slot(row.listing, day, length)),
            BookingRequest(tickets=length),
            BookingRequest(ends_at=row.span.start + timedelta(minutes=50 * length)),
        ][self.ids.index(row.listing_id)]
        asked: dict[str, Any] = {"viewer": self.guest, "booking_id": booking, "access_token": None, "change": wanted}
        quote = actions.change_quote(**asked, now=self.now)
        if not self.attempt("change", lambda: actions.change(**asked, now=self.now)):
            assert not quote.is_available
            return
        # It was said before what it costs, or what comes back.
        assert quote.total is not None
        after = Bill.objects.get(pk=row.bill_id)
        if row.status == "CONFIRMED" and after.timing == "NOW":
            assert row.bill.paid.minor - after.paid.minor == max(0, -quote.total.minor)
            charged = Charge.objects.filter(bill=after, status="PROCESSING").first()
            assert charged is None or charged.amount_minor == quote.total.minor
        if is_quick:
            self.work_off(row)

    @rule(booking=bookings, by=st.sampled_from(["guest", "host", "staff"]))
    def cancel(self, booking: int, by: str) -> None:
        row = Booking.objects.select_related("listing", "bill").get(pk=booking)
        viewer = {"guest": self.guest, "host": row.listing.host, "staff": self.staff}[by]
        paid = row.bill.paid
        back = refundable(row, now=self.now) if by == "guest" else paid
        if self.attempt(f"cancel by {by}", lambda: actions.cancel(viewer=viewer, booking_id=booking, now=self.now)):
            assert Bill.objects.get(pk=row.bill_id).paid == paid - back

    @rule(booking=bookings, minutes=st.integers(1, 40))
    def park_and_leave(self, booking: int, minutes: int) -> None:
        """Come to what was booked at that time, and leave so many minutes later."""
        row = Booking.objects.select_related("listing").get(pk=booking)
        if row.status in ("CONFIRMED", "CHECKED_IN") and row.span.start >= self.now - timedelta(days=1):
            self.now = max(self.now, row.span.start + minutes * MINUTE)
        used = min(self.now, row.span.end) - row.span.start
        if not self.attempt("end", lambda: actions.end(viewer=self.guest, booking_id=booking, now=self.now)):
            return
        started = max(1, -(-used // MINUTE))
        assert Bill.objects.get(pk=row.bill_id).total_minor == (2 * started * PRICE_OF_PARKING + 60) // 120
        self.work_off(row)

    # ------------------------------------------------------------------------------------------------- the host

    @rule(booking=bookings, is_there=st.booleans())
    def check_in(self, booking: int, is_there: bool) -> None:
        row = Booking.objects.select_related("listing").get(pk=booking)
        if is_there and row.status == "CONFIRMED":
            self.now = max(self.now, row.span.start)
        code = row.ticket_code
        given: dict[str, Any] = {"ticket_code": code} if code else {"booking_id": booking}
        self.attempt(
            "check in",
            lambda: actions.check_in(viewer=row.listing.host, has_id=code is None, **given, now=self.now),
        )

    @rule(booking=bookings)
    def check_out(self, booking: int) -> None:
        host = Booking.objects.select_related("listing").get(pk=booking).listing.host
        self.attempt("check out", lambda: actions.check_out(viewer=host, booking_id=booking, now=self.now))

    @rule(booking=bookings)
    def mark_no_show(self, booking: int) -> None:
        row = Booking.objects.select_related("listing", "bill").get(pk=booking)
        host = row.listing.host
        if self.attempt("no show", lambda: actions.mark_no_show(viewer=host, booking_id=booking, now=self.now)):
            assert Bill.objects.get(pk=row.bill_id).paid == row.bill.paid

    @rule(booking=bookings, share=st.integers(1, 4), is_outside=st.booleans())
    def refund(self, booking: int, share: int, is_outside: bool) -> None:
        """A part or all of a payment goes back: by the host, or in the processor's dashboard."""
        row = Booking.objects.select_related("listing").get(pk=booking)
        charge = Charge.objects.filter(bill=row.bill_id, status__in=CAPTURED_STATUSES).order_by("pk").last()
        left = charge.amount_minor - charge.refunded_minor if charge is not None else 0
        if charge is None or left == 0:
            return
        amount = Money(-(-left * share // 4), "EUR")
        if is_outside:
            # What we gave back ourselves the processor knows of first.
            self.carry_out_refunds()
            stripe_api("POST", "/v1/refunds", payment_intent=charge.intent_id, amount=amount.minor)
            self.tell(charge, "charge.refunded")
            done["refund outside"] += 1
        else:
            given: dict[str, Any] = {"viewer": row.listing.host, "payment_id": charge.pk, "amount": amount}
            assert self.attempt("refund", lambda: actions.refund(**given, now=self.now))
        assert Charge.objects.get(pk=charge.pk).refunded_minor == charge.refunded_minor + amount.minor

    # --------------------------------------------------------------------------------- banks, workers and time

    @rule(booking=bookings, outcome=st.sampled_from(["success", "success", "failure"]), is_told=st.booleans())
    def answer_the_bank(self, booking: int, outcome: str, is_told: bool) -> None:
        bill = Booking.objects.get(pk=booking).bill_id
        for charge in Charge.objects.filter(bill=bill, status="REQUIRES_ACTION"):
            authenticate(charge, outcome)
            done[f"authentication {outcome}"] += 1
            if is_told:
                self.tell(charge, "payment_intent.succeeded")

    @rule(booking=bookings)
    def confirm_again(self, booking: int) -> None:
        """The payer tries a declined payment once more with another card, past us."""
        charge = Charge.objects.filter(bill=Booking.objects.get(pk=booking).bill_id, status="FAILED").last()
        if charge is None or not charge.intent_id:
            return
        intent = stripe_api("GET", f"/v1/payment_intents/{charge.intent_id}")
        if intent["status"] == "requires_payment_method":
            path = f"/v1/payment_intents/{charge.intent_id}/confirm"
            stripe_api("POST", path, payment_method="pm_card_visa", return_url="https://shop.example/")
            self.tell(charge, "payment_intent.succeeded")
            done["confirmed again"] += 1

    @rule(booking=bookings, kind=st.sampled_from(EVENTS), times=st.integers(1, 2))
    def hear(self, booking: int, kind: str, times: int) -> None:
        """A webhook comes, late, twice, or of something that was never so."""
        charge = Charge.objects.filter(bill=Booking.objects.get(pk=booking).bill_id).order_by("pk").first()
        for _ in range(times if charge else 0):
            assert charge is not None
            self.tell(charge, kind)

    def tell(self, charge: Charge, kind: str) -> None:
        is_setup = kind.startswith("setup_intent.")
        name = charge.setup_intent_id if is_setup else charge.intent_id
        if not name:
            return
        self.events += 1
        event = WebhookEvent.objects.create(
            event_id=f"evt_{self.events}_{charge.pk}", type=kind, object_id=name, intent_id=charge.intent_id,
            received_at=self.now,
        )  # fmt: skip
        actions.handle_event(event_id=event.event_id, now=self.now)

    @rule()
    def work(self) -> None:
        for booking in Booking.objects.filter(listing__in=self.ids):
            self.work_off(booking)
        self.carry_out_refunds()

    def work_off(self, booking: Booking) -> None:
        for charge in Charge.objects.filter(bill=booking.bill_id, status__in=OPEN_STATUSES):
            actions.carry_out_payment(charge_id=charge.pk, now=self.now)

    def carry_out_refunds(self) -> None:
        for refund in Refund.objects.filter(status="PENDING", charge__bill__booking__listing__in=self.ids):
            actions.carry_out_refund(refund_id=refund.pk)

    @rule(seconds=st.sampled_from([1, 60, 900, 86_400, 3 * 86_400]))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def sweep(self) -> None:
        actions.expire_holds(now=self.now)
        actions.complete_ended(now=self.now)
        actions.finish_due(now=self.now)
        done["debts asked for"] += actions.collect_debts(now=self.now)

    def attempt(self, name: str, action: Callable[[], object]) -> bool:
        """Whether it was done; otherwise it was refused with a code that one may be refused with."""
        try:
            action()
        except DomainError as error:
            assert is_refusal(error), error
            return False
        done[name] += 1
        return True

    # ------------------------------------------------------------------------------------------------- blocks

    @rule(which=st.sampled_from([0, 1, 3]), day=st.integers(1, 4), hours=st.integers(1, 40))
    def block_period(self, which: int, day: int, hours: int) -> None:
        period = Period(self.now + timedelta(days=day), self.now + timedelta(days=day, hours=hours))
        before = Block.objects.filter(listing=self.ids[which]).count()
        try:
            with transaction.atomic():
                lock_listings([self.ids[which]])
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

    # ------------------------------------------------------------------------------------------------- always

    @invariant()
    def everything_adds_up(self) -> None:
        invariants.places_are_right(self.ids)
        invariants.blocks_are_carried_out(self.ids)
        invariants.bookings_add_up(self.ids)

    def teardown(self) -> None:
        """The dust settles: everybody did their part, everything is over, and both ledgers say the same."""
        if not hasattr(self, "ids"):
            return
        for days in (0, 1, 40, *[8] * 3):
            self.now += timedelta(days=days)
            self.work()
            self.sweep()
        for charge in Charge.objects.filter(bill__booking__listing__in=self.ids, status="CANCELED"):
            actions.cancel_intent(charge_id=charge.pk, now=self.now)
        self.work()
        invariants.places_are_right(self.ids)
        invariants.bookings_add_up(self.ids)
        invariants.nobody_owes_unseen(self.ids)
        invariants.processor_agrees(self.ids)
