"""Endpoints that do not take what they are sent: left alone for a while, turned off after days, their owners told."""

from datetime import datetime, timedelta

from apps.core.db import require_transaction
from apps.integrations.models import DeliveryStatus, DisabledReason, WebhookDelivery, WebhookEndpoint
from apps.notifications.actions import tell, write_letter
from apps.notifications.letters import Words
from apps.notifications.models import NotificationType
from apps.users.models import User

# So many failures in a row are one message's fault; after that it is the endpoint's, and all it gets waits.
FREE_FAILURES = 3
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)
DISABLE_AFTER = timedelta(days=5)


def note_failure(endpoint: WebhookEndpoint, *, now: datetime) -> None:
    """Count a failed try of the locked endpoint, which the caller saves; turn it off when nothing got through for days."""
    require_transaction()
    endpoint.failures += 1
    endpoint.failing_since = endpoint.failing_since or now
    if endpoint.failures >= FREE_FAILURES:
        pause = FIRST_PAUSE * 2 ** min(endpoint.failures - FREE_FAILURES, 10)
        endpoint.paused_until = now + min(pause, LONGEST_PAUSE)
    if endpoint.disabled_at is None and endpoint.failing_since <= now - DISABLE_AFTER:
        disable(endpoint, reason=DisabledReason.FAILING, now=now)


def disable(endpoint: WebhookEndpoint, *, reason: DisabledReason, now: datetime) -> None:
    """Send the locked endpoint nothing more; what waits for it is skipped. Its owner is told unless it was their own wish."""
    require_transaction()
    endpoint.disabled_at = now
    endpoint.disabled_reason = reason
    endpoint.updated_at = now
    endpoint.save(update_fields=["disabled_at", "disabled_reason", "updated_at"])
    WebhookDelivery.objects.filter(endpoint=endpoint, status=DeliveryStatus.PENDING).update(
        status=DeliveryStatus.SKIPPED, next_try_at=None
    )
    if reason == DisabledReason.OWNER:
        return
    why = {
        DisabledReason.FAILING: f"Nothing has got through to it for {DISABLE_AFTER.days} days",
        DisabledReason.GONE: "It answered that it is gone for good (status 410)",
        DisabledReason.STAFF: "Our staff has turned it off",
    }[reason]
    body = f"{why}, so it is sent nothing more. Turn it on again once it works; what it missed can be replayed for 30 days."
    _tell(endpoint, "Webhook turned off", body, key=f"webhook:{endpoint.pk}:off:{now.isoformat()}", now=now)


def give_up(endpoint: WebhookEndpoint, delivery: WebhookDelivery, *, now: datetime) -> None:
    """Try the delivery no more; the owner of the locked endpoint is told once a day at most."""
    require_transaction()
    delivery.status = DeliveryStatus.FAILED
    delivery.next_try_at = None
    delivery.save(update_fields=["status", "next_try_at"])
    body = "A message could not be delivered for three days and was given up. It can be replayed for 30 days."
    _tell(endpoint, "Webhook not delivered", body, key=f"webhook:{endpoint.pk}:gave-up:{now.date()}", now=now)


def _tell(endpoint: WebhookEndpoint, title: str, body: str, *, key: str, now: datetime) -> None:
    # What a query string holds may be a secret of theirs.
    address = endpoint.url.partition("?")[0]
    text = f"{endpoint.description or 'Your webhook'} ({address[:200]}): {body}"
    owner = User.objects.get(pk=endpoint.owner_id)
    tell(recipient_ids=[owner.pk], type=NotificationType.MESSAGE, title=title, body=text, key=key, now=now)
    words = Words(subject=title, name=owner.first_name, paragraphs=[text])
    write_letter(to=owner.email, template="webhook", words=words, key=key, reader_id=owner.pk, now=now)
