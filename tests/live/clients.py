"""Clients of what is pushed: graphql-transport-ws and server-sent events, by hand, so that a test sees each message."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

PATIENCE_SECONDS = 300.0
QUIET_SECONDS = 0.6

Result = TypeVar("Result")


def run(test: Coroutine[Any, Any, Result]) -> Result:
    async def bounded() -> Result:
        return await asyncio.wait_for(test, 900)

    return asyncio.run(bounded())


class SocketClient:
    """One WebSocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        # What came in before it was asked for.
        self._early: deque[dict[str, Any]] = deque()
        self._marks = itertools.count()

    async def send(self, message: Any) -> None:
        await self.connection.send(message if isinstance(message, str | bytes) else json.dumps(message))

    async def receive(self, *, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """The next message that is no ping."""
        return self._early.popleft() if self._early else await self._heard(seconds)

    async def _heard(self, seconds: float) -> dict[str, Any]:
        while True:
            message: dict[str, Any] = json.loads(await asyncio.wait_for(self.connection.recv(), seconds))
            if message["type"] != "ping":
                return message

    async def init(self, **payload: Any) -> dict[str, Any]:
        await self.send({"type": "connection_init", "payload": payload})
        return await self.receive()

    async def subscribe(self, key: str, query: str, variables: Any = None, **extensions: Any) -> None:
        """Sends the subscription, and waits until the server has dealt with it, so that what happens next is told."""
        payload = {"query": query, "variables": variables or {}, "extensions": extensions}
        await self.send({"type": "subscribe", "id": key, "payload": payload})
        await self._until_read()
        await asyncio.sleep(0.3)

    async def _until_read(self) -> None:
        """Until the server has read what was sent so far, however busy it is: it answers in the order in which it reads."""
        pong = {"type": "pong", "payload": {"mark": next(self._marks)}}
        with suppress(ConnectionClosed):
            await self.send({**pong, "type": "ping"})
            while (message := await self._heard(PATIENCE_SECONDS)) != pong:
                self._early.append(message)

    async def next(self, key: str) -> dict[str, Any]:
        """The next result of the subscription."""
        message = await self.receive()
        assert (message["type"], message["id"]) == ("next", key), message
        payload: dict[str, Any] = message["payload"]
        return payload

    async def is_quiet(self, *, seconds: float = QUIET_SECONDS) -> bool:
        try:
            message = await self.receive(seconds=seconds)
        except TimeoutError:
            return True
        raise AssertionError(f"not quiet: {message}")

    async def closing(self) -> tuple[int | None, str | None]:
        """Code and reason with which the server closes."""
        try:
            while True:
                await asyncio.wait_for(self.connection.recv(), PATIENCE_SECONDS)
        except ConnectionClosed:
            return self.connection.close_code, self.connection.close_reason


@asynccontextmanager
async def socket(url: str, *, protocol: str = "graphql-transport-ws", **options: Any) -> AsyncIterator[SocketClient]:
    """A connection to the site at `http://...`, without connection_init."""
    address = f"{url.replace('http', 'ws', 1)}/graphql"
    async with connect(address, subprotocols=[protocol], max_queue=None, **options) as connection:  # type: ignore[list-item]
        yield SocketClient(connection)


@asynccontextmanager
async def greeted(url: str, *, token: str | None = None, **payload: Any) -> AsyncIterator[SocketClient]:
    """A connection that was acknowledged."""
    async with socket(url) as client:
        if token is not None:
            payload["Authorization"] = f"Bearer {token}"
        assert (await client.init(**payload))["type"] == "connection_ack"
        yield client


class EventClient:
    """One stream of server-sent events."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def receive(self) -> dict[str, str]:
        """The fields of the next event that is no comment."""
        fields: dict[str, str] = {}
        while True:
            line = await asyncio.wait_for(anext(self._lines), PATIENCE_SECONDS)
            if not line and fields:
                return fields
            name, colon, value = line.partition(":")
            if name and colon:
                fields[name] = value.removeprefix(" ")

    async def next(self) -> dict[str, Any]:
        event = await self.receive()
        assert event["event"] == "next", event
        data: dict[str, Any] = json.loads(event["data"])
        return data


@asynccontextmanager
async def events(
    url: str, query: str, variables: Any = None, *, token: str | None = None, last_event_id: str | None = None
) -> AsyncIterator[EventClient]:
    """A stream that has begun."""
    headers = {"Accept": "text/event-stream"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if last_event_id is not None:
        headers["Last-Event-ID"] = last_event_id
    body = {"query": query, "variables": variables or {}}
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        if response.status_code == 200:
            await asyncio.sleep(0.3)
        yield EventClient(response)
