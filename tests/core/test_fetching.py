"""Whom a user can make us talk to."""

import ipaddress
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from apps.core import fetching
from apps.core.errors import Invalid
from apps.core.fetching import Answer, NotFetched, clean_url, fetch, is_public, post

# So long the slowest take; who asks them has given up well before, however busy the machine.
LONG_SECONDS = 240


class House(BaseHTTPRequestHandler):
    """Answers by the path."""

    seen: list[dict[str, str]] = []

    def do_GET(self) -> None:
        House.seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
        if self.path.startswith("/moved"):
            # /moved leads to the feed, /moved3 there by way of two more, /moved?place to a place.
            path, _, place = self.path.partition("?")
            left = int(path.removeprefix("/moved") or 1)
            self.send_response((301, 302, 303, 307, 308)[left % 5])
            self.send_header("Location", place or (f"/moved{left - 1}" if left > 1 else "feed#here"))
            self.end_headers()
            return
        if self.path == "/missing":
            self.send_error(404)
            return
        body = b"x" * 5_000 if self.path == "/large" else b"BEGIN:VCALENDAR"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        House.seen.append({"path": self.path, "body": body.decode(), "host": self.headers["Host"]})
        if self.path == "/trickle":
            # A byte at a time, so that no single wait is long.
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            until = time.monotonic() + LONG_SECONDS
            with suppress(OSError):
                while time.monotonic() < until:
                    self.wfile.write(b"x")
                    time.sleep(0.05)
            return
        if self.path == "/hang":
            with suppress(OSError):
                self.connection.settimeout(LONG_SECONDS)
                self.rfile.read(1)
            return
        self.send_response(302 if self.path == "/moved" else 503)
        self.send_header("Location", "/elsewhere")
        self.send_header("Retry-After", "120")
        self.end_headers()
        self.wfile.write(b"y" * 100_000)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def house() -> Iterator[str]:
    House.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), House)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::a00:1",
        "2002:a00:1::", "198.18.0.1", "240.0.0.1",
    ],
)  # fmt: skip
def test_what_is_not_on_the_internet_is_never_asked(address: str) -> None:
    parsed = ipaddress.ip_address(address)
    assert not is_public(parsed, allow_loopback=True)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Invalid) as refused:
        clean_url(f"http://{host}/feed.ics", field="url", allow_loopback=True)
    assert refused.value.field == ("url",)
    with pytest.raises(NotFetched):
        fetch(f"http://{host}/feed.ics", largest_bytes=100, allow_loopback=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"])
def test_the_own_machine_is_asked_outside_production_alone(host: str) -> None:
    url = f"http://{host}:1/feed.ics"
    assert clean_url(url, field="url", allow_loopback=True) == url
    with pytest.raises(Invalid):
        clean_url(url, field="url", allow_loopback=False)
    with pytest.raises(NotFetched, match="public internet"):
        fetch(url, largest_bytes=100, allow_loopback=False)


@pytest.mark.parametrize(
    "url",
    [
        "", "feed.ics", "ftp://example.com/x", "file:///etc/passwd", "http://", "http:///x", "https://u:p@example.com/",
        "https://user@example.com/", "http://example.com:99999/", "http://example.com:0/", "http://exa mple.com/",
        "http://example.com/\r\nHost: x", "javascript:alert(1)", "http://[::1/x", "http://example.com/" + "x" * 2_000,
    ],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        clean_url(url, field="url", allow_loopback=True)
    with pytest.raises(NotFetched):
        fetch(url, largest_bytes=100, allow_loopback=True)


def test_a_public_address_is_public() -> None:
    for address in ("93.184.216.34", "2606:2800:220:1::1"):
        assert is_public(ipaddress.ip_address(address), allow_loopback=False)


def test_an_answer_is_read_within_bounds(house: str) -> None:
    assert fetch(f"{house}/feed?a=1#b", largest_bytes=100, allow_loopback=True) == b"BEGIN:VCALENDAR"
    (seen,) = House.seen
    assert (seen["path"], seen["host"]) == ("/feed?a=1", house.removeprefix("http://"))
    assert {"cookie", "authorization", "referer"} & set(seen) == set()
    for path, reason in (("/missing", "status 404"), ("/large", "larger than 4,999")):
        with pytest.raises(NotFetched, match=reason):
            fetch(f"{house}{path}", largest_bytes=4_999, allow_loopback=True)
    assert [each["path"] for each in House.seen] == ["/feed?a=1", "/missing", "/large"]


def test_a_name_that_changes_its_mind_is_asked_where_it_was_checked(
    house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(house.rsplit(":", 1)[1])
    answers = [["10.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    def look_up(host: str, number: int, **_: Any) -> list[Any]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, number)) for each in answers.pop(0)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    for _ in range(2):
        with pytest.raises(NotFetched, match="public internet"):
            fetch(f"http://feeds.example:{port}/feed", largest_bytes=100, allow_loopback=False)
    assert House.seen == []
    real_connection = socket.create_connection

    def connect(address: tuple[str, int], *rest: Any) -> socket.socket:
        # By its number: a name would be looked up once more.
        assert ipaddress.ip_address(address[0]).is_loopback
        monkeypatch.undo()
        return real_connection(address, *rest)

    monkeypatch.setattr(socket, "create_connection", connect)
    assert fetch(f"http://feeds.example:{port}/feed", largest_bytes=100, allow_loopback=True) == b"BEGIN:VCALENDAR"
    assert House.seen[0]["host"] == f"feeds.example:{port}"
    assert asked == ["feeds.example"] * 3


def send(url: str, *, seconds: float = 15, allow_loopback: bool = True, allow_http: bool = True) -> Answer:
    return post(
        url, body=b"{}", headers={"Content-Type": "application/json"}, seconds=seconds, kept_bytes=10,
        allow_loopback=allow_loopback, allow_http=allow_http,
    )  # fmt: skip


def test_what_is_sent_is_answered_with_a_status_and_the_beginning_of_a_body(house: str) -> None:
    assert send(f"{house}/full") == Answer(503, b"y" * 10, 120)
    assert send(f"{house}/moved").status == 302
    assert [(each["path"], each["body"]) for each in House.seen] == [("/full", "{}"), ("/moved", "{}")]


@pytest.mark.parametrize("path", ["/trickle", "/hang"])
def test_who_is_sent_to_cannot_keep_us(house: str, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(NotFetched, match="too long"):
        send(f"{house}{path}", seconds=0.5)
    assert time.monotonic() - started < LONG_SECONDS / 2


def test_nothing_is_sent_to_an_address_of_our_own(house: str, monkeypatch: pytest.MonkeyPatch) -> None:
    port = house.rsplit(":", 1)[1]
    for host in (
        "127.0.0.1",
        "2130706433",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00::1]",
        "0.0.0.0",
    ):
        with pytest.raises(NotFetched, match="public internet"):
            send(f"http://{host}:{port}/x", allow_loopback=False)
    # A name that is public when it is registered and private when it is sent to.
    monkeypatch.setattr(fetching, "_addresses", lambda *_: [ipaddress.ip_address("192.168.1.1")])
    with pytest.raises(NotFetched, match="public internet"):
        send(f"http://hooks.example:{port}/x")
    assert House.seen == []


def test_without_a_lock_nothing_is_sent_where_that_is_not_allowed(house: str) -> None:
    with pytest.raises(NotFetched, match="an https address"):
        send(f"{house}/x", allow_http=False)
    with pytest.raises(Invalid, match="an https address"):
        clean_url(f"{house}/x", field="url", allow_loopback=True, allow_http=False)
    assert House.seen == []


@pytest.mark.parametrize("hops", [1, 2, 5])
def test_what_has_moved_is_read_where_it_is(house: str, hops: int) -> None:
    House.seen.clear()
    assert fetch(f"{house}/moved{hops}", largest_bytes=4_999, allow_loopback=True) == b"BEGIN:VCALENDAR"
    assert [each["path"] for each in House.seen] == [*(f"/moved{left}" for left in range(hops, 0, -1)), "/feed"]


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("http://10.0.0.7/", "not on the public internet"),
        ("http://169.254.169.254/latest/meta-data", "not on the public internet"),
        ("http://[::ffff:10.0.0.7]/", "not on the public internet"),
        ("//10.0.0.7/feed", "not on the public internet"),
        ("file:///etc/passwd", "must be an http or https address"),
        ("gopher://127.0.0.1/", "must be an http or https address"),
        ("http://user:secret@127.0.0.1/", "a name or password"),
        ("http://[127.0.0.1/", "leads to no address"),
    ],
)
def test_each_address_on_the_way_is_checked(house: str, place: str, reason: str) -> None:
    House.seen.clear()
    with pytest.raises(NotFetched, match=reason):
        fetch(f"{house}/moved?{place}", largest_bytes=4_999, allow_loopback=True)
    assert len(House.seen) == 1


def test_a_redirect_to_the_own_machine_is_followed_outside_production_alone(
    house: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        fetching, "is_public", lambda address, *, allow_loopback: allow_loopback or len(House.seen) == 0
    )
    House.seen.clear()
    with pytest.raises(NotFetched, match="not on the public internet"):
        fetch(f"{house}/moved", largest_bytes=4_999, allow_loopback=False)
    assert len(House.seen) == 1


def test_it_is_not_led_on_for_ever_nor_out_of_tls(house: str) -> None:
    House.seen.clear()
    with pytest.raises(NotFetched, match="more than 5 times"):
        fetch(f"{house}/moved6", largest_bytes=4_999, allow_loopback=True)
    assert len(House.seen) == 6
    with pytest.raises(NotFetched, match="from https to something else"):
        fetching._elsewhere("https://example.com/feed", "http://example.com/feed")
    assert fetching._elsewhere("https://example.com/a/feed", "../b#c") == "https://example.com/b"
