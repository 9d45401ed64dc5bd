"""Trusted issuers that publish their keys: how they are found, and what is refused."""

import base64
import gzip
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from apps.users.signin import fetching, key_sets
from tests.serving import at_once
from tests.users.publisher import (
    EC_KEY,
    ED_KEY,
    NOW,
    RSA_KEY,
    Publisher,
    is_accepted,
    say,
    shown,
    token,
)
from tests.users.test_keys import public_pem


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")], ids=["RSA", "EC", "Ed25519"]
)
def test_published_keys_of_each_kind_are_used(publisher: Publisher, key: Any, algorithm: str) -> None:
    publisher.keys = [shown(RSA_KEY, "other"), shown(key, "mine")]
    assert is_accepted(token(key, algorithm, "mine"))
    assert is_accepted(token(key, algorithm, "mine"))
    assert publisher.asked == 1


def test_a_token_without_a_kid_needs_the_only_key_of_its_kind(publisher: Publisher) -> None:
    publisher.keys = [shown(RSA_KEY, None), shown(EC_KEY, None)]
    assert is_accepted(token(kid=None))
    key_sets.forget_all()
    publisher.keys.append(shown(rsa.generate_private_key(65537, 2048), "second"))
    assert not is_accepted(token(kid=None))


FORGERIES: dict[str, Callable[[], str]] = {
    "another key": lambda: token(rsa.generate_private_key(65537, 2048)),
    "another key's kid": lambda: token(EC_KEY, "ES256"),
    "none": lambda: token("", "none"),
    "an algorithm that is not allowed": lambda: token(RSA_KEY, "RS512"),
    "HS256 with the public key": lambda: signed_with(public_pem(RSA_KEY).encode()),
    "HS256 with the published numbers": lambda: signed_with(json.dumps(shown(RSA_KEY, "rsa")).encode()),
    "HS256 with nothing": lambda: signed_with(b""),
    "another audience": lambda: token(aud="somebody-else"),
    "no audience": lambda: token(aud=...),
    "another issuer": lambda: token(iss="https://evil.example"),
    "the name for the issuer": lambda: token(iss="site"),
    "expired": lambda: token(now=NOW - timedelta(seconds=300)),
    "not yet": lambda: token(now=NOW + timedelta(seconds=62)),
    "not before": lambda: token(nbf=int(NOW.timestamp()) + 120),
    "too long a life": lambda: token(exp=int(NOW.timestamp()) + 301),
    "no expiry": lambda: token(exp=...),
    "an expiry of words": lambda: token(exp="tomorrow"),
    "no jti": lambda: token(jti=...),
    "an empty jti": lambda: token(jti=""),
    "no subject": lambda: token(sub=...),
    "no address": lambda: token(email=...),
    "two addresses": lambda: token(email=["ada@example.com", "eve@example.com"]),
    "an unverified address": lambda: token(email_verified=False),
    "an address of which nothing is said": lambda: token(email_verified=...),
    "a number for verified": lambda: token(email_verified=2),
    "too long": lambda: token(padding="x" * 5_000),
    "an extension": lambda: jwt.encode({"x": 1}, RSA_KEY, "RS256", headers={"kid": "rsa", "crit": ["x"]}),
    "no JSON": lambda: "a.b.c",
}


def signed_with(secret: bytes) -> str:
    _, payload, _ = token().split(".")
    header = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"rsa"}').decode().rstrip("=")
    mac = hmac.new(secret, f"{header}.{payload}".encode(), hashlib.sha256).digest()
    return f"{header}.{payload}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forgeries_are_refused(publisher: Publisher, forge: Callable[[], str]) -> None:
    assert is_accepted(token())
    assert not is_accepted(forge())


def test_a_key_that_the_token_brings_along_is_not_used(publisher: Publisher) -> None:
    for header in ({"jwk": shown(EC_KEY, "rsa")}, {"jku": publisher.url}, {"x5u": publisher.url}):
        claims = jwt.decode(token(), options={"verify_signature": False})
        assert not is_accepted(jwt.encode(claims, EC_KEY, "ES256", headers={"kid": "rsa", **header}))
    assert publisher.asked == 1


