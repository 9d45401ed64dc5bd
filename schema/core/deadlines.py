"""The deadline of a request: how long it may take, and whether anybody still waits for its answer.

    deadline = Deadline(seconds=30)
    deadline.check()                raises TookTooLong once the time is over, or the client has left

A transport makes one when the request has arrived, waiting in a queue included, and sets `is_gone` when the client leaves. A query
then brings no more objects and a mutation begins no further field; what it has begun is finished, since it may be committed.
"""

from __future__ import annotations

import math
import time

from schema.core.errors import QueryTooComplex

# Where the ASGI bridge leaves it for the view.
ENVIRON_KEY = "holdfast.deadline"


class TookTooLong(QueryTooComplex):
    default_message = "The request takes too long. Ask for less at once."


class Deadline:
    """Ends `seconds` from now."""

    __slots__ = ("_until", "is_gone")

    def __init__(self, *, seconds: float = math.inf) -> None:
        self._until = time.monotonic() + seconds
        self.is_gone = False

    def is_over(self) -> bool:
        return self.is_gone or time.monotonic() >= self._until

    def check(self) -> None:
        """Raises TookTooLong when it is over."""
        if self.is_over():
            raise TookTooLong


ENDLESS = Deadline()
