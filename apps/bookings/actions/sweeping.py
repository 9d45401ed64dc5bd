"""What the sweeps have in common: one after the other, and nothing that fails keeps the others waiting."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from apps.payments.gateway import GatewayUnavailable

logger = logging.getLogger(__name__)

# After so many without an answer the processor is taken to be away, and the rest waits for the next sweep.
MOST_UNANSWERED = 3

Subject = TypeVar("Subject", int, str)


def for_each(subjects: Iterable[Subject], take_up: Callable[[Subject], None], *, what: str) -> int:
    """Take them up one by one. Returns how many were tried.

    What fails is logged and left to the next sweep.
    """
    tried = unanswered = 0
    for subject in subjects:
        tried += 1
        try:
            take_up(subject)
        except GatewayUnavailable:
            logger.warning("%s %s: the processor is away", what, subject)
            unanswered += 1
            if unanswered == MOST_UNANSWERED:
                break
        except Exception:
            logger.exception("%s %s could not be taken up", what, subject)
    return tried
