"""graphql-transport-ws: GraphQL over WebSocket, as https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md says.

`connection_init` may carry `Authorization` ("Bearer <access token>") and `lastEventId`: subscriptions that begin right
after it are first told what they missed since that event, and so is one with `extensions.lastEventId`. Every `next` of a
subscription carries its own in `extensions.eventId`; one with `extensions.refetch` and null data says that events were
lost and the present state should be queried.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
from graphql import OperationType

from schema.core.documents import DocumentRefused
from schema.core.engine import Operation, may_look_inside
from schema.core.errors import Code, RateLimited, internal_error
from schema.core.limits import REQUESTS
from schema.live.hub import Hub, Subscription
from schema.live.outages import is_outage
from schema.live.outbox import Outbox, Overflow
from schema.live.streams import Caller, StreamRefused, TokenRefused, identify, user_now

logger = logging.getLogger(__name__)

PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 5.0
PING_SECONDS = 30.0
# A client that sent nothing for so long, not even the answer to a ping, is gone.
SILENCE_SECONDS = 300.0
FAREWELL_SECONDS = 5.0
MOST_OPERATIONS = 50
LARGEST_MESSAGE = 256_000
LONGEST_ID = 200
# A client that comes back names the last event once; what it subscribes to later is new.
RESUME_SECONDS = 10.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def dumps(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS).decode()


def read_event_id(value: object) -> int | None:
    """The position that a client names; None when it names none, -1 for what none can be."""
    if value is None or value == "":
        return None
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1


class Closing(Exception):
    """The protocol ends the connection with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Running:
    """An operation of a socket: a task, and once it is a subscription its place at the hub. A `Sink`."""

    def __init__(self, socket: Socket, key: str) -> None:
        self._socket = socket
        self.key = key
        self.task: asyncio.Task[None] | None = None
        self.subscription: Subscription | None = None

    def told(self, position: int, result: dict[str, Any], body: dict[int, str]) -> None:
        if position not in body:
            body[position] = dumps({**result, "extensions": {"eventId": str(position)}})
        self._socket.put(f'{{"id":{dumps(self.key)},"type":"next","payload":{body[position]}}}', stream=self.key)

    def ended(self) -> None:
        self._socket.finish(self, complete=True)

    def fell_behind(self) -> None:
        self._socket.outbox.fall_behind(self.key)


