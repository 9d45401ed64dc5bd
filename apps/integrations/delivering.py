"""Deliveries on their way: claimed endpoint by endpoint, sent with no transaction open, tried again with growing pauses.

What is promised: each event that an endpoint wants is sent to it at least once, until it is taken or three days are over. An
endpoint is sent one message at a time, the oldest that is due first, so events of a booking arrive in their order unless one
has to be tried again. Many endpoints are sent to at once, so one that is slow keeps nobody else waiting.
"""

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction

from apps.core.errors import AccountClosed
from apps.core.faults import fault_point
from apps.core.fetching import Answer, NotFetched, post
from apps.integrations.failing import disable, give_up, note_failure
from apps.integrations.models import (
    DeliveryStatus,
    DisabledReason,
    WebhookAttempt,
    WebhookDelivery,
    WebhookEndpoint,
)
from apps.integrations.payloads import body_of, encoded
from apps.integrations.signing import secrets_in_use, signed_headers
from apps.users.selectors import keep_open

logger = logging.getLogger(__name__)

SECONDS = 10.0
# Longer than anybody can be sending: afterwards the one who did is dead, and the delivery is sent again.
LEASE = timedelta(seconds=60)
# 3 days in all.
PAUSES = (
    timedelta(seconds=10),
    timedelta(seconds=50),
    timedelta(minutes=4),
    timedelta(minutes=25),
    timedelta(minutes=90),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
    timedelta(hours=22),
    timedelta(hours=24),
)
GIVE_UP_AFTER = timedelta(days=3)
# What an endpoint may ask for at most by a Retry-After.
LONGEST_WISH = timedelta(hours=1)
KEPT_BYTES = 500
GONE = 410

# Endpoints that have something due and that nobody is sending to, the longest untouched first.
FREE = """
    SELECT endpoint.* FROM integrations_webhookendpoint AS endpoint JOIN users_user AS owner ON owner.id = endpoint.owner_id
    WHERE endpoint.disabled_at IS NULL
    AND (endpoint.paused_until IS NULL OR endpoint.paused_until <= %(now)s)
    AND (endpoint.leased_until IS NULL OR endpoint.leased_until <= %(now)s)
    AND owner.is_active AND (owner.role = 'STAFF' OR owner.role = 'HOST' AND NOT endpoint.is_for_all)
    AND EXISTS (
        SELECT FROM integrations_webhookdelivery AS delivery
        WHERE delivery.endpoint_id = endpoint.id AND delivery.status = 'PENDING' AND delivery.next_try_at <= %(now)s
    )
    ORDER BY endpoint.last_tried_at NULLS FIRST, endpoint.id LIMIT %(room)s
"""
LOCK_FREE = FREE + "FOR UPDATE OF endpoint SKIP LOCKED"
IS_ANYTHING_DUE = "SELECT EXISTS (" + FREE + ")"


