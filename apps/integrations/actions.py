"""Writes: what an account does with its webhook endpoints."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import AccountClosed, Collector, Invalid, OutsideRules, Required, WrongState
from apps.core.fetching import clean_url
from apps.core.outbox import enqueue
from apps.core.texts import clean_text
from apps.integrations.delivering import is_local_allowed
from apps.integrations.failing import disable
from apps.integrations.models import (
    DeliveryStatus,
    DisabledReason,
    EventType,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)
from apps.integrations.payloads import VERSION
from apps.integrations.policies import delivery_for, endpoint_for, require_own, require_verified_email
from apps.integrations.recording import DELIVER
from apps.integrations.signing import secret_of
from apps.users.models import User, UserRole

MOST_ENDPOINTS = 20
# How long what is sent is signed with the secret before as well.
OVERLAP = timedelta(hours=24)
MOST_REPLAYED = 10_000
NEVER_CHOSEN = EventType.WEBHOOK_TEST


def create_endpoint(
    *, viewer: User, url: str, types: Sequence[EventType], description: str, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Tell the address of such events from now on: of the viewer's own listings, or of all for staff.

    Returns the endpoint and its secret. Raises Required and Invalid at `url` and `events`, Invalid at `description`,
    NotAllowed without a verified email where that is required, OutsideRules for too many endpoints, AccountClosed.
    """
    problems = Collector()
    with problems.caught():
        url = _clean_url(url)
    with problems.caught():
        chosen = _clean_types(types)
    with problems.caught():
        description = clean_text(description, field="description", max_length=200)
    problems.raise_if_any()
    require_verified_email(viewer)
    return _created(viewer=viewer, url=url, types=chosen, description=description, now=now)


@unit_of_work
def _created(
    *, viewer: User, url: str, types: list[str], description: str, now: datetime
) -> tuple[WebhookEndpoint, str]:
    # One after the other for each account, and kept from leaving meanwhile.
    owner = User.objects.select_for_update(of=("self",), no_key=True).get(pk=viewer.pk)
    if not owner.is_active:
        raise AccountClosed
    if WebhookEndpoint.objects.filter(owner=owner).count() >= MOST_ENDPOINTS:
        raise OutsideRules(f"An account has at most {MOST_ENDPOINTS} webhook endpoints.")
    endpoint = WebhookEndpoint.objects.create(
        owner=owner,
        url=url,
        description=description,
        types=types,
        is_for_all=owner.role == UserRole.STAFF,
        created_at=now,
        updated_at=now,
    )
    _note(AuditKind.WEBHOOK_REGISTERED, endpoint, actor=viewer, now=now)
    return endpoint, secret_of(endpoint)


def _note(kind: AuditKind, endpoint: WebhookEndpoint, *, actor: User, now: datetime, **data: str) -> None:
    """Where the data of somebody's bookings goes is a matter of security. The address itself stays out of the audit."""
    record(kind, now=now, user_id=endpoint.owner_id, actor_id=actor.pk, subject=f"webhook:{endpoint.pk}", **data)


def update_endpoint(
    *,
    viewer: User,
    endpoint_id: int | None,
    url: str | None = None,
    types: Sequence[EventType] | None = None,
    description: str | None = None,
    is_enabled: bool | None = None,
    now: datetime,
) -> WebhookEndpoint:
    """Change what is given. Turned off, what waits for it is skipped; what happens meanwhile can be replayed.

    Raises Required and Invalid at `url` and `events`, Invalid at `description`, NotFound at `endpoint_id`.
    """
    problems = Collector()
    if url is not None:
        with problems.caught():
            url = _clean_url(url)
    chosen: list[str] | None = None
    if types is not None:
        with problems.caught():
            chosen = _clean_types(types)
    if description is not None:
        with problems.caught():
            description = clean_text(description, field="description", max_length=200)
    problems.raise_if_any()
    return _updated(
        viewer=viewer, endpoint_id=endpoint_id, url=url, types=chosen, description=description, is_enabled=is_enabled, now=now
    )  # fmt: skip


