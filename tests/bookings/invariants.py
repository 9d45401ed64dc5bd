"""What is true of bookings, places and money at any moment, whatever happened before."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations

from apps.availability.models import Allocation, Block, Stock, Unit
from apps.bookings.models import Booking
from apps.bookings.states import LIVE, BookingStatus, may_follow
from apps.core.periods import Period
from apps.payments.models import OPEN_STATUSES, Charge, Refund
from apps.payments.selectors import receipt_gaps, unbalanced_bills
from tests.payments.steps import stripe_api

GONE = {"EXPIRED", "CANCELED"}


def places_are_right(listings: Sequence[int]) -> None:
    """No unit is shared, no ticket oversold, and every place taken is one booking's."""
    by_unit = defaultdict(list)
    taken_of: Counter[int] = Counter()
    active = list(Allocation.objects.filter(listing__in=listings, is_active=True))
    for taken in active:
        if taken.unit_id is None:
            taken_of[taken.listing_id] += taken.quantity
        else:
            by_unit[taken.unit_id].append(taken)
    for rows in by_unit.values():
        for left, right in combinations(rows, 2):
            assert left.holder == right.holder or not left.occupied.overlaps(right.occupied)
    for stock in Stock.objects.filter(listing__in=listings):
        assert stock.taken == taken_of[stock.pk] <= stock.capacity
    owners = Counter(
        Booking.objects.filter(listing__in=listings, allocation__is_active=True).values_list("allocation", flat=True)
    )
    assert owners == Counter(row.pk for row in active if row.holder)


def blocks_are_carried_out(listings: Sequence[int]) -> None:
    """What is blocked is blocked on every unit."""
    blocks = list(Block.objects.filter(listing__in=listings))
    for unit in Unit.objects.filter(listing__in=listings) if blocks else ():
        blocked = Allocation.objects.filter(unit=unit, holder=0, is_active=True)
        for row in blocks:
            wanted = Period(row.period.lower, row.period.upper)
            assert row.listing_id != unit.listing_id or any(each.occupied.contains(wanted) for each in blocked)


def bookings_add_up(listings: Sequence[int]) -> None:
    """Lines, place, hold and history of every booking say the same, and so does its money."""
    rows = Booking.objects.filter(listing__in=listings).select_related("bill", "allocation")
    for booking in rows.prefetch_related("lines", "history", "bill__charges__refunds"):
        assert sum(line.amount_minor for line in booking.lines.all()) == booking.bill.total_minor
        if booking.status in LIVE:
            assert booking.allocation.is_active
            assert booking.status != "PENDING" or booking.allocation.occupied.start <= booking.span.start
        elif booking.status in GONE:
            assert not booking.allocation.is_active
        assert (booking.expires_at is not None) == (booking.status == "PENDING")
        _history_is_legal(booking)
        _money_adds_up(booking)
    assert unbalanced_bills() == []
    assert receipt_gaps() == []


def _history_is_legal(booking: Booking) -> None:
    """Told from the beginning, each step is one that the table allows, and the last leads to where it stands."""
    status = BookingStatus.PENDING
    told = list(booking.history.all())
    assert told[0].type == "HELD"
    assert [row.at for row in told] == sorted(row.at for row in told)
    for row in told:
        if row.type in BookingStatus.__members__:
            assert may_follow(status, row.type), (status, row.type)
            status = BookingStatus(row.type)
    assert status == booking.status


def _money_adds_up(booking: Booking) -> None:
    bill = booking.bill
    attempts = list(bill.charges.all())
    captured = [charge for charge in attempts if charge.receipt_number]
    assert sum(charge.amount_minor for charge in captured) == bill.captured_minor
    assert sum(charge.refunded_minor for charge in attempts) == bill.refunded_minor
    for charge in attempts:
        gone = [refund.amount_minor for refund in charge.refunds.all() if refund.status != "FAILED"]
        assert sum(gone) == charge.refunded_minor
        assert charge.refunded_minor <= (charge.amount_minor if charge.receipt_number else 0)
    assert 0 <= bill.paid.minor == bill.captured_minor - bill.refunded_minor
    assert 0 <= bill.settled_minor <= min(bill.total_minor, bill.captured_minor)
    under_way = [charge for charge in attempts if charge.status in OPEN_STATUSES]
    assert len(under_way) <= 1
    # Used or to be used, it is paid, or is being paid, or its payer was refused and knows.
    is_used = booking.status == "COMPLETED" or (booking.status in ("CONFIRMED", "CHECKED_IN") and bill.timing == "NOW")
    was_refused = bool(attempts) and attempts[-1].status in ("FAILED", "CANCELED")
    if is_used and not under_way and not was_refused:
        assert bill.owed.minor == 0


def nobody_owes_unseen(listings: Sequence[int]) -> None:
    """Once the dust has settled: nothing is under way, who was refused is a debtor, and what is gone kept no money unasked."""
    charges = Charge.objects.filter(bill__booking__listing__in=listings)
    assert not charges.filter(status__in=OPEN_STATUSES).exists()
    assert not Refund.objects.filter(charge__in=charges, status="PENDING").exists()
    for booking in Booking.objects.filter(listing__in=listings).select_related("bill"):
        if booking.status == "EXPIRED":
            assert booking.bill.paid.minor == 0


def processor_agrees(listings: Sequence[int]) -> None:
    """The processor has taken from every payer, and given back, what our ledger says."""
    for charge in Charge.objects.filter(bill__booking__listing__in=listings).exclude(intent_id=""):
        intent = stripe_api("GET", f"/v1/payment_intents/{charge.intent_id}")
        refunds = stripe_api("GET", "/v1/refunds", payment_intent=charge.intent_id, limit=100)["data"]
        taken = charge.amount_minor if charge.receipt_number else 0
        assert intent["amount_received"] == taken, charge.status
        assert sum(each["amount"] for each in refunds if each["status"] != "failed") == charge.refunded_minor
