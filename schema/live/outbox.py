"""What waits to be sent to one client. It never grows beyond its bounds, however slowly the client reads.

A subscription whose events do not fit any more loses all that wait for it, and its client is told once to query the
present state again. A client that does not take a single message for a while is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

# What may wait of subscriptions, in messages and in characters.
MOST_MESSAGES = 128
MOST_BYTES = 250_000
# What may wait in all, with the answers that must arrive.
MOST_MESSAGES_IN_ALL = 2 * MOST_MESSAGES
MOST_BYTES_IN_ALL = 4_000_000
# How long one message may take to leave.
SEND_SECONDS = 60.0


class Overflow(Exception):
    """More waits than can be dropped: the client asks without reading the answers."""


@dataclass(slots=True)
class Message:
    """`text` is sent as it is. `stream` is the subscription that may lose it; None for what must arrive."""

    text: str
    stream: str | None = None


class Outbox:
    """Sends in order, one at a time. `refetch` makes the message that a subscription gets instead of what it lost; `stuck`
    is called when the client took nothing for SEND_SECONDS, and nothing is sent any more.
    """

    def __init__(
        self, send: Callable[[str], Awaitable[None]], refetch: Callable[[str], str], *, stuck: Callable[[], None]
    ) -> None:
        self._send = send
        self._stuck = stuck
        self._refetch = refetch
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._behind: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def put(self, text: str, *, stream: str | None = None) -> None:
        """Raises Overflow."""
        if self._closed or stream in self._behind:
            return
        # Where nothing waits there is room for any message, however large.
        if stream is not None and self._is_beyond(text, MOST_MESSAGES, MOST_BYTES):
            self.fall_behind(stream)
            return
        if stream is None and self._is_beyond(text, MOST_MESSAGES_IN_ALL, MOST_BYTES_IN_ALL):
            raise Overflow
        self._append(Message(text, stream))

    def fall_behind(self, stream: str) -> None:
        """Drop what waits for the subscription; its client is told to query again when it reads on."""
        if stream in self._behind:
            return
        kept = [message for message in self._waiting if message.stream != stream]
        self._waiting = deque(kept)
        self._bytes = sum(len(message.text) for message in kept)
        self._behind.add(stream)
        # Its text is made when it is sent: what happens until then is covered by it.
        self._append(Message("", stream))

    def forget(self, stream: str) -> None:
        """The subscription is over: nothing of it is sent any more."""
        self._waiting = deque(message for message in self._waiting if message.stream != stream)
        self._bytes = sum(len(message.text) for message in self._waiting)
        self._behind.discard(stream)

    def close(self) -> None:
        """Send nothing any more."""
        self._closed = True
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()

    async def drained(self) -> None:
        """Returns when all that waits now is sent."""
        while self._task is not None and not self._closed:
            await asyncio.wait({self._task})

    def _is_beyond(self, text: str, messages: int, size: int) -> bool:
        return bool(self._waiting) and (len(self._waiting) >= messages or self._bytes + len(text) > size)

    def _append(self, message: Message) -> None:
        self._waiting.append(message)
        self._bytes += len(message.text)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._waiting:
                message = self._waiting.popleft()
                self._bytes -= len(message.text)
                text = message.text
                if message.stream is not None and not text:
                    self._behind.discard(message.stream)
                    text = self._refetch(message.stream)
                async with asyncio.timeout(SEND_SECONDS):
                    await self._send(text)
        except TimeoutError:
            self.close()
            self._stuck()
        except (OSError, RuntimeError):
            # The client is gone; whoever reads from it notices.
            self._closed = True
            self._waiting.clear()
        finally:
            self._task = None
