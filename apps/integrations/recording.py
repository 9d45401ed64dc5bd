"""Writing down what happened for those who want to know, and making a delivery for each of them.

An event is written in the transaction of the change, so that it is there exactly when the change is. Its deliveries are made
afterwards by a worker, once for each endpoint: the database refuses a second.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable

from apps.core.db import require_transaction
from apps.core.outbox import enqueue
from apps.core.reads import INSTANT, INTEGER, Parameter, Read
from apps.core.retention import days
from apps.integrations.models import EventType, WebhookEndpoint, WebhookEvent
from apps.integrations.payloads import VERSION, Data
from apps.listings.models import Listing

DELIVER = "integrations.deliver"
BATCH = 200

# Endpoints are locked against their end, and one that has ended meanwhile is left out.
FAN_OUT = """
    INSERT INTO integrations_webhookdelivery
        (public_id, endpoint_id, event_id, status, tries, created_at, started_at, next_try_at)
    SELECT 'dlv_' || replace(gen_random_uuid()::text, '-', ''), endpoint.id, event.id,
        CASE WHEN endpoint.disabled_at IS NULL THEN 'PENDING' ELSE 'SKIPPED' END, 0, %(now)s, %(now)s,
        CASE WHEN endpoint.disabled_at IS NULL THEN %(now)s END
    FROM integrations_webhookevent AS event
    JOIN integrations_webhookendpoint AS endpoint
        ON (endpoint.owner_id = event.host_id OR endpoint.is_for_all) AND endpoint.types @> ARRAY[event.type]::varchar[]
    JOIN users_user AS owner ON owner.id = endpoint.owner_id
    WHERE event.id = ANY(%(events)s) AND endpoint.created_at <= event.at
    AND (endpoint.disabled_at IS NULL OR endpoint.disabled_at > %(since)s)
    AND owner.is_active AND (owner.role = 'STAFF' OR owner.role = 'HOST' AND NOT endpoint.is_for_all)
    ORDER BY endpoint.id, event.id
    FOR KEY SHARE OF endpoint
    ON CONFLICT (endpoint_id, event_id) DO NOTHING
"""


def kept() -> timedelta:
    """How long events and their deliveries are kept; what is kept can be replayed."""
    return days("webhooks")


def announce(type_: EventType, *, listing_id: int, topic: str, data: Callable[[], Data], now: datetime) -> None:
    """Let those who follow such events of the listing be told, when and only when the transaction commits. A step.

    `data` is asked only where somebody wants to know. `topic` names what it is about ("booking:5").
    """
    require_transaction()
    hosts = WANTED.rows(type_, listing=listing_id, since=now - kept())
    if not hosts:
        return
    ((host_id,),) = hosts
    WebhookEvent.objects.create(type=type_, version=VERSION, host_id=host_id, topic=topic, data=data(), at=now)
    enqueue(DELIVER)


def following(type_: EventType, *, host: Combinable, since: Combinable) -> QuerySet[WebhookEndpoint]:
    """The endpoints that want to know of such events of the host's listings.

    One that was turned off after `since` has its events kept for a replay.
    """
    return WebhookEndpoint.objects.filter(
        Q(owner=host) | Q(is_for_all=True),
        Q(disabled_at=None) | Q(disabled_at__gt=since),
        types__contains=[type_.value],
    )


def _wanted(type_: EventType, *, listing: Parameter, since: Parameter) -> QuerySet[Listing, tuple[int]]:
    """The host of the listing, if anybody wants to know."""
    followed = following(type_, host=OuterRef("host"), since=since)
    return Listing.objects.filter(Exists(followed), pk=listing).values_list("host_id")


WANTED: Read[tuple[int]] = Read(_wanted, listing=INTEGER, since=INSTANT)


def fan_out(*, now: datetime) -> int:
    """Make the deliveries of the events that are new. Safe with many workers; returns how many events there were."""
    done = 0
    while True:
        with transaction.atomic(durable=True):
            new = WebhookEvent.objects.select_for_update(skip_locked=True).filter(fanned_out_at=None)
            ids = list(new.order_by("pk").values_list("pk", flat=True)[:BATCH])
            if ids:
                with connection.cursor() as cursor:
                    cursor.execute(FAN_OUT, {"events": ids, "now": now, "since": now - kept()})
                WebhookEvent.objects.filter(pk__in=ids).update(fanned_out_at=now)
        done += len(ids)
        if len(ids) < BATCH:
            return done
