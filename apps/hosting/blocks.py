"""Periods that a host takes off the market, and puts back."""

from datetime import datetime, timedelta

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.availability import actions as ledger
from apps.availability.models import BY_HOST
from apps.bookings.actions import expire_every_dead_hold, past_dead_holds
from apps.core import idempotency
from apps.core.db import unit_of_work
from apps.core.errors import Collector, Invalid, NotAllowed, OutsideRules
from apps.core.periods import Period
from apps.core.texts import clean_text
from apps.hosting.policies import listing_for_host
from apps.listings.kinds import kind_of
from apps.listings.models import Listing
from apps.users.models import User

# Nobody books so far ahead, or back; a mistyped year is told instead of kept.
FARTHEST = timedelta(days=3660)


@past_dead_holds
@unit_of_work
def block_period(
    *,
    viewer: User,
    listing_id: int | None,
    start: datetime,
    end: datetime,
    reason: str | None = None,
    idempotency_key: str | None = None,
    now: datetime,
) -> Listing:
    """Take all units off the market for [start, end). Blocks may touch and overlap each other.

    Raises NotFound and NotAllowed at `listing_id`, also for a kind that takes place once; Invalid at `end` and
    `reason`; OutsideRules for a period that is over or more than ten years away; Unavailable over a booking; Duplicate at
    `idempotency_key`. Then nothing is blocked.
    """
    key = idempotency.clean_key(idempotency_key)
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id", lock=True)
    if not kind_of(listing).is_blockable:
        raise NotAllowed("This kind of listing has no periods to block.", field="listing_id")
    note = check_block(start=start, end=end, reason=reason, now=now)
    claim: idempotency.Claim | None = None
    if key is not None:
        asked = {"listing": listing.pk, "start": start, "end": end, "reason": note}
        claim = idempotency.claim(caller=f"block:{viewer.pk}", key=key, cleaned_input=asked, now=now)
        if claim.result is not None:
            return listing
    period = Period(start, end)
    expire_every_dead_hold(listing_id=listing.pk, period=period, now=now)
    ledger.block(listing.pk, period, reason=note, source=BY_HOST, now=now)
    if viewer.pk != listing.host_id:
        record(
            AuditKind.PERIOD_BLOCKED,
            now=now,
            actor_id=viewer.pk,
            subject=f"listing:{listing.pk}",
            start=start.isoformat(),
            end=end.isoformat(),
        )
    if claim is not None:
        idempotency.remember(claim, result=listing.pk)
    return listing


def check_block(*, start: datetime, end: datetime, reason: str | None, now: datetime) -> str:
    """The reason, trimmed. Raises InputErrors with what is wrong with the period at any listing."""
    problems = Collector()
    note = ""
    with problems.caught():
        note = clean_text(reason, field="reason", max_length=1000)
    if end <= start:
        problems.add(Invalid("The end comes after the start.", field="end"))
    else:
        problems.require(end > now, OutsideRules("This period is over.", field="end"))
        problems.require(end <= now + FARTHEST, OutsideRules("At most ten years ahead.", field="end"))
        problems.require(start >= now - FARTHEST, OutsideRules("At most ten years back.", field="start"))
    problems.raise_if_any()
    return note


@unit_of_work
def unblock_period(*, viewer: User, listing_id: int | None, start: datetime, end: datetime, now: datetime) -> Listing:
    """Put [start, end) back on the market as far as the host blocked it; a block that sticks out is cut.

    Where nothing is blocked nothing happens. Raises NotFound and NotAllowed at `listing_id`, Invalid at `end`.
    """
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="listing_id", lock=True)
    if end <= start:
        raise Invalid("The end comes after the start.", field="end")
    ledger.unblock(listing.pk, Period(start, end), source=BY_HOST, now=now)
    return listing
