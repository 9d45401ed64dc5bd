"""Talking to what a user has named: on the public internet alone, bounded in time and in bytes.

The address that was checked is the address that is asked, so that a name which answers differently the second time gains
nothing. Credentials are not sent. What is read may be elsewhere by now: a few redirects are followed, and each address on the
way is checked as the first one is. What is sent goes nowhere else.
"""

import concurrent.futures
import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from apps.core.errors import Invalid

LONGEST_URL = 2_000
LONGEST_MARK = 200
LOOK_UP_SECONDS = 3.0
# To connect, to shake hands and between two packets.
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 15.0
CHUNK_BYTES = 64 * 1024
MOST_REDIRECTS = 5
REDIRECTS = {301, 302, 303, 307, 308}
SCHEMES = {"http": 80, "https": 443}
# IPv4 addresses in the clothes of IPv6, by which a private one could be meant.
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_look_ups = concurrent.futures.ThreadPoolExecutor(max_workers=8, thread_name_prefix="look-up")


class NotFetched(Exception):
    """It could not be had; the message says why and may be shown to who named it."""


def is_public(address: Address, *, allow_loopback: bool) -> bool:
    """Whether it is somebody's on the internet; with `allow_loopback` this machine counts too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
        if inner is None and address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner, allow_loopback=allow_loopback)
    if allow_loopback and address.is_loopback:
        return True
    return address.is_global and not address.is_multicast


def clean_url(value: str, *, field: str, allow_loopback: bool, allow_http: bool = True) -> str:
    """An http or https address without credentials whose host, as far as it can be looked up now, is on the internet.

    Looks a name up, so never inside a transaction. Raises Invalid at `field`.
    """
    parts = _split(value, field=field, allow_http=allow_http)
    assert parts.hostname is not None
    try:
        addresses = _addresses(parts.hostname, parts.port or SCHEMES[parts.scheme])
    except NotFetched:
        # It may be there later; whoever fetches it checks again.
        return value
    if not all(is_public(address, allow_loopback=allow_loopback) for address in addresses):
        raise Invalid("This address is not on the public internet.", field=field)
    return value


def _split(value: str, *, field: str, allow_http: bool = True) -> SplitResult:
    refusal = Invalid(f"This must be an {'http or ' if allow_http else ''}https address.", field=field)
    if len(value) > LONGEST_URL or not value.isascii() or not value.isprintable() or " " in value:
        raise refusal
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        raise refusal
    if parts.scheme == "http" and not allow_http:
        raise refusal
    if "@" in parts.netloc:
        raise Invalid("An address with a name or password in it is not taken.", field=field)
    return parts


def _addresses(host: str, port: int) -> list[Address]:
    """Raises NotFetched where the name leads nowhere."""
    look_up = _look_ups.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        found = look_up.result(timeout=LOOK_UP_SECONDS)
    except (OSError, UnicodeError, TimeoutError, concurrent.futures.TimeoutError) as error:
        raise NotFetched("The host is not known.") from error
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `body` is the beginning of it, `retry_after` in seconds where the answer says so."""

    status: int
    body: bytes
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a 200 answer held, None where it has not changed since, and by what to ask next time whether it has."""

    body: bytes | None
    etag: str
    last_modified: str


def fetch(url: str, *, largest_bytes: int, allow_loopback: bool) -> bytes:
    """The body of a 200 answer. Raises NotFetched for everything else, with a reason that tells nothing of our network."""
    body = fetch_changed(url, largest_bytes=largest_bytes, allow_loopback=allow_loopback).body
    if body is None:
        raise NotFetched("It answered with status 304.")
    return body


def fetch_changed(
    url: str, *, largest_bytes: int, allow_loopback: bool, etag: str = "", last_modified: str = ""
) -> Fetched:
    """The same, unless the server says that it has not changed since it gave these marks.

    All redirects together have the time that one answer has. None leads from https to http.
    """
    until = time.monotonic() + WHOLE_SECONDS
    for _ in range(1 + MOST_REDIRECTS):
        found = _look(url, until, largest_bytes, allow_loopback=allow_loopback, etag=etag, last_modified=last_modified)
        if isinstance(found, Fetched):
            return found
        url = found
    raise NotFetched(f"It leads elsewhere more than {MOST_REDIRECTS} times.")


def _look(
    url: str, until: float, largest_bytes: int, *, allow_loopback: bool, etag: str, last_modified: str
) -> Fetched | str:
    """What is there, or where else to look. Raises NotFetched."""
    headers = {"User-Agent": "Holdfast", "Accept": "text/calendar, */*", "Accept-Encoding": "identity"}
    known = {name: mark for name, mark in (("If-None-Match", etag), ("If-Modified-Since", last_modified)) if mark}
    try:
        with _Asked(url, until=until, allow_loopback=allow_loopback) as connection:
            connection.request("GET", connection.target, headers=headers | known)
            response = connection.getresponse()
            if response.status == 304 and known:
                return Fetched(body=None, etag=etag, last_modified=last_modified)
            if response.status in REDIRECTS and (place := response.getheader("Location")):
                return _elsewhere(url, place.strip())
            if response.status != 200:
                raise NotFetched(f"It answered with status {response.status}.")
            body = bytearray()
            while chunk := response.read1(CHUNK_BYTES):
                body += chunk
                if len(body) > largest_bytes:
                    raise NotFetched(f"It is larger than {largest_bytes:,} bytes.")
            marks = [_mark(response.getheader(name)) for name in ("ETag", "Last-Modified")]
            return Fetched(bytes(body), *marks)
    except (OSError, http.client.HTTPException) as error:
        raise _not_fetched(error, until) from error


def _elsewhere(url: str, place: str) -> str:
    """Where a redirect leads. It is checked when it is asked; raises NotFetched for what could be read on the way."""
    try:
        parts = urlsplit(urljoin(url, place))
    except ValueError as error:
        raise NotFetched("It leads to no address.") from error
    if parts.scheme != "https" and urlsplit(url).scheme == "https":
        raise NotFetched("It leads from https to something else.")
    return urlunsplit(parts._replace(fragment=""))


def _mark(value: str | None) -> str:
    """A mark as it can be sent back; "" for one that cannot."""
    text = (value or "").strip()
    return text if text.isascii() and text.isprintable() and len(text) <= LONGEST_MARK else ""


def post(
    url: str,
    *,
    body: bytes,
    headers: Mapping[str, str],
    seconds: float,
    kept_bytes: int,
    allow_loopback: bool,
    allow_http: bool = True,
) -> Answer:
    """Send the body, and read no more than `kept_bytes` of the answer, whatever its status; a redirect is an answer too.

    All of it takes at most `seconds`. Raises NotFetched where nothing came back, with a reason that tells nothing of our
    network.
    """
    until = time.monotonic() + seconds
    try:
        with _Asked(
            url, until=until, allow_loopback=allow_loopback, allow_http=allow_http, step_seconds=seconds
        ) as connection:
            connection.request("POST", connection.target, body=body, headers=dict(headers))
            response = connection.getresponse()
            kept = bytearray()
            # The status has said it all: what else there is, is for the log.
            with suppress(OSError, http.client.HTTPException):
                while len(kept) < kept_bytes and (chunk := response.read1(kept_bytes - len(kept))):
                    kept += chunk
            return Answer(response.status, bytes(kept), _seconds(response.getheader("Retry-After")))
    except (OSError, http.client.HTTPException) as error:
        raise _not_fetched(error, until) from error


def _seconds(value: str | None) -> int | None:
    """Seconds as a header says them; a date is not read."""
    text = (value or "").strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 6 else None


def _not_fetched(error: Exception, until: float) -> NotFetched:
    if isinstance(error, TimeoutError) and time.monotonic() >= until:
        return NotFetched("It took too long.")
    return NotFetched(f"It did not answer ({type(error).__name__}).")


class _Asked(http.client.HTTPConnection):
    """A connection to the host of the address that speaks to the very address that was checked, and ends in time.

    `until` is when all of it ends, on the monotonic clock; between two packets it waits `step_seconds` at most. Raises
    NotFetched where the host is not known or not on the public internet.
    """

    def __init__(
        self,
        url: str,
        *,
        until: float,
        allow_loopback: bool,
        allow_http: bool = True,
        step_seconds: float = CONNECT_SECONDS,
    ) -> None:
        try:
            parts = _split(url, field="url", allow_http=allow_http)
        except Invalid as error:
            raise NotFetched(error.message) from error
        assert parts.hostname is not None
        port = parts.port or SCHEMES[parts.scheme]
        addresses = _addresses(parts.hostname, port)
        if not addresses or not all(is_public(each, allow_loopback=allow_loopback) for each in addresses):
            raise NotFetched("The address is not on the public internet.")
        super().__init__(parts.hostname, port, timeout=CONNECT_SECONDS)
        self.target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        self.default_port = SCHEMES[parts.scheme]
        self._address = addresses[0]
        self._is_secure = parts.scheme == "https"
        self._until = until
        self._step_seconds = step_seconds

    def __enter__(self) -> "_Asked":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def connect(self) -> None:
        self.sock = socket.create_connection((str(self._address), self.port), self._left())
        self.sock.settimeout(self._left())
        if self._is_secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def _left(self) -> float:
        """How long the next step may take. Raises TimeoutError when no time is left."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("no time is left")
        return min(self._step_seconds, left)

    def response_class(self, sock: Any, *arguments: Any, **options: Any) -> http.client.HTTPResponse:  # type: ignore[override]
        """A response that is read with an eye on the clock: one that trickles in is no way to keep us."""
        response = http.client.HTTPResponse(sock, *arguments, **options)
        response.fp = io.BufferedReader(_Timed(self, sock, response.fp.detach()))
        return response


class _Timed(io.RawIOBase):
    """What arrives, as long as there is time."""

    def __init__(self, connection: _Asked, sock: socket.socket, incoming: io.RawIOBase) -> None:
        self._connection = connection
        self._sock = sock
        self._incoming = incoming

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._connection._left())
        return self._incoming.readinto(buffer) or 0

    def close(self) -> None:
        # The socket lives for as long as something reads from it.
        self._incoming.close()
        super().close()
