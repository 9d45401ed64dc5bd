"""How what is sent is signed: Standard Webhooks (https://www.standardwebhooks.com), version v1.

    webhook-id         the event's id, the same for every try and every endpoint
    webhook-timestamp  seconds since 1970, of this try
    webhook-signature  v1,<base64 of HMAC-SHA256 over "id.timestamp.body">, one for each secret, with a space between

A standard is followed instead of a header of our own because receivers have libraries for it.

Secrets are derived from the secret key, never stored: neither a copy of the database nor a log gives one away, and there
is nothing to encrypt and to forget to encrypt. The price is that a new SECRET_KEY gives every endpoint new secrets; what is
sent is signed under the keys of SECRET_KEY_FALLBACKS too, so that their owners have the time to fetch them.
"""

import base64
import hashlib
import hmac
from datetime import datetime

from apps.core.ids import derivations
from apps.integrations.models import WebhookEndpoint

PREFIX = "whsec_"


def secret_of(endpoint: WebhookEndpoint, *, version: int | None = None) -> str:
    """The endpoint's secret as its owner keeps it, the present one unless another version is asked for."""
    return _secrets_of(endpoint, version=endpoint.secret_version if version is None else version)[0]


def _secrets_of(endpoint: WebhookEndpoint, *, version: int) -> list[str]:
    """The secret of a version, and after it what its owner was told under the secret keys before."""
    made = derivations("webhook", endpoint.pk, endpoint.nonce, version)
    return [PREFIX + base64.b64encode(bytes.fromhex(each)).decode() for each in made]


def secrets_in_use(endpoint: WebhookEndpoint, *, now: datetime) -> list[str]:
    """The present secret, and after it the one before while that is being replaced; each also under the secret keys before."""
    found = _secrets_of(endpoint, version=endpoint.secret_version)
    if endpoint.previous_secret_until is not None and now < endpoint.previous_secret_until:
        found += _secrets_of(endpoint, version=endpoint.secret_version - 1)
    return found


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature with its version, as it stands in the header."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signed_headers(endpoint: WebhookEndpoint, *, message_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that say who sent the body, when."""
    timestamp = int(now.timestamp())
    signatures = [
        signature(secret, message_id=message_id, timestamp=timestamp, body=body)
        for secret in secrets_in_use(endpoint, now=now)
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
