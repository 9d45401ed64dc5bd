"""The client of Stripe, and what its errors mean to us."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from django.conf import settings

from apps.payments.gateway.library import stripe

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 20
# As many as Stripe lists at once.
PAGE = 100


class GatewayUnavailable(Exception):
    """Stripe did not say what became of the request: ask again, with the same idempotency key."""


class AnswerLost(GatewayUnavailable):
    """Asking with this idempotency key will never say what became of the request: Stripe repeats its own failure."""


@lru_cache(maxsize=1)
def client() -> stripe.StripeClient:
    addresses: Any = {"api": settings.STRIPE_API_BASE} if settings.STRIPE_API_BASE else {}
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        base_addresses=addresses,
        max_network_retries=0,
        http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
    )


@contextmanager
def translated() -> Iterator[None]:
    try:
        yield
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise GatewayUnavailable(type(error).__name__) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        logger.error("Stripe refuses our key")
        raise GatewayUnavailable("the key is refused") from error
    except stripe.APIError as error:
        if (error.headers or {}).get("idempotent-replayed"):
            raise AnswerLost("Stripe remembers a failure") from error
        raise GatewayUnavailable(type(error).__name__) from error
    except stripe.IdempotencyError as error:
        if error.code == "idempotency_key_in_use":
            raise GatewayUnavailable("the same request is under way") from error
        # It was asked in other words before, by an earlier version of us.
        raise AnswerLost("the key was used for another request") from error
