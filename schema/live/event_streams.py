"""graphql-sse, distinct connections: an operation whose results come as server-sent events.

    GET or POST /graphql with Accept: text/event-stream

`event: next` carries a result and `event: complete` ends the stream. Each result of a subscription has an `id`: a client
that comes back with it in `Last-Event-ID` (or in `extensions.lastEventId`) is told what it missed. A result with
`extensions.refetch` and null data says that events were lost and the present state should be queried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest
from graphql import GraphQLError, OperationType

from schema.core.documents import DocumentRefused
from schema.core.engine import Operation, may_look_inside
from schema.core.errors import RateLimited, internal_error
from schema.core.http import Refused, accepted, read_operation
from schema.core.limits import REQUESTS
from schema.live.hub import Hub, Subscription
from schema.live.outages import is_outage
from schema.live.outbox import Outbox
from schema.live.sockets import dumps, read_event_id
from schema.live.streams import Caller, StreamRefused, TokenRefused, identify, token_error, user_now

EVENT_STREAM = "text/event-stream"
# Proxies end connections on which nothing moves.
COMMENT_SECONDS = 12.0
STREAM = "stream"

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def wants_events(accept: str) -> bool:
    """Whether server-sent events are what the client likes best."""
    best = accepted(accept)
    return bool(best) and best[0][0] == EVENT_STREAM


class EventStream:
    """One request. A `Line` and the `Sink` of its one subscription."""

    def __init__(self, hub: Hub, receive: Receive, send: Send, *, headers: list[tuple[bytes, bytes]]) -> None:
        self.caller = Caller()
        self._hub = hub
        self._receive = receive
        self._send = send
        self._headers = headers
        self._outbox = Outbox(self._send_text, self._refetch, stuck=self.send_away)
        self._over = asyncio.Event()
        self._subscription: Subscription | None = None

    async def serve(self, request: HttpRequest, *, ip: str) -> None:
        """From the request to the end of the stream. Raises Refused for what is no operation."""
        try:
            sent, extensions = read_operation(request)
            self.caller, _user = await self._hub.call(
                lambda: identify(
                    request.headers.get("Authorization", ""),
                    ip=ip,
                    user_agent=request.headers.get("User-Agent", "")[:400],
                    now=datetime.now(UTC),
                )
            )
        except TokenRefused as refused:
            await self._refuse(401, token_error(refused.state))
            return
        except Refused as refused:
            await self._refuse(refused.status, refused.body)
            return
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, the client gets an answer
            away = is_outage(error)
            await self._refuse(503 if away else 500, {"errors": [internal_error(error, request_id="")]})
            return
        await self._start(200, EVENT_STREAM)
        self._hub.watch(self)
        leaving = asyncio.get_running_loop().create_task(self._wait_for_leaving())
        try:
            await self._send_text(":\n\n")
            await self._run(sent.operation, is_get=sent.is_get, after=_after(request, extensions))
            while not self._over.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._over.wait(), COMMENT_SECONDS)
                if not self._over.is_set():
                    self._outbox.put(":\n\n", stream=STREAM)
            if not leaving.done():
                await self._outbox.drained()
        except (OSError, RuntimeError):
            return
        finally:
            leaving.cancel()
            self._hub.unwatch(self)
            if self._subscription is not None:
                self._hub.unsubscribe(self._subscription)
            self._outbox.close()
        with suppress(OSError, RuntimeError):
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def told(self, position: int, result: dict[str, Any], body: dict[int, str]) -> None:
        if position not in body:
            body[position] = dumps({**result, "extensions": {"eventId": str(position)}})
        self._outbox.put(f"event: next\nid: {position}\ndata: {body[position]}\n\n", stream=STREAM)

    def ended(self) -> None:
        self._outbox.put("event: complete\ndata:\n\n")
        self._over.set()

    def fell_behind(self) -> None:
        self._outbox.fall_behind(STREAM)

    def token_refused(self, state: str) -> None:
        if not self._over.is_set():
            self._end_with(token_error(state))

    def send_away(self) -> None:
        """End without `complete`: the client comes back, to whoever serves then, and says what it has seen."""
        self._over.set()

    def _end_with(self, result: dict[str, Any]) -> None:
        self._outbox.put(f"event: next\ndata: {dumps(result)}\n\n")
        self.ended()

    async def _run(self, operation: Operation, *, is_get: bool, after: int | None) -> None:
        try:
            if await self._hub.call(self._kind, operation) is OperationType.SUBSCRIPTION:
                self._subscription = await self._hub.subscribe(operation, line=self, sink=self, after=after)
            else:
                self._end_with(await self._hub.call(self._answer, operation, is_get))
        except StreamRefused as refused:
            self._end_with({"errors": refused.errors})
        except RateLimited as limited:
            self._end_with({"errors": [{"message": limited.message, "extensions": dict(limited.extensions or {})}]})
        except TokenRefused as refused:
            self.token_refused(refused.state)
        except Refused as refused:
            self._end_with(refused.body)
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it is, the client gets an answer
            if is_outage(error):
                self.send_away()
            else:
                self._end_with({"errors": [internal_error(error, request_id="")]})

    def _kind(self, operation: Operation) -> OperationType | None:
        now = datetime.now(UTC)
        context = self.caller.context(now=now, user=user_now(self.caller, now=now))
        try:
            operation = self._hub.engine.resolved(operation, context=context)
            return self._hub.engine.operation_type(operation, is_open=may_look_inside(context))
        except (DocumentRefused, GraphQLError):
            return None

    def _answer(self, operation: Operation, is_get: bool) -> dict[str, Any]:
        """A query or a mutation. Raises Refused for a mutation in a GET, RateLimited and TokenRefused."""
        if is_get and self._kind(operation) is OperationType.MUTATION:
            raise Refused(405, "A mutation needs POST.")
        now = datetime.now(UTC)
        context = self.caller.context(now=now, user=user_now(self.caller, now=now))
        REQUESTS.spend_by(context)
        return self._hub.engine.answer(operation, context=context).body()

    async def _start(self, status: int, media: str) -> None:
        headers = [
            (b"content-type", f"{media}; charset=utf-8".encode()),
            (b"cache-control", b"no-store"),
            (b"vary", b"Accept, Authorization, Origin"),
            (b"x-accel-buffering", b"no"),
            *self._headers,
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def _refuse(self, status: int, body: dict[str, Any]) -> None:
        await self._start(status, "application/json")
        await self._send({"type": "http.response.body", "body": dumps(body).encode()})

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "http.response.body", "body": text.encode(), "more_body": True})

    def _refetch(self, stream: str) -> str:
        position = str(self._hub.cursor)
        body = dumps({"data": None, "extensions": {"refetch": True, "eventId": position}})
        return f"event: next\nid: {position}\ndata: {body}\n\n"

    async def _wait_for_leaving(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self._over.set()


def _after(request: HttpRequest, extensions: dict[str, Any]) -> int | None:
    """Where to go on: what the request says itself, or what a browser's EventSource adds when it comes back."""
    position = read_event_id(extensions.get("lastEventId"))
    return position if position is not None else read_event_id(request.headers.get("Last-Event-ID"))
