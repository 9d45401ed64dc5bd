"""Trusted issuers as the settings give them: what is understood, and what stops the start."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.core.exceptions import ImproperlyConfigured
from pytest_django.fixtures import Settings

from apps.users.signin.assertions import read_assertion
from apps.users.signin.issuers import read_issuers
from apps.users.signin.return_urls import read_return_urls
from booking.env import Environment
from tests.users.publisher import EC_KEY, ISSUER, NOW, SECRET, is_accepted, token
from tests.users.test_keys import public_pem


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
