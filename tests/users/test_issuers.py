"""Trusted issuers that sign with keys of their own: how they are configured, how their keys are found, what is refused."""

import base64
import gzip
import hashlib
import hmac
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent, AuditKind
from apps.core.errors import InvalidToken
from apps.users.actions.trusted_sign_in import exchange_token
from apps.users.keys import as_jwk
from apps.users.models import MailToken, Session, UsedAssertion, User
from apps.users.signin import fetching, key_sets
from apps.users.signin.assertions import read_assertion
from apps.users.signin.issuers import read_issuers
from apps.users.signin.return_urls import read_return_urls
from booking.env import Environment
from tests.recipes import make_guest
from tests.serving import at_once
from tests.users.test_keys import public_pem

NOW = datetime.now(UTC).replace(microsecond=0)
ISSUER = "https://id.example.com"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()
SECRET = "a secret that two sites share and nobody else on earth knows"


class Publisher:
    """A web server of an issuer, which answers what it is told to and counts."""

    def __init__(self) -> None:
        self.keys: list[dict[str, Any]] = []
        self.asked = 0
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        publisher = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                publisher.asked += 1
                if publisher.answer is not None:
                    publisher.answer(self)
                    return
                say(self, json.dumps({"keys": publisher.keys}).encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/keys"


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


@pytest.fixture
def publisher(settings: Settings) -> Iterator[Publisher]:
    """An issuer with one RSA key, which we trust as "site"."""
    key_sets.forget_all()
    served = Publisher()
    served.keys = [shown(RSA_KEY, "rsa")]
    threading.Thread(target=served.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    settings.TRUSTED_ISSUERS = read_issuers({"site": {"issuer": ISSUER, "jwks_url": served.url}})
    yield served
    served.server.shutdown()
    served.server.server_close()


def shown(key: Any, kid: str | None, **more: Any) -> dict[str, Any]:
    return {**as_jwk(key.public_key()), **({"kid": kid} if kid else {}), **more}


def token(
    key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "rsa", *, now: datetime = NOW, **changes: Any
) -> str:
    at = int(now.timestamp())
    claims = {
        "iss": ISSUER, "aud": "holdfast", "sub": "ada", "email": "ada@example.com", "email_verified": True, "iat": at,
        "exp": at + 300, "jti": uuid4().hex, **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def is_accepted(text: str, *, issuer: str = "site", now: datetime = NOW) -> bool:
    try:
        return read_assertion(issuer=issuer, token=text, now=now).subject == "ada"
    except InvalidToken as refused:
        assert (refused.message, refused.field) == ("The token is not accepted.", ("token",))
        return False


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


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(40):
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
    "silence": lambda handler: time.sleep(1.5),
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
    assert time.monotonic() - started < 3
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


def test_a_public_key_of_the_settings_needs_no_network(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "site.pem"
    path.write_text(public_pem(EC_KEY))
    for public_key in (public_pem(EC_KEY), str(path)):
        settings.TRUSTED_ISSUERS = read_issuers({"site": {"issuer": ISSUER, "public_key": public_key}})
        assert settings.TRUSTED_ISSUERS["site"].algorithms == ("ES256",)
        assert is_accepted(token(EC_KEY, "ES256", None))
        assert not is_accepted(token(ec.generate_private_key(ec.SECP256R1()), "ES256", None))
        assert not is_accepted(token())


def test_the_settings_say_who_is_meant_and_what_claims_are_called(settings: Settings) -> None:
    settings.TRUSTED_ISSUERS = read_issuers(
        {
            "site": {
                "secret": SECRET, "issuer": ISSUER, "audience": "booking-of-ours", "algorithms": ["HS256", "HS512"],
                "claims": {"email": "mail", "given_name": "first", "sub": "person", "email_verified": "checked"},
            }
        }
    )  # fmt: skip
    named: dict[str, Any] = {
        "mail": "Ada@Example.com",
        "first": "Ada\x00\u202e Augusta",
        "person": "ada",
        "checked": True,
    }
    assertion = read_assertion(
        issuer="site", token=token(SECRET, "HS256", aud="booking-of-ours", email=..., sub=..., **named), now=NOW
    )
    assert (assertion.email, assertion.first_name, assertion.subject) == ("ada@example.com", "Ada Augusta", "ada")
    assert not is_accepted(token(SECRET, "HS256", **named))
    assert not is_accepted(token(SECRET, "HS384", aud="booking-of-ours", **named))
    assert not is_accepted(token(SECRET, "HS256", aud="booking-of-ours", **{**named, "checked": False}))


@pytest.mark.django_db(transaction=True)
def test_each_token_is_good_once_and_is_forgotten_when_it_is_no_good_anyway(publisher: Publisher) -> None:
    text = token()
    first = exchange_token(issuer="site", token=text, user_agent="", now=NOW)
    with pytest.raises(InvalidToken):
        exchange_token(issuer="site", token=text, user_agent="", now=NOW + timedelta(seconds=299))
    later = NOW + timedelta(minutes=10)
    second = exchange_token(issuer="site", token=token(now=later), user_agent="", now=later)
    assert first.user == second.user
    assert UsedAssertion.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_refusals_are_audited_without_what_was_sent(publisher: Publisher) -> None:
    used = token()
    exchange_token(issuer="site", token=used, user_agent="", now=NOW)
    for issuer, text in [("site", used), ("site", token(aud="x")), ("holdfast", "x"), ("a name made up", token())]:
        with pytest.raises(InvalidToken):
            exchange_token(issuer=issuer, token=text, user_agent="", now=NOW)
    rows = AuditEvent.objects.filter(kind=AuditKind.SIGN_IN_REFUSED).order_by("pk")
    assert [row.data for row in rows] == [
        {"issuer": "site"},
        {"issuer": "site"},
        {"issuer": "holdfast"},
        {"issuer": ""},
    ]


@pytest.mark.django_db(transaction=True)
def test_many_first_sign_ins_at_once_open_one_account(publisher: Publisher) -> None:
    tokens = [token() for _ in range(12)] + [token(sub=f"also-{number}") for number in range(4)]

    def enter(text: str) -> int:
        return exchange_token(issuer="site", token=text, user_agent="", now=NOW).user.pk

    assert len(set(at_once([lambda text=text: enter(text) for text in tokens]))) == 1  # type: ignore[misc]
    assert (User.objects.count(), Session.objects.count()) == (1, 16)


@pytest.mark.django_db(transaction=True)
def test_mailed_links_of_an_unproven_account_are_void_and_those_of_a_proven_one_are_not(publisher: Publisher) -> None:
    links = {"purpose": "VERIFY_EMAIL", "created_at": NOW, "expires_at": NOW + timedelta(days=1)}
    squatted = make_guest(email="ada@example.com", email_verified_at=None)
    MailToken.objects.create(user=squatted, email="eve@example.com", nonce="1", token_hash="1", **links)
    owned = make_guest(email="bob@example.com")
    MailToken.objects.create(user=owned, email="bob2@example.com", nonce="2", token_hash="2", **links)
    exchange_token(issuer="site", token=token(), user_agent="", now=NOW)
    exchange_token(issuer="site", token=token(sub="bob", email="bob@example.com"), user_agent="", now=NOW)
    assert list(MailToken.objects.filter(used_at=None).values_list("user_id", flat=True)) == [owned.pk]


PUBLIC = public_pem(EC_KEY)
CLIENT = {"issuer": ISSUER, "client_id": "x"}
WRONG: list[tuple[Any, str]] = [
    ([], "an object of issuers is wanted"),
    ({"": {"secret": SECRET}}, "the name of an issuer has 1 to 100 characters"),
    ({"a\nb": {"secret": SECRET}}, "the name of an issuer has 1 to 100 characters"),
    ({"holdfast": {"secret": SECRET}}, "'holdfast' is our own name"),
    ({"a": SECRET}, "issuer 'a' is no object"),
    ({"a": {}}, "issuer 'a' needs one of secret, public_key, jwks_url, client_id"),
    ({"a": {"secret": SECRET, "jwks_url": "https://x.example"}}, "issuer 'a' needs one of"),
    ({"a": {"secret": ""}}, "secret of issuer 'a' is no text"),
    ({"a": {"secret": 5}}, "secret of issuer 'a' is no text"),
    ({"a": {"secret": SECRET, "audiance": "x"}}, "issuer 'a' has 'audiance', which means nothing with secret"),
    ({"a": {"secret": SECRET, "scope": "openid"}}, "issuer 'a' has 'scope', which means nothing with secret"),
    ({"a": {"secret": SECRET, "algorithms": ["RS256"]}}, "algorithms of issuer 'a' must be of HS256"),
    ({"a": {"secret": SECRET, "algorithms": []}}, "algorithms of issuer 'a' must be of HS256"),
    ({"a": {"secret": SECRET, "algorithms": "HS256"}}, "algorithms of issuer 'a' must be of HS256"),
    ({"a": {"public_key": PUBLIC, "algorithms": ["HS256"]}}, "algorithms of issuer 'a' must be of RS256"),
    ({"a": {"public_key": PUBLIC, "algorithms": ["RS256"]}}, "issuer 'a' is no key for RS256"),
    ({"a": {"public_key": PUBLIC, "algorithms": ["none"]}}, "algorithms of issuer 'a' must be of RS256"),
    ({"a": {"public_key": "-----BEGIN x"}}, "issuer 'a' has no public key in PEM form"),
    ({"a": {"public_key": "/nowhere"}}, "the PEM file of issuer 'a' cannot be read"),
    ({"a": {"jwks_url": "http://x.example/keys"}}, "jwks_url of issuer 'a' must be an https:// address"),
    ({"a": {"jwks_url": "https://me:pw@x.example/keys"}}, "jwks_url of issuer 'a' must be an https:// address"),
    ({"a": {"jwks_url": "file:///etc/passwd"}}, "jwks_url of issuer 'a' must be an https:// address"),
    ({"a": {"jwks_url": "https://x.example:port/"}}, "jwks_url of issuer 'a' must be an https:// address"),
    ({"a": {"secret": SECRET, "claims": {"mail": "email"}}}, "claims of issuer 'a' must give other names to sub"),
    ({"a": {"secret": SECRET, "claims": {"email": ""}}}, "claims of issuer 'a' must give other names to sub"),
    ({"a": {"secret": SECRET, "email_is_verified": "yes"}}, "email_is_verified of issuer 'a' must be true or false"),
    ({"a": {"secret": SECRET, "signs_in_staff": 1}}, "signs_in_staff of issuer 'a' must be true or false"),
    ({"a": {"client_id": "x"}}, "issuer 'a' needs its issuer, a URL"),
    ({"a": {**CLIENT, "issuer": "http://id.example.com"}}, "issuer of issuer 'a' must be an https:// address"),
    ({"a": {**CLIENT, "scope": "email"}}, "scope of issuer 'a' must hold openid"),
    ({"a": {**CLIENT, "audience": "x"}}, "issuer 'a' has 'audience', which means nothing with client_id"),
    ({"a/b": CLIENT}, "issuer 'a/b' has a client_id, so its name is part of an address"),
    ({"a": {"secret": SECRET, "issuer": ISSUER}, "b": {"secret": "x", "issuer": ISSUER}}, "issuer 'b' has the issuer"),
]


def environment(**changes: str) -> Environment:
    given = {
        "SECRET_KEY": "x" * 32, "DATABASE_URL": "postgresql://a@127.0.0.1/b", "REDIS_URL": "redis://127.0.0.1/0",
        "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x",
    }  # fmt: skip
    return Environment.read({**given, **changes}, base=Path(os.sep))


@pytest.mark.parametrize(
    ("value", "message"), WRONG, ids=[f"{number} {message}" for number, (_, message) in enumerate(WRONG)]
)
def test_a_wrong_setting_stops_the_start_in_one_line_without_its_secrets(value: Any, message: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^TRUSTED_ISSUERS") as told:
        environment(TRUSTED_ISSUERS=json.dumps(value), SIGN_IN_RETURN_URLS="https://app.example.com/")
    line = str(told.value)
    assert message in line
    assert "\n" not in line
    assert SECRET not in line


@pytest.mark.parametrize(
    "value",
    [
        "/signed-in", "app.example.com/signed-in", "//app.example.com/", "http://app.example.com/", "https://",
        "https://app.example.com/?a=b", "https://app.example.com/#a", "https://u@app.example.com/", "javascript:alert(1)",
        "https://*.example.com/", "https://app.example.com/../x", "app:/in", "https://app.example.com/a;b", "*",
    ],
)  # fmt: skip
def test_a_wrong_return_address_stops_the_start(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SIGN_IN_RETURN_URLS: '.*' is no address of a page"):
        environment(SIGN_IN_RETURN_URLS=f"https://app.example.com/,{value}")


def test_people_who_are_sent_away_must_come_back_somewhere() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^SIGN_IN_RETURN_URLS is not set"):
        environment(TRUSTED_ISSUERS=json.dumps({"a": CLIENT}))
    read = environment(TRUSTED_ISSUERS=json.dumps({"a": CLIENT}), SIGN_IN_RETURN_URLS="http://127.0.0.1:3000/in")
    assert [str(url) for url in read.sign_in_return_urls] == ["http://127.0.0.1:3000/in"]
    client = read.trusted_issuers["a"].client
    assert client is not None
    assert client.discovery_url == f"{ISSUER}/.well-known/openid-configuration"
    assert read_return_urls([]) == ()


def test_secrets_of_issuers_do_not_show_in_a_log() -> None:
    issuers = read_issuers({"a": {"secret": SECRET}, "b": {**CLIENT, "client_secret": SECRET}})
    assert SECRET not in repr(issuers)