@dataclass(frozen=True, slots=True)
class Claim:
    """One message to be sent now by whoever holds the claim, and by nobody else until the lease is over."""

    endpoint: WebhookEndpoint
    delivery_id: int
    url: str
    body: bytes
    headers: dict[str, str]
    leased_until: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came back: an answer, or why there is none."""

    answer: Answer | None
    error: str
    milliseconds: int

    @property
    def is_success(self) -> bool:
        return self.answer is not None and 200 <= self.answer.status < 300


def is_local_allowed() -> bool:
    """Only production insists on https and on addresses of others: a demo has no other integrator than this machine."""
    return settings.MODE != "production"


def claim_due(*, now: datetime, room: int) -> list[Claim]:
    """The next message of each of up to `room` endpoints. Safe with many workers: an endpoint is claimed by one of them."""
    claims = []
    with transaction.atomic(durable=True):
        for endpoint in WebhookEndpoint.objects.raw(LOCK_FREE, {"now": now, "room": room}).prefetch_related("owner"):
            due = WebhookDelivery.objects.select_related("event").filter(
                endpoint=endpoint, status=DeliveryStatus.PENDING, next_try_at__lte=now
            )
            delivery = due.order_by("event_id").first()
            if delivery is None:
                continue
            until = now + LEASE
            WebhookDelivery.objects.filter(pk=delivery.pk).update(tries=delivery.tries + 1)
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(leased_until=until, last_tried_at=now)
            body = encoded(body_of(delivery))
            headers = {
                "Content-Type": "application/json",
                "User-Agent": "Holdfast-Webhooks",
                **signed_headers(endpoint, message_id=delivery.event.public_id, body=body, now=now),
            }
            claims.append(Claim(endpoint, delivery.pk, endpoint.url, body, headers, until, now))
    return claims


def send(claim: Claim, *, seconds: float) -> Outcome:
    """Send it, from any thread: the database is not asked. Never raises."""
    started = time.monotonic()
    answer: Answer | None = None
    error = ""
    try:
        answer = post(
            claim.url,
            body=claim.body,
            headers=claim.headers,
            seconds=seconds,
            kept_bytes=KEPT_BYTES,
            allow_loopback=is_local_allowed(),
            allow_http=is_local_allowed(),
        )
    except NotFetched as failure:
        error = str(failure)
    except Exception:
        # One message that cannot be sent must not stand in the way of all others.
        logger.exception("delivery %s could not be sent", claim.delivery_id)
        error = "Something went wrong on our side."
    return Outcome(answer, error, int((time.monotonic() - started) * 1000))


def settle(claim: Claim, outcome: Outcome, *, now: datetime) -> None:
    """Write down what became of it, and when it is tried again; the endpoint is free for its next message."""
    fault_point("webhook.sent")
    with suppress(AccountClosed), transaction.atomic(durable=True):
        # The account first, as for who closes it: its owner may have to be told.
        keep_open(claim.endpoint.owner)
        endpoint = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(pk=claim.endpoint.pk).first()
        delivery = WebhookDelivery.objects.filter(pk=claim.delivery_id).first()
        if endpoint is None or delivery is None:
            return
        if endpoint.leased_until == claim.leased_until:
            endpoint.leased_until = None
        _log(delivery, outcome, hidden=secrets_in_use(endpoint, now=claim.at), at=claim.at)
        if outcome.is_success:
            _delivered(endpoint, delivery, now=now)
        else:
            _failed(endpoint, delivery, outcome.answer, now=now)
        endpoint.save(update_fields=["leased_until", "failing_since", "failures", "paused_until", "last_delivered_at"])


def _delivered(endpoint: WebhookEndpoint, delivery: WebhookDelivery, *, now: datetime) -> None:
    endpoint.failing_since = endpoint.paused_until = None
    endpoint.failures = 0
    endpoint.last_delivered_at = now
    delivery.status = DeliveryStatus.DELIVERED
    delivery.delivered_at = now
    delivery.next_try_at = None
    delivery.save(update_fields=["status", "delivered_at", "next_try_at"])


def _failed(endpoint: WebhookEndpoint, delivery: WebhookDelivery, answer: Answer | None, *, now: datetime) -> None:
    note_failure(endpoint, now=now)
    # Somebody may have turned the endpoint off, or another worker have got through, while we waited for an answer.
    if delivery.status != DeliveryStatus.PENDING or endpoint.disabled_at is not None:
        return
    next_try_at = next_try(delivery, answer, now=now)
    if next_try_at is None:
        give_up(endpoint, delivery, now=now)
    else:
        delivery.next_try_at = next_try_at
        delivery.save(update_fields=["next_try_at"])
    if answer is not None and answer.status == GONE:
        disable(endpoint, reason=DisabledReason.GONE, now=now)


def next_try(delivery: WebhookDelivery, answer: Answer | None, *, now: datetime) -> datetime | None:
    """When it is tried again, later if the answer asks for it; None when it is given up."""
    end = delivery.started_at + GIVE_UP_AFTER
    if delivery.tries > len(PAUSES) or now >= end:
        return None
    pause = PAUSES[max(delivery.tries, 1) - 1]
    if answer is not None and answer.retry_after is not None:
        pause = max(pause, min(timedelta(seconds=answer.retry_after), LONGEST_WISH))
    return min(now + pause, end)


def _log(delivery: WebhookDelivery, outcome: Outcome, *, hidden: list[str], at: datetime) -> None:
    answer = outcome.answer
    WebhookAttempt.objects.create(
        delivery=delivery,
        at=at,
        milliseconds=outcome.milliseconds,
        status_code=None if answer is None else answer.status,
        answer="" if answer is None else _shown(answer.body, hidden),
        error=outcome.error[:200],
    )


def _shown(body: bytes, hidden: list[str]) -> str:
    """The beginning of an answer as text that a page and a database can hold, without the secrets should it repeat them."""
    text = body.decode(errors="replace")
    for secret in hidden:
        text = text.replace(secret, "[secret]").replace(secret.removeprefix("whsec_"), "[secret]")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "\ufffd" for letter in text)[:KEPT_BYTES]


def is_anything_due(*, now: datetime) -> bool:
    """Whether somebody could be sent something now."""
    with connection.cursor() as cursor:
        cursor.execute(IS_ANYTHING_DUE, {"now": now, "room": 1})
        return bool(cursor.fetchone() == (True,))
