"""The ASGI entry point: all that is served, on one port.

WebSockets and server-sent events are served on the event loop, plain HTTP by the WSGI application in threads: Django's own
handler is several times slower under ASGI. `booking.wsgi` alone serves all but what is pushed.
"""

import asyncio
import os
from collections.abc import MutableMapping
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "booking.settings")

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

from apps.audit.origin import address_of
from apps.core.metrics import OPEN_SOCKETS, SOCKETS_REFUSED
from booking.bridge import Answer, BodyRefused, Bridge, Receive, Send, read_body, refusal
from booking.headers import raw_headers
from booking.shutdown import is_stopping, is_watched
from booking.watching.pages import PATHS, page
from booking.wsgi import application as wsgi
from schema.core.errors import Code
from schema.live.event_streams import EventStream, wants_events
from schema.live.hub import Hub
from schema.live.room import Room
from schema.live.sockets import Socket
from schema.views import engine

PATH = "/graphql"
STREAM_HEADERS = raw_headers()
TOO_MANY_LISTEN = refusal(
    503, "Too many listen already.", (b"retry-after", b"10"), code=Code.RATE_LIMITED, retryAfter=10
)
# How soon the process notices that it is to stop, and how long it leaves the proxy to notice, in seconds.
STOPPING_LOOK_SECONDS = 0.2
STOPPING_PAUSE_SECONDS = 1.0

_http = Bridge(wsgi, threads=settings.HTTP_THREADS, seconds=settings.REQUEST_SECONDS)
_hubs: list[Hub] = []
_room = Room()
# Whoever is being told things now.
_listening: set[Socket | EventStream] = set()


def _hub() -> Hub:
    """The hub of this process, started with the first who needs it."""
    if not _hubs:
        _hubs.append(Hub(engine()))
        _hubs[0].start()
    return _hubs[0]


async def application(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await _serve_socket(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["path"] in PATHS:
        await _be_watched(scope, send)
    elif scope["path"] == PATH and scope["method"] in {"GET", "POST"} and wants_events(_header(scope, b"accept")):
        await _serve_events(scope, receive, send)
    else:
        await _http(scope, receive, send)


async def _live(receive: Receive, send: Send) -> None:
    farewell = asyncio.create_task(_send_listeners_away()) if is_watched() else None
    while True:
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            if farewell is not None:
                farewell.cancel()
            for hub in _hubs:
                await hub.stop()
            _http.close()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _send_listeners_away() -> None:
    """Once this process is to stop, whoever listens is told to come back: to another, and with the last event it saw."""
    while not is_stopping():
        await asyncio.sleep(STOPPING_LOOK_SECONDS)
    await asyncio.sleep(STOPPING_PAUSE_SECONDS)
    while True:
        for listener in list(_listening):
            listener.send_away()
            await asyncio.sleep(0)
        await asyncio.sleep(STOPPING_LOOK_SECONDS)


async def _be_watched(scope: MutableMapping[str, Any], send: Send) -> None:
    """Probes are answered beside the threads of requests, all of which may be waiting for what is being probed."""
    authorization = _header(scope, b"authorization")
    answer = await asyncio.to_thread(page, scope["method"], scope["path"], authorization=authorization)
    headers = [(name.lower().encode(), text.encode()) for name, text in answer.all_headers().items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})


def _header(scope: MutableMapping[str, Any], name: bytes) -> str:
    return b",".join(value for each, value in scope["headers"] if each == name).decode("latin-1")


def _request(scope: MutableMapping[str, Any], body: Any) -> ASGIRequest:
    return ASGIRequest({**scope, "type": "http", "method": scope.get("method", "GET")}, body)


def _is_welcome(request: ASGIRequest) -> bool:
    """Whether the host is ours and the page that asks, if one does, is ours too or one that may read our answers."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return False
    origin = request.headers.get("Origin")
    return origin is None or origin in settings.CORS_ALLOWED_ORIGINS or urlsplit(origin).netloc == host


async def _serve_socket(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    visitor = _visitor(scope)
    if visitor is None:
        await send({"type": "websocket.close", "code": 4403})
        return
    if not _room.enter(visitor["ip"]):
        SOCKETS_REFUSED.labels("websocket").inc()
        # Accepted first: a client learns the code of a connection only.
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1013, "reason": "Try again later"})
        return
    OPEN_SOCKETS.labels("websocket").inc()
    socket = Socket(_hub(), receive, send, **visitor)
    _listening.add(socket)
    try:
        await socket.serve(scope["subprotocols"])
    finally:
        _listening.discard(socket)
        OPEN_SOCKETS.labels("websocket").dec()
        _room.leave(visitor["ip"])


def _visitor(scope: MutableMapping[str, Any]) -> dict[str, str] | None:
    """What a socket needs to know of its handshake, all else of which is forgotten; None for who is not welcome."""
    request = _request(scope, BytesIO())
    if scope["path"] != PATH or not _is_welcome(request):
        return None
    return {
        "ip": address_of(request),
        "user_agent": request.headers.get("User-Agent", "")[:400],
        "authorization": request.headers.get("Authorization", ""),
    }


async def _serve_events(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    try:
        with await read_body(receive) as body:
            request = _request(scope, BytesIO(body.read()))
    except BodyRefused as refused:
        await _say(send, refused.answer)
        return
    if not _is_welcome(request):
        await _say(send, refusal(400, "Unknown host or origin."))
        return
    address = address_of(request)
    if not _room.enter(address):
        SOCKETS_REFUSED.labels("events").inc()
        await _say(send, TOO_MANY_LISTEN)
        return
    OPEN_SOCKETS.labels("events").inc()
    origin = request.headers.get("Origin")
    headers = [(b"access-control-allow-origin", origin.encode("latin-1"))] if origin else []
    headers += STREAM_HEADERS
    stream = EventStream(_hub(), receive, send, headers=headers)
    _listening.add(stream)
    try:
        await stream.serve(request, ip=address)
    finally:
        _listening.discard(stream)
        OPEN_SOCKETS.labels("events").dec()
        _room.leave(address)


async def _say(send: Send, answer: Answer) -> None:
    status, headers, parts = answer
    await send({"type": "http.response.start", "status": status, "headers": [*STREAM_HEADERS, *headers]})
    await send({"type": "http.response.body", "body": b"".join(parts)})