class Socket:
    """One connection. A `Line`."""

    def __init__(self, hub: Hub, receive: Receive, send: Send, *, ip: str, user_agent: str, authorization: str) -> None:
        self.caller = Caller(ip=ip, user_agent=user_agent)
        self.outbox = Outbox(self._send_text, self._refetch, stuck=self._is_stuck)
        self._hub = hub
        self._receive = receive
        self._send = send
        self._authorization = authorization
        self._running: dict[str, Running] = {}
        self._is_greeted = False
        self._is_open = False
        self._resume: tuple[int, float] | None = None
        self._reading: asyncio.Future[MutableMapping[str, Any]] | None = None
        self._farewell: Closing | None = None
        self._heard_at = time.monotonic()

    async def serve(self, subprotocols: list[str]) -> None:
        """From the handshake to the end of the connection."""
        if PROTOCOL not in subprotocols:
            await self._send({"type": "websocket.accept"})
            await self._send({"type": "websocket.close", "code": 4406, "reason": "Subprotocol not acceptable"})
            return
        await self._send({"type": "websocket.accept", "subprotocol": PROTOCOL})
        timers = [asyncio.get_running_loop().call_later(INIT_SECONDS, self._greeting_is_late)]
        self._schedule_ping(timers)
        try:
            await self._read()
        finally:
            for timer in timers:
                timer.cancel()
            self._release()
        if self._farewell is not None:
            closing = {"type": "websocket.close", "code": self._farewell.code, "reason": self._farewell.reason}
            # TimeoutError is an OSError: who reads nothing is not waited for.
            with suppress(OSError, RuntimeError):
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await self._send(closing)

    async def _read(self) -> None:
        """Until the client leaves or we close. Closing cancels the wait for a message: the server (granian) sends no close
        frame while somebody waits.
        """
        while self._farewell is None:
            self._reading = asyncio.ensure_future(self._receive())
            try:
                message = await self._reading
            except asyncio.CancelledError:
                if self._farewell is None:
                    raise
                return
            finally:
                self._reading = None
            if message["type"] == "websocket.disconnect":
                return
            self._heard_at = time.monotonic()
            await self._take(message)

    def put(self, text: str, *, stream: str | None = None) -> None:
        try:
            self.outbox.put(text, stream=stream)
        except Overflow:
            self.close(4400, "Too many messages wait to be read")

    def close(self, code: int, reason: str) -> None:
        """Say why and end the connection; what still waits is not sent."""
        if self._farewell is None:
            self._farewell = Closing(code, reason)
            self._release()
            if self._reading is not None:
                self._reading.cancel()

    def send_away(self) -> None:
        """Have the client come back, to whoever serves then; it says what it has seen when it does."""
        self.close(1013, "Try again later")

    def _is_away(self, error: Exception) -> bool:
        """Whether the database is; the client is then sent away."""
        if is_outage(error):
            self.send_away()
            return True
        return False

    def token_refused(self, state: str) -> None:
        self.close(4403, "The access token has expired" if state == "EXPIRED" else "The access token is not valid")

    def finish(self, running: Running, *, complete: bool) -> None:
        """Forget an operation; with `complete` the client is told so."""
        if self._running.get(running.key) is not running:
            return
        del self._running[running.key]
        if running.subscription is not None:
            self._hub.unsubscribe(running.subscription)
        if complete:
            self.put(dumps({"id": running.key, "type": "complete"}))

    def _release(self) -> None:
        self._hub.unwatch(self)
        self.outbox.close()
        for running in list(self._running.values()):
            if running.subscription is not None:
                self._hub.unsubscribe(running.subscription)
            if running.task is not None:
                running.task.cancel()
        self._running.clear()

    def _greeting_is_late(self) -> None:
        if not self._is_greeted:
            self.close(4408, "Connection initialisation timeout")

    def _is_stuck(self) -> None:
        self.close(4408, "Nothing was read for too long")

    def _schedule_ping(self, timers: list[asyncio.TimerHandle]) -> None:
        def ping() -> None:
            if time.monotonic() - self._heard_at > SILENCE_SECONDS:
                self.close(4408, "No answer to a ping")
            elif self._farewell is None and self._is_open:
                self.put('{"type":"ping"}')
            self._schedule_ping(timers)

        del timers[1:]
        timers.append(asyncio.get_running_loop().call_later(PING_SECONDS, ping))

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    def _refetch(self, stream: str) -> str:
        extensions = {"refetch": True, "eventId": str(self._hub.cursor)}
        return dumps({"id": stream, "type": "next", "payload": {"data": None, "extensions": extensions}})

    async def _take(self, message: MutableMapping[str, Any]) -> None:
        try:
            text = message.get("text")
            if text is None:
                raise Closing(4400, "Messages must be text")
            if len(text) > LARGEST_MESSAGE:
                raise Closing(4400, "The message is too large")
            await self._handle(read_message(text))
        except Closing as closing:
            self.close(closing.code, closing.reason)
        except Exception as error:
            if self._is_away(error):
                return
            logger.exception("a socket failed")
            self.close(1011, "Internal error")

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "connection_init":
                await self._greet(message.get("payload"))
            case "ping":
                payload = message.get("payload")
                self.put(dumps({"type": "pong", **({"payload": payload} if payload is not None else {})}))
            case "pong":
                pass
            case "subscribe":
                self._begin(message)
            case "complete":
                self._cancel(message.get("id"))
            case _:
                raise Closing(4400, "The message has an unknown type")

    async def _greet(self, payload: Any) -> None:
        if self._is_greeted:
            raise Closing(4429, "Too many initialisation requests")
        if payload is not None and not isinstance(payload, dict):
            raise Closing(4400, "The payload must be an object")
        self._is_greeted = True
        given = payload or {}
        header = given.get("Authorization", given.get("authorization", self._authorization))
        if header is not None and not isinstance(header, str):
            raise Closing(4403, "The access token is not valid")
        try:
            self.caller, _user = await self._hub.call(
                lambda: identify(
                    header or "", ip=self.caller.ip, user_agent=self.caller.user_agent, now=datetime.now(UTC)
                )
            )
        except TokenRefused as refused:
            self.token_refused(refused.state)
            return
        if (position := read_event_id(given.get("lastEventId"))) is not None:
            self._resume = (position, time.monotonic() + RESUME_SECONDS)
        self._is_open = True
        self._hub.watch(self)
        self.put('{"type":"connection_ack"}')

    def _begin(self, message: dict[str, Any]) -> None:
        if not self._is_open:
            raise Closing(4401, "Unauthorized")
        key, payload = message.get("id"), message.get("payload")
        if not isinstance(key, str) or not 0 < len(key) <= LONGEST_ID:
            raise Closing(4400, "The id must be a text")
        operation, extensions = read_payload(payload)
        if key in self._running:
            raise Closing(4409, f"Subscriber for {key} already exists"[:120])
        if len(self._running) >= MOST_OPERATIONS:
            error = f"At most {MOST_OPERATIONS} operations can run on a connection at once."
            self._refuse(key, [{"message": error, "extensions": {"code": Code.RATE_LIMITED, "retryAfter": 1}}])
            return
        running = self._running[key] = Running(self, key)
        running.task = asyncio.get_running_loop().create_task(self._run(running, operation, extensions))

    def _cancel(self, key: Any) -> None:
        if not isinstance(key, str):
            raise Closing(4400, "The id must be a text")
        running = self._running.get(key)
        if running is not None:
            self.finish(running, complete=False)
            self.outbox.forget(key)
            if running.task is not None:
                running.task.cancel()

    def _after(self, extensions: dict[str, Any]) -> int | None:
        position = read_event_id(extensions.get("lastEventId"))
        if position is None and self._resume is not None and time.monotonic() < self._resume[1]:
            position = self._resume[0]
        return position

    async def _run(self, running: Running, operation: Operation, extensions: dict[str, Any]) -> None:
        try:
            if await self._hub.call(self._is_subscription, operation):
                running.subscription = await self._hub.subscribe(
                    operation, line=self, sink=running, after=self._after(extensions)
                )
                if self._running.get(running.key) is not running:
                    self._hub.unsubscribe(running.subscription)
                return
            executed, body = await self._hub.call(self._answer, operation)
            if self._running.get(running.key) is not running:
                return
            if not executed:
                self._fail(running, body["errors"])
                return
            self.put(f'{{"id":{dumps(running.key)},"type":"next","payload":{dumps(body)}}}')
            self.finish(running, complete=True)
        except StreamRefused as refused:
            self._fail(running, refused.errors)
        except RateLimited as limited:
            self._fail(running, [{"message": limited.message, "extensions": dict(limited.extensions or {})}])
        except TokenRefused as refused:
            self.token_refused(refused.state)
        except Exception as error:  # noqa: BLE001, RUF100 - one operation's bug must not end the others
            if self._is_away(error):
                return
            self._fail(running, [internal_error(error, request_id="")])

    def _fail(self, running: Running, errors: list[dict[str, Any]]) -> None:
        if self._running.get(running.key) is running:
            self.finish(running, complete=False)
            self._refuse(running.key, errors)

    def _refuse(self, key: str, errors: list[dict[str, Any]]) -> None:
        self.put(dumps({"id": key, "type": "error", "payload": errors}))

    def _is_subscription(self, operation: Operation) -> bool:
        """Whether it is one; what is no valid document is refused where it is answered."""
        now = datetime.now(UTC)
        context = self.caller.context(now=now, user=user_now(self.caller, now=now))
        try:
            kind = self._hub.engine.operation_type(operation, is_open=may_look_inside(context))
        except DocumentRefused:
            return False
        return kind is OperationType.SUBSCRIPTION

    def _answer(self, operation: Operation) -> tuple[bool, dict[str, Any]]:
        """A query or a mutation: the same as over HTTP. Raises RateLimited and TokenRefused."""
        now = datetime.now(UTC)
        context = self.caller.context(now=now, user=user_now(self.caller, now=now))
        REQUESTS.spend_by(context)
        answer = self._hub.engine.answer(operation, context=context)
        return answer.executed, answer.body()


def read_message(text: str) -> dict[str, Any]:
    """Raises Closing (4400)."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Closing(4400, "The message is not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Closing(4400, "The message must be an object with a type")
    return message


def read_payload(payload: Any) -> tuple[Operation, dict[str, Any]]:
    """The operation of a `subscribe` message, and its extensions. Raises Closing (4400)."""
    if not isinstance(payload, dict) or not isinstance(payload.get("query"), str):
        raise Closing(4400, "The payload must be an object with a query")
    variables, name, extensions = (payload.get(each) for each in ("variables", "operationName", "extensions"))
    if variables is not None and not isinstance(variables, dict):
        raise Closing(4400, "The variables must be an object")
    if name is not None and not isinstance(name, str):
        raise Closing(4400, "The operationName must be a text")
    if extensions is not None and not isinstance(extensions, dict):
        raise Closing(4400, "The extensions must be an object")
    return Operation(query=payload["query"], variables=variables or {}, name=name or None), extensions or {}
