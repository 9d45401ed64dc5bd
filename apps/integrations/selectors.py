"""Reads of webhooks: always of those that are the viewer's."""

from collections.abc import Iterable

from django.db.models import QuerySet

from apps.integrations.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from apps.users.models import User


def endpoints_of(*, owner: User) -> list[WebhookEndpoint]:
    """A person's own endpoints, the oldest first."""
    return list(WebhookEndpoint.objects.filter(owner=owner).order_by("pk"))


def deliveries(*, statuses: Iterable[str] | None = None) -> QuerySet[WebhookDelivery]:
    """Deliveries with their events, in no order yet; whoever shows them has the endpoint already."""
    rows = WebhookDelivery.objects.select_related("event")
    return rows if statuses is None else rows.filter(status__in=list(statuses))


def attempts_of(*, delivery_ids: Iterable[int]) -> dict[int, list[WebhookAttempt]]:
    """The tries of each delivery, oldest first."""
    ids = list(delivery_ids)
    found: dict[int, list[WebhookAttempt]] = {pk: [] for pk in ids}
    for attempt in WebhookAttempt.objects.filter(delivery__in=ids).order_by("delivery", "pk"):
        found[attempt.delivery_id].append(attempt)
    return found