@unit_of_work
def _updated(
    *,
    viewer: User,
    endpoint_id: int | None,
    url: str | None,
    types: list[str] | None,
    description: str | None,
    is_enabled: bool | None,
    now: datetime,
) -> WebhookEndpoint:
    endpoint = endpoint_for(viewer=viewer, endpoint_id=endpoint_id, field="endpoint_id")
    asked = {"types": types, "description": description, "url": url}
    changed = [name for name, value in asked.items() if value is not None and value != getattr(endpoint, name)]
    if is_enabled is not None and is_enabled != (endpoint.disabled_at is None):
        changed.append("on" if is_enabled else "off")
    if types is not None:
        endpoint.types = types
    if description is not None:
        endpoint.description = description
    if url is not None and url != endpoint.url:
        endpoint.url = url
        _forgive(endpoint)
    if is_enabled and endpoint.disabled_at is not None:
        endpoint.disabled_at, endpoint.disabled_reason = None, ""
        _forgive(endpoint)
    endpoint.updated_at = now
    endpoint.save()
    if is_enabled is False and endpoint.disabled_at is None:
        is_own = endpoint.owner_id == viewer.pk
        disable(endpoint, reason=DisabledReason.OWNER if is_own else DisabledReason.STAFF, now=now)
    if changed:
        _note(AuditKind.WEBHOOK_CHANGED, endpoint, actor=viewer, now=now, what=" ".join(sorted(changed)))
    return endpoint


def _forgive(endpoint: WebhookEndpoint) -> None:
    """What failed before says nothing of what comes now."""
    endpoint.failing_since = endpoint.paused_until = None
    endpoint.failures = 0


@unit_of_work
def delete_endpoint(*, viewer: User, endpoint_id: int | None, now: datetime) -> None:
    """Send it nothing more and forget it with all its deliveries. Raises NotFound at `endpoint_id`."""
    endpoint = endpoint_for(viewer=viewer, endpoint_id=endpoint_id, field="endpoint_id")
    _note(AuditKind.WEBHOOK_REMOVED, endpoint, actor=viewer, now=now)
    endpoint.delete()


def drop_endpoints(*, owner: User) -> None:
    """All of the account's endpoints go. A step; whoever is making or settling deliveries of them is waited for."""
    require_transaction()
    endpoints = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(owner=owner).order_by("pk")
    WebhookEndpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints]).delete()


@unit_of_work
def rotate_secret(
    *, viewer: User, endpoint_id: int | None, ends_old: bool = False, now: datetime
) -> tuple[WebhookEndpoint, str]:
    """Replace the secret; for a day what is sent is signed with both, unless `ends_old` ends the old one at once.

    Returns the endpoint and the new secret. Raises NotFound and NotAllowed (staff, for somebody else's) at `endpoint_id`.
    """
    endpoint = endpoint_for(viewer=viewer, endpoint_id=endpoint_id, field="endpoint_id")
    require_own(viewer, endpoint, field="endpoint_id")
    endpoint.secret_version += 1
    endpoint.previous_secret_until = None if ends_old else now + OVERLAP
    endpoint.updated_at = now
    endpoint.save(update_fields=["secret_version", "previous_secret_until", "updated_at"])
    _note(AuditKind.WEBHOOK_CHANGED, endpoint, actor=viewer, now=now, what="secret")
    return endpoint, secret_of(endpoint)


