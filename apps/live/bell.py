"""The bell that wakes the processes which tell listeners: a Redis channel that carries no data.

Nothing hangs on it but speed: without Redis the processes look at the log by themselves. Who rings waits for nothing. A ring
is sent on a connection that is kept, and what Redis says to it is read with the next one; the connection is opened beside, and
rings when it is there. What was sent arrives although the process ends, or is killed, right behind it.
"""

import functools
import logging
import os
import ssl
import threading
import time
from typing import Any

from django.conf import settings
from redis import ConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

logger = logging.getLogger(__name__)

CHANNEL = "holdfast:live"
# For opening a connection, and for a word of Redis once it has been rung.
TIMEOUT_SECONDS = 0.5
# After a failure Redis is left alone for so long, lest each change tries it again.
PAUSE_SECONDS = 5.0
MOST_SAID = 4096


class Silence(Exception):
    """Redis was rung long ago and has said nothing since."""


class _Line:
    """A connection on which nobody waits for an answer. Opening it may take TIMEOUT_SECONDS for each step of it, and raises
    RedisError and OSError.
    """

    def __init__(self, url: str) -> None:
        # Each answer is one line in this protocol, and nothing comes unasked.
        pool = ConnectionPool.from_url(
            url,
            protocol=2,
            socket_timeout=TIMEOUT_SECONDS,
            socket_connect_timeout=TIMEOUT_SECONDS,
            retry=Retry(NoBackoff(), 0),
        )
        connection: Any = pool.make_connection()
        connection.connect()
        self._connection = connection
        self._command = b"".join(connection.pack_command("PUBLISH", CHANNEL, b""))
        # The client's own way to send and to read takes three times as long.
        self._socket = connection._get_socket()
        self._socket.setblocking(False)
        self._rung_at: float | None = None

    def ring(self) -> None:
        """Raises Silence, ResponseError for what Redis has refused, OSError where it has hung up or takes nothing more."""
        said = self._heard()
        if b"-" in said:
            raise ResponseError(said.decode(errors="replace"))
        now = time.monotonic()
        if said or self._rung_at is None:
            self._rung_at = now
        elif now - self._rung_at > TIMEOUT_SECONDS:
            raise Silence
        if self._socket.send(self._command) != len(self._command):
            raise BlockingIOError("there is no room for a ring")

    def close(self) -> None:
        self._connection.disconnect()

    def _heard(self) -> bytes:
        try:
            said: bytes = self._socket.recv(MOST_SAID)
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        if not said:
            raise ConnectionResetError("Redis has hung up")
        return said


class _Bell:
    """The bell of this process at one address. `is_away`: it is left alone for the moment."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._line: _Line | None = None
        self._opening: threading.Thread | None = None
        self._away_until = 0.0

    @property
    def is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def ring(self) -> None:
        with self._lock:
            if self._line is not None and self._is_rung(self._line):
                return
            # One that is being opened will ring when it is: that is still to come.
            if self._opening is None and not self.is_away:
                self._begin_opening()

    def _is_rung(self, line: _Line) -> bool:
        try:
            line.ring()
        except (Silence, ResponseError):
            self._leave_alone()
        except OSError:
            # It may be there again already: that shows when a connection is opened.
            pass
        else:
            self._line = line
            return True
        self._line = None
        line.close()
        return False

    def _begin_opening(self) -> None:
        # The interpreter waits for it when it ends.
        self._opening = threading.Thread(target=self._open, name="bell")
        try:
            self._opening.start()
        except RuntimeError:
            self._opening = None
            logger.warning("no thread could be had for the bell; listeners are told a little later")

    def _open(self) -> None:
        line = None
        try:
            line = _Line(self._url)
        except (RedisError, OSError):
            pass
        finally:
            with self._lock:
                self._opening = None
                if line is None or not self._is_rung(line):
                    self._leave_alone()

    def _leave_alone(self) -> None:
        self._away_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("Redis is away; listeners are told a little later")


@functools.cache
def _bell(url: str) -> _Bell:
    return _Bell(url)


# A child must not speak on its parent's connection, nor wait for a lock that nobody will give back.
os.register_at_fork(after_in_child=_bell.cache_clear)


def ring() -> None:
    """Say that there is something new in the log. Waits for nothing, and never raises."""
    _bell(settings.LIVE_REDIS_URL).ring()
