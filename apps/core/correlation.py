"""Correlation: what is known of the work that is being done. Which request it belongs to, what it is about, who asked.

Every log line, every job that is promised and every error that is answered takes it from here:

    with working_on(Work(request_id="5f0c")):
        enqueue("bookings.carry_out_payment", charge_id=7)     the job's log lines say 5f0c too

Work begins with a request (`booking.watching.middleware`), goes on in the jobs that it promised
(`booking.watching.jobs`), and holds nothing personal: ids only.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar

REQUEST_ID = "holdfast_request"
# What a proxy or a client may call a request: long enough to be told from others, and harmless in any log.
SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Work:
    """One piece of work. `operation` is a name out of a bounded set, `statements` counts what the database was asked."""

    __slots__ = ("operation", "points", "request_id", "statements", "user_id")

    def __init__(self, *, request_id: str, operation: str = "") -> None:
        self.request_id = request_id
        self.operation = operation
        self.user_id: int | None = None
        self.points = 0
        self.statements = 0


_current: ContextVar[Work | None] = ContextVar("work", default=None)

current = _current.get
begin = _current.set
end = _current.reset


def new_id() -> str:
    """A name for a request that came without one."""
    return os.urandom(8).hex()


def sane_id(given: str | None) -> str:
    """What the client or a proxy called the request, where that is a name; else a new one."""
    return given if given and SANE.fullmatch(given) else new_id()


def request_id() -> str:
    """The request that is being served or was at the beginning of this job; "" where there was none."""
    work = current()
    return work.request_id if work is not None else ""


@contextmanager
def working_on(work: Work) -> Iterator[Work]:
    """The block is part of the work."""
    token = begin(work)
    try:
        yield work
    finally:
        end(token)


# Writes the present trace into what travels with a job, and goes on with the one that was written there; set where traces
# are on.
inject: Callable[[dict[str, str]], None] | None = None
resume: Callable[[Mapping[str, str]], AbstractContextManager[object]] | None = None


def luggage() -> dict[str, str]:
    """What a job carries with it: the id of the request, and of the trace where there is one."""
    name = request_id()
    carried = {REQUEST_ID: name} if name else {}
    if inject is not None:
        inject(carried)
    return carried


def resumed(carried: Mapping[str, str]) -> AbstractContextManager[object]:
    """The trace that the luggage names, for as long as the block lasts."""
    return resume(carried) if resume is not None and carried else nullcontext()
