"""Endpoints, events and a clock for tests of webhooks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from apps.core.db import unit_of_work
from apps.integrations.actions import create_endpoint
from apps.integrations.models import EventType, WebhookDelivery, WebhookEndpoint
from apps.integrations.recording import announce
from apps.integrations.sender import send_due
from apps.listings.models import Listing
from apps.users.models import User

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ALL = [each for each in EventType if each != EventType.WEBHOOK_TEST]


def listen(
    owner: User, url: str, types: Sequence[EventType] = ALL, *, now: datetime = NOW
) -> tuple[WebhookEndpoint, str]:
    """An endpoint of the account, and its secret."""
    return create_endpoint(viewer=owner, url=url, types=types, description="", now=now)


def happen(
    listing: Listing, number: int = 0, *, type_: EventType = EventType.LISTING_UPDATED, now: datetime = NOW
) -> None:
    """Something happens to the listing, in a transaction of its own."""
    unit_of_work(announce)(
        type_, listing_id=listing.pk, topic=f"listing:{listing.pk}", data=lambda: {"number": number}, now=now
    )


def send(now: datetime = NOW, *, seconds: float = 10.0) -> int:
    """What the worker does at that moment."""
    return send_due(clock=lambda: now, seconds=seconds)


def send_until(end: datetime, *, start: datetime = NOW, seconds: float = 10.0) -> list[datetime]:
    """Let the worker come by whenever something is due, until then. Returns when something was sent."""
    moments = []
    now = start
    while now <= end:
        if send(now, seconds=seconds):
            moments.append(now)
        waiting = WebhookDelivery.objects.filter(status="PENDING").order_by("next_try_at").first()
        if waiting is None or waiting.next_try_at is None:
            break
        paused = [moment for moment in WebhookEndpoint.objects.values_list("paused_until", flat=True) if moment]
        now = max([now + timedelta(seconds=1), waiting.next_try_at, *paused])
    return moments
