"""A WSGI application behind an ASGI server."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from booking.bridge import LARGEST_BODY, BodyTooSlow, Bridge, read_body
from schema.core.deadlines import ENVIRON_KEY, Deadline


def ask(
    application: Callable[..., Iterable[bytes]], *parts: bytes, leaves: bool = False, **scope: Any
) -> list[dict[str, Any]]:
    """What the server is told to send."""
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": "http.disconnect"} if leaves else {"type": "http.request", "body": b""})

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    given = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/a",
        "query_string": b"b=c",
        "scheme": "http",
        "server": ("127.0.0.1", "80"),
        "client": ("10.0.0.1", "5"),
        "headers": [],
        **scope,
    }
    bridge = Bridge(application, threads=1)
    asyncio.run(bridge(given, receive, send))
    bridge.close()
    return sent


def test_request_and_answer_arrive_whole() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ, body=environ["wsgi.input"].read())
        start("201 Created", [("X-One", "1"), ("X-One", "2")])
        return [b"he", b"llo"]

    headers = [
        (b"x-forwarded-for", b"1"),
        (b"x-forwarded-for", b"2"),
        (b"x_forwarded_for", b"3"),
        (b"content-length", b"4"),
    ]
    start, body = ask(application, b"ab", b"cd", headers=headers, path="/caf\u00e9")
    assert start["status"] == 201
    assert start["headers"] == [(b"x-one", b"1"), (b"x-one", b"2")]
    assert body["body"] == b"hello"
    assert seen["body"] == b"abcd"
    assert (seen["HTTP_X_FORWARDED_FOR"], seen["CONTENT_LENGTH"], seen["REMOTE_ADDR"]) == ("1,2", "4", "10.0.0.1")
    assert (seen["PATH_INFO"].encode("latin-1").decode(), seen["QUERY_STRING"]) == ("/caf\u00e9", "b=c")


def never(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    raise AssertionError("the application must not be asked")


def test_a_body_that_is_too_large_is_refused_unread() -> None:
    start, _body = ask(never, *[b"x" * 1_000_000] * (LARGEST_BODY // 1_000_000 + 1))
    assert start["status"] == 413


def test_a_body_that_breaks_off_is_refused() -> None:
    start, body = ask(never, b"half", leaves=True)
    assert (start["status"], dict(start["headers"])[b"connection"]) == (400, b"close")
    assert json.loads(body["body"])["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking.bridge.BODY_SECONDS", 0.05)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(300)
        raise AssertionError("nothing comes")

    with pytest.raises(BodyTooSlow) as raised:
        asyncio.run(read_body(receive))
    assert raised.value.answer[0] == 408


def test_what_comes_of_a_body_buys_time_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("booking.bridge.BODY_SECONDS", 0.05)
    monkeypatch.setattr("booking.bridge.BYTES_A_SECOND", 0.001)
    parts = [b"end", b"first"]

    async def receive() -> dict[str, Any]:
        if len(parts) == 1:
            await asyncio.sleep(0.1)
        return {"type": "http.request", "body": parts.pop(), "more_body": bool(parts)}

    with asyncio.run(read_body(receive)) as body:
        assert body.read() == b"firstend"


def test_a_body_in_chunks_has_its_length() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        start("200 OK", [])
        return []

    ask(application, b"ab", b"cde", headers=[(b"transfer-encoding", b"chunked")])
    assert seen["CONTENT_LENGTH"] == "5"


class Visitor:
    """A request that a test follows: what the server is told, and when its client leaves."""

    def __init__(self, bridge: Bridge) -> None:
        self.sent: list[dict[str, Any]] = []
        self.leaves = asyncio.Event()
        self._body = [{"type": "http.request", "body": b""}]
        self.task = asyncio.ensure_future(bridge(SCOPE, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if self._body:
            return self._body.pop()
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)


SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "path": "/",
    "query_string": b"",
    "headers": [],
}


def answering(work: Callable[[Deadline], None]) -> Callable[..., Iterable[bytes]]:
    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        work(environ[ENVIRON_KEY])
        start("200 OK", [])
        return [b"done"]

    return application


def test_who_leaves_the_queue_costs_nothing_more() -> None:
    go_on = threading.Event()
    seen: list[Deadline] = []

    def work(deadline: Deadline) -> None:
        seen.append(deadline)
        go_on.wait(300)

    async def story() -> None:
        bridge = Bridge(answering(work), threads=1)
        first, second, third = Visitor(bridge), Visitor(bridge), Visitor(bridge)
        while not seen:
            await asyncio.sleep(0.01)
        second.leaves.set()
        await asyncio.wait_for(second.task, 300)
        assert second.sent == []
        go_on.set()
        await asyncio.wait_for(asyncio.gather(first.task, third.task), 300)
        assert [visitor.sent[1]["body"] for visitor in (first, third)] == [b"done"] * 2
        bridge.close()

    asyncio.run(story())
    assert len(seen) == 2
    assert not any(deadline.is_gone for deadline in seen)


def test_who_leaves_while_being_answered_is_noticed() -> None:
    seen: list[Deadline] = []

    def work(deadline: Deadline) -> None:
        seen.append(deadline)
        waited = threading.Event()
        for _ in range(3_000):
            if deadline.is_over():
                return
            waited.wait(0.01)

    async def story() -> None:
        bridge = Bridge(answering(work), threads=1)
        visitor = Visitor(bridge)
        while not seen:
            await asyncio.sleep(0.01)
        visitor.leaves.set()
        await asyncio.wait_for(visitor.task, 300)
        assert visitor.sent == []
        bridge.close()

    asyncio.run(story())
    assert seen[0].is_gone


def test_who_waited_too_long_is_told_to_come_back() -> None:
    ran: list[Deadline] = []

    async def story() -> None:
        bridge = Bridge(answering(ran.append), threads=1, seconds=0)
        visitor = Visitor(bridge)
        await asyncio.wait_for(visitor.task, 300)
        assert visitor.sent[0]["status"] == 503
        assert (b"retry-after", b"5") in visitor.sent[0]["headers"]
        (error,) = json.loads(visitor.sent[1]["body"])["errors"]
        assert error["extensions"] == {"code": "RATE_LIMITED", "retryAfter": 5}
        bridge.close()

    asyncio.run(story())
    assert ran == []
