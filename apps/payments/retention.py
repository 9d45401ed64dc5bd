"""Of what the card processor told: its events, once they were worked off. The ledger itself is kept for ever."""

from datetime import datetime

from django.db.models import QuerySet

from apps.core.retention import Rule, days
from apps.payments.models import WebhookEvent


def _events(now: datetime) -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.filter(handled_at__isnull=False, received_at__lt=now - days("processor_events"))


RULES = (
    Rule("processor_events", "events of the card processor, handled, older than KEEP_PROCESSOR_EVENTS_DAYS", _events),
)
