"""Fetching what a user has named: from the public internet alone, once, bounded in time and in bytes.

The address that was checked is the address that is asked, so that a name which answers differently the second time gains
nothing. Redirects are not followed, credentials are not sent.
"""

import concurrent.futures
import http.client
import ipaddress
import socket
import ssl
import time
from urllib.parse import SplitResult, urlsplit

from apps.core.errors import Invalid

LONGEST_URL = 2_000
LOOK_UP_SECONDS = 3.0
CONNECT_SECONDS = 5.0
WHOLE_SECONDS = 15.0
CHUNK_BYTES = 64 * 1024
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


def clean_url(value: str, *, field: str, allow_loopback: bool) -> str:
    """An http or https address without credentials whose host, as far as it can be looked up now, is on the internet.

    Looks a name up, so never inside a transaction. Raises Invalid at `field`.
    """
    parts = _split(value, field=field)
    assert parts.hostname is not None
    try:
        addresses = _addresses(parts.hostname, parts.port or SCHEMES[parts.scheme])
    except NotFetched:
        # It may be there later; whoever fetches it checks again.
        return value
    if not all(is_public(address, allow_loopback=allow_loopback) for address in addresses):
        raise Invalid("This address is not on the public internet.", field=field)
    return value


def _split(value: str, *, field: str) -> SplitResult:
    refusal = Invalid("This must be an http or https address.", field=field)
    if len(value) > LONGEST_URL or not value.isascii() or not value.isprintable() or " " in value:
        raise refusal
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise refusal from None
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
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


def fetch(url: str, *, largest_bytes: int, allow_loopback: bool) -> bytes:
    """The body of a 200 answer. Raises NotFetched for everything else, with a reason that tells nothing of our network."""
    try:
        parts = _split(url, field="url")
    except Invalid as error:
        raise NotFetched(error.message) from error
    assert parts.hostname is not None
    port = parts.port or SCHEMES[parts.scheme]
    addresses = _addresses(parts.hostname, port)
    if not addresses or not all(is_public(each, allow_loopback=allow_loopback) for each in addresses):
        raise NotFetched("The address is not on the public internet.")
    until = time.monotonic() + WHOLE_SECONDS
    connection = _Pinned(parts.hostname, port, address=addresses[0], is_secure=parts.scheme == "https")
    try:
        target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
        connection.request(
            "GET",
            target,
            headers={"User-Agent": "Holdfast", "Accept": "text/calendar, */*", "Accept-Encoding": "identity"},
        )
        response = connection.getresponse()
        if response.status != 200:
            raise NotFetched(f"It answered with status {response.status}.")
        body = bytearray()
        while chunk := response.read1(CHUNK_BYTES):
            body += chunk
            if len(body) > largest_bytes:
                raise NotFetched(f"It is larger than {largest_bytes:,} bytes.")
            if time.monotonic() > until:
                raise NotFetched("It took too long.")
    except (OSError, http.client.HTTPException) as error:
        raise NotFetched(f"It did not answer ({type(error).__name__}).") from error
    finally:
        connection.close()
    return bytes(body)


class _Pinned(http.client.HTTPConnection):
    """Speaks to the address that was checked, in the name of the host that was asked for."""

    def __init__(self, host: str, port: int, *, address: Address, is_secure: bool) -> None:
        super().__init__(host, port, timeout=CONNECT_SECONDS)
        self._address = address
        self._is_secure = is_secure
        self.default_port = SCHEMES["https" if is_secure else "http"]

    def connect(self) -> None:
        self.sock = socket.create_connection((str(self._address), self.port), CONNECT_SECONDS)
        if self._is_secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)
