"""Connections whose client is gone without a word: pings that nobody answers end them."""

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest

from schema.live.sockets import PROTOCOL, Socket
from schema.live.streams import Caller


class NoHub:
    """Lets everybody in and tells nobody anything."""

    cursor = 0

    async def call(self, work: Any, *arguments: Any) -> Any:
        return Caller(), None

    def watch(self, line: Any) -> None: ...

    def unwatch(self, line: Any) -> None: ...


async def talk(*, answers: bool, seconds: float) -> list[dict[str, Any]]:
    """What the server does in so long, with a client that answers pings or does not."""
    done: list[dict[str, Any]] = []
    incoming: asyncio.Queue[MutableMapping[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "websocket.receive", "text": '{"type": "connection_init"}'})

    async def send(event: dict[str, Any]) -> None:
        done.append(event)
        if answers and json.loads(event.get("text", "{}")).get("type") == "ping":
            incoming.put_nowait({"type": "websocket.receive", "text": '{"type": "pong"}'})

    socket = Socket(NoHub(), incoming.get, send, ip="", user_agent="", authorization="")  # type: ignore[arg-type]
    serving = asyncio.create_task(socket.serve([PROTOCOL]))
    await asyncio.wait({serving}, timeout=seconds)
    if not serving.done():
        incoming.put_nowait({"type": "websocket.disconnect"})
        await serving
    return done


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schema.live.sockets.PING_SECONDS", 0.1)
    monkeypatch.setattr("schema.live.sockets.SILENCE_SECONDS", 0.5)


def test_a_client_that_answers_no_ping_is_closed() -> None:
    done = asyncio.run(talk(answers=False, seconds=20))
    assert done[-1] == {"type": "websocket.close", "code": 4408, "reason": "No answer to a ping"}
    assert sum("ping" in each.get("text", "") for each in done) >= 3


def test_a_client_that_answers_stays() -> None:
    done = asyncio.run(talk(answers=True, seconds=1.5))
    assert [each for each in done if each["type"] == "websocket.close"] == []
