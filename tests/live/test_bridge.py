"""A WSGI application behind an ASGI server."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from booking.bridge import LARGEST_BODY, Bridge


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


def test_who_left_before_the_end_is_not_answered() -> None:
    assert ask(never, b"half", leaves=True) == []


def test_a_body_in_chunks_has_its_length() -> None:
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        start("200 OK", [])
        return []

    ask(application, b"ab", b"cde", headers=[(b"transfer-encoding", b"chunked")])
    assert seen["CONTENT_LENGTH"] == "5"
