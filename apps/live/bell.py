"""The bell that wakes the processes which tell listeners: a Redis channel that carries no data.

Nothing hangs on it but speed. Without Redis the processes look at the log by themselves, and who rings does not wait.
"""

import functools
import logging
import time

from django.conf import settings
from redis import Redis
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

CHANNEL = "holdfast:live"
TIMEOUT_SECONDS = 0.5
# After a failure Redis is left alone for so long, lest each change waits for the time-out.
PAUSE_SECONDS = 5.0


class _Outage:
    def __init__(self) -> None:
        self.until = 0.0


_outage = _Outage()


@functools.cache
def _redis(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)


def ring() -> None:
    """Say that there is something new in the log. Never raises."""
    if time.monotonic() < _outage.until:
        return
    try:
        _redis(settings.LIVE_REDIS_URL).publish(CHANNEL, b"")
    except (RedisError, OSError):
        _outage.until = time.monotonic() + PAUSE_SECONDS
        logger.warning("Redis is away; listeners are told a little later")
