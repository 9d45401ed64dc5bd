"""The loop that sends: one at a time in the whole system, with many messages in flight.

It is one job however much there is to do, so that slow endpoints hold at most one place among the workers. Nothing but
politeness hangs on there being one: claims keep any number of senders apart.
"""

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection

from apps.core.db import unit_of_work
from apps.core.outbox import enqueue
from apps.integrations.delivering import SECONDS, Claim, Outcome, claim_due, is_anything_due, send, settle
from apps.integrations.recording import DELIVER, fan_out

logger = logging.getLogger(__name__)

AT_ONCE = 32
# After so long another job takes over, while this one waits for its last answers.
TURN = timedelta(seconds=30)
LOOK_SECONDS = 0.2
# Any number that nobody else takes for an advisory lock.
SENDER_LOCK = 7_214_630_112

Clock = Callable[[], datetime]


def send_due(*, clock: Clock, seconds: float = SECONDS) -> int:
    """Make the deliveries of new events and send all that is due. Returns how many were sent, none if somebody else sends.

    `seconds` is how long one endpoint may take.
    """
    in_flight: dict[Future[Outcome], Claim] = {}
    sent = 0
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
        with _turn() as is_ours:
            if not is_ours:
                return 0
            end = clock() + TURN
            while (now := clock()) < end:
                fan_out(now=now)
                for claim in claim_due(now=now, room=AT_ONCE - len(in_flight)):
                    in_flight[pool.submit(send, claim, seconds=seconds)] = claim
                if not in_flight:
                    break
                sent += _settle_done(in_flight, clock, timeout=LOOK_SECONDS)
        if is_anything_due(now=clock()):
            _call_another()
        while in_flight:
            sent += _settle_done(in_flight, clock, timeout=None)
    return sent


def _settle_done(in_flight: dict[Future[Outcome], Claim], clock: Clock, *, timeout: float | None) -> int:
    """Settle what has come back, waiting for the first of it; returns how many that is."""
    done, _ = wait(in_flight, timeout=timeout, return_when=FIRST_COMPLETED)
    for future in done:
        settle(in_flight.pop(future), future.result(), now=clock())
    return len(done)


@unit_of_work
def _call_another() -> None:
    enqueue(DELIVER)


@contextmanager
def _turn() -> Iterator[bool]:
    """Whether it is this process's turn; if so nobody else's until the block ends, or the process."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [SENDER_LOCK])
        is_ours = cursor.fetchone() == (True,)
    try:
        yield is_ours
    finally:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [SENDER_LOCK])
