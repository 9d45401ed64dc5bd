"""Who may have to do with an endpoint: its owner, and staff to help them."""

from django.conf import settings

from apps.core.db import require_transaction
from apps.core.errors import AccountClosed, NotAllowed, NotFound
from apps.integrations.models import WebhookDelivery, WebhookEndpoint
from apps.users.models import User, UserRole
from apps.users.selectors import keep_open


def endpoint_for(*, viewer: User, endpoint_id: int | None, field: str) -> WebhookEndpoint:
    """The endpoint, locked in the caller's transaction, and its account kept from being closed.

    Raises NotFound at `field` for what was never there and for what is neither the viewer's nor theirs as staff to see.
    """
    require_transaction()
    refusal = NotFound("There is no such webhook endpoint.", field=field)
    seen = WebhookEndpoint.objects.select_related("owner").filter(pk=endpoint_id or 0).first()
    if seen is None or not _may_see(viewer, seen):
        raise refusal
    try:
        # The account first, as for who closes it.
        keep_open(seen.owner)
    except AccountClosed:
        raise refusal from None
    found = WebhookEndpoint.objects.select_for_update(of=("self",)).filter(pk=seen.pk).first()
    if found is None:
        raise refusal
    return found


def delivery_for(*, viewer: User, delivery_id: str, field: str) -> WebhookDelivery:
    """The delivery with its endpoint, which is locked. Raises NotFound at `field`, as for the endpoint."""
    found = WebhookDelivery.objects.filter(public_id=_printable(delivery_id)).first()
    refusal = NotFound("There is no such delivery.", field=field)
    if found is None:
        raise refusal
    try:
        endpoint = endpoint_for(viewer=viewer, endpoint_id=found.endpoint_id, field=field)
    except NotFound:
        raise refusal from None
    # As it is now that nobody else changes it.
    found.refresh_from_db()
    found.endpoint = endpoint
    return found


def require_own(viewer: User, endpoint: WebhookEndpoint, *, field: str) -> None:
    """Raises NotAllowed at `field` for staff who help: a secret is shown to nobody but the owner."""
    if endpoint.owner_id != viewer.pk:
        raise NotAllowed("This webhook endpoint is somebody else's.", field=field)


def require_verified_email(viewer: User) -> None:
    """Raises NotAllowed for an account that has not shown that its email is its own, where that is required."""
    if settings.REQUIRE_VERIFIED_EMAIL and viewer.email_verified_at is None:
        raise NotAllowed("Verify your email address first.")


def _may_see(viewer: User, endpoint: WebhookEndpoint) -> bool:
    return endpoint.owner_id == viewer.pk or viewer.role == UserRole.STAFF


def _printable(text: str) -> str:
    """What the database can be asked for; an id that nothing has stays one."""
    return text if text.isascii() and text.isprintable() else ""