@unit_of_work
def send_test(*, viewer: User, endpoint_id: int | None, now: datetime) -> WebhookDelivery:
    """Send the endpoint a message that says nothing. Raises NotFound at `endpoint_id`, WrongState while it is off."""
    endpoint = endpoint_for(viewer=viewer, endpoint_id=endpoint_id, field="endpoint_id")
    _require_enabled(endpoint, field="endpoint_id")
    event = WebhookEvent.objects.create(
        type=EventType.WEBHOOK_TEST,
        version=VERSION,
        host_id=endpoint.owner_id,
        topic=f"webhook:{endpoint.pk}",
        data={"message": "It works."},
        at=now,
        fanned_out_at=now,
    )
    delivery = WebhookDelivery.objects.create(
        endpoint=endpoint, event=event, created_at=now, started_at=now, next_try_at=now
    )
    _hurry(endpoint)
    return delivery


@unit_of_work
def replay_delivery(*, viewer: User, delivery_id: str, now: datetime) -> WebhookDelivery:
    """Send it again, under the same ids, whatever became of it; for three days anew.

    Raises NotFound at `delivery_id`, WrongState while its endpoint is off.
    """
    delivery = delivery_for(viewer=viewer, delivery_id=delivery_id, field="delivery_id")
    _require_enabled(delivery.endpoint, field="delivery_id")
    delivery.status = DeliveryStatus.PENDING
    delivery.tries = 0
    delivery.started_at = delivery.next_try_at = now
    delivery.delivered_at = None
    delivery.save(update_fields=["status", "tries", "started_at", "next_try_at", "delivered_at"])
    _hurry(delivery.endpoint)
    return delivery


@unit_of_work
def replay_span(
    *,
    viewer: User,
    endpoint_id: int | None,
    start: datetime,
    end: datetime,
    is_everything: bool = False,
    now: datetime,
) -> int:
    """Send again what happened from `start` until before `end` and did not get through; with `is_everything` what did, too.

    Returns how many messages that is. Raises NotFound and, while it is off, WrongState at `endpoint_id`; Invalid at `to`
    for an empty span, OutsideRules there for more than MOST_REPLAYED messages: then nothing is sent.
    """
    if end <= start:
        raise Invalid("The span must end after it starts.", field="to")
    endpoint = endpoint_for(viewer=viewer, endpoint_id=endpoint_id, field="endpoint_id")
    _require_enabled(endpoint, field="endpoint_id")
    statuses = [DeliveryStatus.FAILED, DeliveryStatus.SKIPPED, *([DeliveryStatus.DELIVERED] if is_everything else [])]
    wanted = WebhookDelivery.objects.filter(
        endpoint=endpoint, status__in=statuses, event__at__gte=start, event__at__lt=end
    )
    ids = list(wanted.values_list("pk", flat=True)[: MOST_REPLAYED + 1])
    if len(ids) > MOST_REPLAYED:
        raise OutsideRules(f"More than {MOST_REPLAYED:,} messages: take a shorter span.", field="to")
    WebhookDelivery.objects.filter(pk__in=ids).update(
        status=DeliveryStatus.PENDING, tries=0, started_at=now, next_try_at=now, delivered_at=None
    )
    if ids:
        _hurry(endpoint)
    return len(ids)


def _hurry(endpoint: WebhookEndpoint) -> None:
    """Whoever asks for a message now does not wait until the endpoint would have been tried by itself."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(paused_until=None)
    enqueue(DELIVER)


def _require_enabled(endpoint: WebhookEndpoint, *, field: str) -> None:
    if endpoint.disabled_at is not None:
        raise WrongState("It is turned off: turn it on first.", field=field)


def _clean_url(url: str) -> str:
    """Outside of any transaction, since it asks the network for the name."""
    cleaned = clean_text(url, field="url", max_length=2_000, required=True)
    is_allowed = is_local_allowed()
    return clean_url(cleaned, field="url", allow_loopback=is_allowed, allow_http=is_allowed)


def _clean_types(types: Sequence[EventType]) -> list[str]:
    """Each once, in the order of the enum."""
    if not types:
        raise Required("Name at least one event.", field="events")
    if NEVER_CHOSEN in types:
        raise Invalid("Test messages are sent on demand alone.", field="events")
    return [each.value for each in EventType if each in types]
