"""Whatever arrives is answered, never with a 5xx, and the emulator lives on."""

from __future__ import annotations

import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.sandbox.stripe.conftest import Account


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b"amount=%ff%fe",
        b"amount=1%00",
        b"am%00ount=1",
        b"[]=1",
        b"a[=1",
        b"a]b=1",
        b"amount[a]=1&amount=2",
        b"amount=2&amount[a]=1",
        b"amount[]=1",
        b"metadata=text",
        b"metadata[]=1",
        b"metadata[a][b]=1",
        b"expand=latest_charge",
        b"expand[a]=latest_charge",
        b"expand[999999999999999]=x",
        b"expand[][]=x",
        b"a" + b"[b]" * 1_000 + b"=1",
        b"&".join(b"k%d=1" % number for number in range(1_001)),
        b"description=" + b"x" * 50_000,
        b"created[gte]=1",
        b"payment_method_data[card][number]=4242424242424242",
        b"amount=1&currency=usd&confirm=true&payment_method=pm_card_visa&off_session=true&shipping[a][b][c]=1&x=1",
        b"amount=" + b"9" * 5_000,
        "amount=٣&currency=usd".encode(),
        b'{"amount": 5}',
    ],
)
def test_a_malformed_body_is_the_client_s_fault(account: Account, body: bytes) -> None:
    answer = account.http(
        "POST", "/v1/payment_intents", data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert account.event_types() == []


def test_json_is_not_what_stripe_takes(account: Account) -> None:
    assert account.http("POST", "/v1/customers", json={"name": "x"}).status_code == 400


def test_raw_utf8_is_taken(account: Account) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    made = account.http("POST", "/v1/customers", data="name=Zoë%20🏠".encode(), headers=headers)
    assert made.json()["name"] == "Zoë 🏠"


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "OPTIONS", "DELETE", "BREW", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/core/events", "/_config/other", "/receipts/ch_x"])
def test_an_unknown_url_is_a_404(account: Account, method: str, path: str) -> None:
    answer = account.http(method, path)

    assert answer.status_code == 404
    assert "json" in answer.headers["Content-Type"] or "Not found" in answer.text


@pytest.mark.parametrize(
    "identifier", ["x" * 5_000, "%00", "%ff", "%2e%2e%2f", "'%20OR%201=1--", "%F0%9F%8F%A0", "pi_%0d%0aX:1", "a%2Fb"]
)
@pytest.mark.parametrize("kind", ["payment_intents", "charges", "customers", "events", "payment_methods"])
def test_a_strange_id_is_a_404(account: Account, kind: str, identifier: str) -> None:
    assert account.http("GET", f"/v1/{kind}/{identifier}").status_code == 404


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic !!!", "Basic /////w==", "Digest x", "Bearer \xe9\xe8", "Bearer " + "k" * 10_000],
)
def test_a_strange_authorization_is_a_401(account: Account, header: str) -> None:
    answer = account.http("GET", "/v1/charges", headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401
    assert len(answer.text) < 1_000


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", b" 400 "),
        (b"GET / HTTP/9.9\r\n\r\n", b" 400 "),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n", b" 414 "),
        (b"POST /v1/customers HTTP/1.1\r\nContent-Length: ten\r\n\r\n", b" 400 "),
        (b"POST /v1/customers HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b" 400 "),
        (b"POST /v1/customers HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", b" 413 "),
        (b"POST /v1/customers HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b" 411 "),
        (b"GET /v1/charges HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b" 431 "),
        (b"GET /v1/charges\xff\xfe HTTP/1.1\r\n\r\n", b" 401 "),
    ],
)
def test_a_broken_request_is_answered(account: Account, raw: bytes, status: bytes) -> None:
    parts = urlsplit(account.url)
    assert parts.hostname is not None
    assert parts.port is not None
    with socket.create_connection((parts.hostname, parts.port), timeout=300) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))

    assert status in answer.split(b"\r\n")[0]
    assert account.http("GET", "/_config/health").json() == {"ok": True}


def test_a_list_of_everything_hides_what_is_internal(account: Account) -> None:
    intent: Any = account.pay("pm_card_authenticationRequired", customer=account.v1.customers.create().id)
    assert intent.status == "requires_action"

    for kind in ("payment_intents", "payment_methods", "events", "customers"):
        assert "_hidden" not in account.http("GET", f"/v1/{kind}").text