@pytest.mark.parametrize(
    "entry",
    [
        {**shown(RSA_KEY, "rsa"), "use": "enc"}, {**shown(RSA_KEY, "rsa"), "alg": "RS512"},
        {"kty": "oct", "kid": "rsa", "k": "c2VjcmV0"}, {"kty": "RSA", "kid": "rsa"}, {"kid": "rsa"}, "rsa", None,
        {**shown(RSA_KEY, "rsa"), "d": "AQAB"}, shown(rsa.generate_private_key(65537, 1024), "rsa"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_published_key_that_is_none_for_us_is_passed_over(publisher: Publisher, entry: Any) -> None:
    publisher.keys = [entry]
    assert not is_accepted(token())


def test_a_changed_key_is_noticed_but_nobody_makes_us_ask_all_the_time(publisher: Publisher) -> None:
    assert is_accepted(token())
    publisher.keys = [shown(EC_KEY, "new")]
    later = NOW + key_sets.FLOOR
    assert is_accepted(token(EC_KEY, "ES256", "new", now=later), now=later)
    assert publisher.asked == 2
    for number in range(20):
        assert not is_accepted(token(kid=f"made-up-{number}", now=later), now=later)
    assert publisher.asked == 2
    # The old key is gone with that.
    assert not is_accepted(token(now=later), now=later)


def test_keys_are_asked_for_again_after_a_while(publisher: Publisher) -> None:
    assert is_accepted(token())
    publisher.keys = []
    soon = NOW + key_sets.FRESH - timedelta(seconds=1)
    assert is_accepted(token(now=soon), now=soon)
    late = NOW + key_sets.FRESH
    assert not is_accepted(token(now=late), now=late)


def test_an_issuer_that_is_away_is_believed_for_an_hour(publisher: Publisher) -> None:
    assert is_accepted(token())
    publisher.answer = lambda handler: say(handler, b"", 500)
    soon = NOW + key_sets.STALE - timedelta(seconds=1)
    assert is_accepted(token(now=soon), now=soon)
    late = NOW + key_sets.STALE + key_sets.FLOOR
    assert not is_accepted(token(now=late), now=late)
    publisher.answer = None
    assert not is_accepted(token(now=late), now=late)
    again = late + key_sets.FLOOR
    assert is_accepted(token(now=again), now=again)


def test_many_at_once_ask_once(publisher: Publisher) -> None:
    tokens = [token() for _ in range(16)]
    assert all(at_once([lambda text=text: is_accepted(text) for text in tokens]))  # type: ignore[misc]
    assert publisher.asked == 1


# So long a bad issuer takes; who asks it has given up well before, however busy the machine.
LONG_SECONDS = 240


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    until = time.monotonic() + LONG_SECONDS
    with suppress(OSError):
        while time.monotonic() < until:
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)


BAD_ANSWERS: dict[str, Callable[[BaseHTTPRequestHandler], None]] = {
    "an error": lambda handler: say(handler, b"{}", 500),
    "nothing found": lambda handler: say(handler, b"{}", 404),
    "a redirect": lambda handler: say(handler, b"", 302, Location="http://169.254.169.254/"),
    "no JSON": lambda handler: say(handler, b"<html>"),
    "a list": lambda handler: say(handler, b"[]"),
    "no keys": lambda handler: say(handler, b"{}"),
    "keys of another shape": lambda handler: say(handler, b'{"keys": {"kid": "rsa"}}'),
    "too much": lambda handler: say(handler, b" " * (fetching.LARGEST_BYTES + 1)),
    "an early end": lambda handler: say(handler, b"{", 200, **{"Content-Length": "9"}),
    "slow bytes": drip,
    "silence": lambda handler: time.sleep(LONG_SECONDS),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_a_refusal_in_bounded_time(
    publisher: Publisher, answer: Callable[[BaseHTTPRequestHandler], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "READ_SECONDS", 0.5)
    monkeypatch.setattr(fetching, "WHOLE_SECONDS", 0.7)
    publisher.answer = answer
    started = time.monotonic()
    assert not is_accepted(token())
    assert time.monotonic() - started < LONG_SECONDS / 2
    assert publisher.asked == 1


def test_a_packed_answer_is_bounded_by_what_comes_out_of_it(publisher: Publisher) -> None:

    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < fetching.LARGEST_BYTES
    publisher.answer = lambda handler: say(handler, bomb, 200, **{"Content-Encoding": "gzip"})
    assert not is_accepted(token())
    good = gzip.compress(json.dumps({"keys": publisher.keys}).encode())
    publisher.answer = lambda handler: say(handler, good, 200, **{"Content-Encoding": "gzip"})
    key_sets.forget_all()
    assert is_accepted(token())
