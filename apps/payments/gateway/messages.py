"""Stripe's webhooks: whether it sent them, and what about."""

from typing import Any

from django.conf import settings

from apps.payments.gateway.client import client
from apps.payments.gateway.library import stripe
from apps.payments.gateway.reading import name_of
from apps.payments.outcomes import Event

# What is kept of a name of Stripe's.
LONGEST_NAME = 255


class BadSignature(Exception):
    """A webhook that Stripe did not sign."""


def read_event(*, payload: bytes, signature: str) -> Event:
    """The webhook's message. Raises BadSignature for whatever Stripe did not sign within the tolerance, or never says."""
    try:
        event = client().construct_event(payload, signature, settings.STRIPE_WEBHOOK_SECRET)
        subject = event.data.object
        return Event(
            event_id=_said(event.id),
            type=_said(event.type),
            object_id=_said(getattr(subject, "id", None), is_optional=True),
            object_type=_said(getattr(subject, "object", None), is_optional=True),
            intent_id=_said(name_of(getattr(subject, "payment_intent", None)), is_optional=True),
        )
    except (
        stripe.SignatureVerificationError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        RecursionError,
    ) as error:
        raise BadSignature from error


def _said(name: Any, *, is_optional: bool = False) -> str:
    """A name as Stripe gives them: plain, and short enough to be kept. Raises ValueError for any other value."""
    if is_optional and not name:
        return ""
    if not isinstance(name, str) or not name.isascii() or not name.isprintable() or not 1 <= len(name) <= LONGEST_NAME:
        raise ValueError("no name of Stripe's")
    return name
