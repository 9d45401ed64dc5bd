"""What endpoints are shown with, read for all endpoints of an answer at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apps.integrations.selectors import attempts_of, deliveries
from schema.core.pagination import NEWEST, Connection, Page, paginate_many

if TYPE_CHECKING:
    from apps.integrations.models import WebhookAttempt
    from schema.core.context import Context

# Endpoint, page, and the states that are asked for.
Key = tuple[int, Page, tuple[str, ...] | None]


def delivery_pages(context: Context, keys: list[Key]) -> dict[Key, Connection]:
    """Deliveries of endpoints that are shown to the caller."""
    by_statuses: dict[tuple[str, ...] | None, list[tuple[int, Page]]] = {}
    for endpoint_id, page, statuses in keys:
        by_statuses.setdefault(statuses, []).append((endpoint_id, page))
    found: dict[Key, Connection] = {}
    for statuses, wanted in by_statuses.items():
        pages = paginate_many(deliveries(statuses=statuses), NEWEST, wanted, parent="endpoint_id")
        found.update({(endpoint_id, page, statuses): shown for (endpoint_id, page), shown in pages.items()})
    return found


def attempts_by_delivery(context: Context, delivery_ids: list[int]) -> dict[int, list[WebhookAttempt]]:
    """The tries of each delivery, oldest first."""
    return attempts_of(delivery_ids=delivery_ids)
