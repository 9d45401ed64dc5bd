"""Serves a WSGI application from an ASGI server: the whole body is read, threads answer, the whole answer is sent."""

import asyncio
import json
import math
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Future, ThreadPoolExecutor
from io import SEEK_END
from tempfile import SpooledTemporaryFile
from typing import Any

from schema.core.deadlines import ENVIRON_KEY, Deadline
from schema.core.errors import Code

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = tuple[int, list[tuple[bytes, bytes]], list[bytes]]

# In bytes. More than the largest body that any address takes; larger ones are not even read.
LARGEST_BODY = 32_000_000
KEPT_IN_MEMORY = 1_000_000
UNWATCHED_SECONDS = 0.1
# How long a body may take, and how many bytes of it buy one more second. An open connection costs memory, and nothing else ends it.
BODY_SECONDS = 20.0
BYTES_A_SECOND = 10_000
RETRY_SECONDS = 5


def refusal(
    status: int, message: str, *headers: tuple[bytes, bytes], code: str = Code.BAD_USER_INPUT, **extensions: int
) -> Answer:
    """The answer to who is not let in, in the form of GraphQL's errors."""
    body = {"errors": [{"message": message, "extensions": {"code": code, **extensions}}]}
    kind = [(b"content-type", b"application/json; charset=utf-8"), (b"cache-control", b"no-store")]
    return status, [*kind, *headers], [json.dumps(body).encode()]


TOO_LATE = refusal(
    503,
    "Too many requests wait. Try again.",
    (b"retry-after", b"%d" % RETRY_SECONDS),
    code=Code.RATE_LIMITED,
    retryAfter=RETRY_SECONDS,
)


class BodyRefused(Exception):
    """The body cannot be taken; `answer` says so."""

    answer: Answer


class BodyTooLarge(BodyRefused):
    """The body is larger than any that is taken."""

    answer = refusal(413, f"The body must have at most {LARGEST_BODY} bytes.", (b"connection", b"close"))


class BodyTooSlow(BodyRefused):
    """The rest of the body did not come in time."""

    answer = refusal(408, "The body came too slowly.", (b"connection", b"close"))


class BodyBroken(BodyRefused):
    """The body ended before its end: its chunks are none, or the client has left, and then nobody reads the answer."""

    answer = refusal(400, "The body could not be read.", (b"connection", b"close"))


class Gone(Exception):
    """The client left while it was being answered."""


class Bridge:
    """`threads` requests are answered at once; the others wait in order, `seconds` at most with the answering.

    Who leaves while waiting is taken out of the queue, and whoever waited too long is told to come back.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], *, threads: int, seconds: float = math.inf) -> None:
        self._application = application
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, "http")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        try:
            with await read_body(receive) as body:
                # A body that came in chunks has not said how long it is, and Django reads what it is told to read.
                deadline = Deadline(seconds=self._seconds)
                environ = {
                    **environ_of(scope, body),
                    "CONTENT_LENGTH": str(_length(body)),
                    ENVIRON_KEY: deadline,
                }
                job = self._pool.submit(self._call, environ, deadline)
                status, headers, parts = await _unless_gone(job, receive, deadline)
        except Gone:
            return
        except BodyRefused as refused:
            status, headers, parts = refused.answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"".join(parts)})

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _call(self, environ: dict[str, Any], deadline: Deadline) -> Answer:
        if deadline.is_over():
            return TOO_LATE
        started: list[tuple[str, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], None]:
            started.append((status, headers))
            return parts.append

        parts: list[bytes] = []
        answer = self._application(environ, start_response)
        try:
            parts.extend(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        status, headers = started[-1]
        encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return int(status.partition(" ")[0]), encoded, parts


async def _unless_gone(job: Future[Answer], receive: Receive, deadline: Deadline) -> Answer:
    """The job's answer. Raises Gone when the client leaves before; a job that has not begun then never does."""
    answer = asyncio.wrap_future(job)
    # Most are answered before it is worth to look.
    done, _ = await asyncio.wait({answer}, timeout=UNWATCHED_SECONDS)
    if done:
        return answer.result()
    leaving = asyncio.ensure_future(_disconnected(receive))
    awaited: set[asyncio.Future[Any]] = {answer, leaving}
    try:
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        deadline.is_gone = True
        if not job.cancel():
            # The body is read from a file of ours until the end.
            await asyncio.wait({answer})
        raise Gone
    finally:
        leaving.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def read_body(receive: Receive) -> SpooledTemporaryFile[bytes]:
    """The request's body, from its beginning. Raises BodyTooLarge, BodyTooSlow and BodyBroken."""
    body: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(KEPT_IN_MEMORY)  # noqa: SIM115 - the caller closes it
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS) as limit:
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyBroken
                part = message.get("body", b"")
                size += len(part)
                if size > LARGEST_BODY:
                    raise BodyTooLarge
                body.write(part)
                if not message.get("more_body", False):
                    body.seek(0)
                    return body
                limit.reschedule((limit.when() or 0.0) + len(part) / BYTES_A_SECOND)
    except TimeoutError:
        body.close()
        raise BodyTooSlow from None
    except BaseException:
        body.close()
        raise


def _length(body: SpooledTemporaryFile[bytes]) -> int:
    length = body.seek(0, SEEK_END)
    body.seek(0)
    return length


def environ_of(scope: MutableMapping[str, Any], body: Any) -> dict[str, Any]:
    """The request as PEP 3333 has it."""
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": str(host),
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1")
        if "_" in name:
            # It would look like the header with a dash.
            continue
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        value = raw_value.decode("latin-1")
        # A cookie may come in parts, as HTTP/2 allows; everything else that comes twice is a list.
        joined = "; " if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{joined}{value}" if key in environ else value
    return environ
