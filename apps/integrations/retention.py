"""What happened too long ago to be told, with its deliveries and their tries."""

from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet

from apps.core.retention import Rule
from apps.integrations.models import WebhookDelivery, WebhookEvent
from apps.integrations.recording import kept


def _events(now: datetime) -> QuerySet[WebhookEvent]:
    # What was replayed and is still on its way stays.
    on_its_way = WebhookDelivery.objects.filter(event=OuterRef("pk"), status="PENDING", started_at__gte=now - kept())
    return WebhookEvent.objects.filter(~Exists(on_its_way), at__lt=now - kept())


RULES = (Rule("webhooks", "events for integrators older than KEEP_WEBHOOKS_DAYS", _events, batch=200),)
