"""The keys of access tokens: which sign, which verify, and what the world sees of them."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core.errors import InvalidToken
from apps.users import keys, tokens
from apps.users.keys import SigningKey, read_signing_keys
from apps.users.tokens import ExpiredToken
from booking.env import Reader

# Long ago; by the clock of the machine the tokens hold for decades.
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = 4_000_000_000
SECRET = "a shared secret that has enough bytes"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def pem(private: Any) -> str:
    text: bytes = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return text.decode()


def public_pem(private: Any) -> str:
    text: bytes = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return text.decode()


HS = {"kid": "hs", "alg": "HS256", "secret": SECRET}
RS = {"kid": "rs", "alg": "RS256", "private_key": pem(RSA_KEY)}
ES = {"kid": "es", "alg": "ES256", "private_key": pem(EC_KEY)}
ED = {"kid": "ed", "alg": "EdDSA", "private_key": pem(ED_KEY)}


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    return {"sub": "1", "sid": "2", "ver": 0, "jti": "x", "iat": now, "exp": LATER, "typ": "access", **changes}


@pytest.mark.parametrize("entry", [HS, RS, ES, ED, {**RS, "alg": "PS512"}], ids=lambda entry: entry["alg"])
def test_the_first_key_signs_and_names_itself(entry: dict[str, str], settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([entry, {**HS, "kid": "older"}])
    token = tokens.encode(claims())
    assert jwt.get_unverified_header(token) == {"alg": entry["alg"], "kid": entry["kid"], "typ": "at+jwt"}
    assert tokens.read_access_token(token, now=NOW).session_id == 2
    assert tokens.decode(token)["sub"] == "1"


def test_a_key_goes_through_its_life(settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([HS])
    before = tokens.encode(claims())
    settings.SIGNING_KEYS = read_signing_keys([HS, RS])
    assert jwt.get_unverified_header(tokens.encode(claims()))["kid"] == "hs"
    settings.SIGNING_KEYS = read_signing_keys([RS, HS])
    after = tokens.encode(claims())
    assert tokens.read_access_token(before, now=NOW).user_id == tokens.read_access_token(after, now=NOW).user_id == 1
    settings.SIGNING_KEYS = read_signing_keys([RS])
    assert tokens.read_access_token(after, now=NOW).user_id == 1
    with pytest.raises(InvalidToken):
        tokens.read_access_token(before, now=NOW)


def test_a_key_of_which_only_the_public_half_is_known_verifies(settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([ED])
    token = tokens.encode(claims())
    settings.SIGNING_KEYS = read_signing_keys([HS, {"kid": "ed", "alg": "EdDSA", "public_key": public_pem(ED_KEY)}])
    assert tokens.read_access_token(token, now=NOW).user_id == 1


def signed_with_the_public_key() -> str:
    """HS256 over the PEM that everybody may read: what a verifier that believes the header would accept."""

    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signed = f"{part({'alg': 'HS256', 'kid': 'rs'})}.{part(claims())}"
    mac = hmac.new(public_pem(RSA_KEY).encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


FORGERIES: dict[str, Callable[[], str]] = {
    "none": lambda: jwt.encode(claims(), "", algorithm="none", headers={"kid": "rs"}),
    "HS256 with the public key": signed_with_the_public_key,
    "no kid": lambda: jwt.encode(claims(), RSA_KEY, algorithm="RS256"),
    "a kid that is no text": lambda: jwt.encode(claims(), SECRET, algorithm="HS256").replace(
        jwt.encode(claims(), SECRET, algorithm="HS256").split(".")[0],
        base64.urlsafe_b64encode(b'{"alg":"HS256","kid":["hs"]}').decode().rstrip("="),
    ),
    "an unknown kid": lambda: jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "rs2"}),
    "another key's kid": lambda: jwt.encode(claims(), SECRET, algorithm="HS256", headers={"kid": "rs"}),
    "another algorithm of the key": lambda: jwt.encode(claims(), RSA_KEY, algorithm="PS256", headers={"kid": "rs"}),
    "a key of its own in the header": lambda: jwt.encode(
        claims(), ED_KEY, algorithm="EdDSA", headers={"kid": "rs", "jwk": keys.as_jwk(ED_KEY.public_key())}
    ),
    "somebody else's key": lambda: jwt.encode(
        claims(), rsa.generate_private_key(65537, 2048), algorithm="RS256", headers={"kid": "rs"}
    ),
    "an extension that nobody here knows": lambda: jwt.encode(
        claims(), RSA_KEY, algorithm="RS256", headers={"kid": "rs", "crit": ["x"], "x": 1}
    ),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_forgeries_are_refused(forge: Callable[[], str], settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([RS, HS])
    good = jwt.encode(claims(), RSA_KEY, algorithm="RS256", headers={"kid": "rs"})
    assert tokens.read_access_token(good, now=NOW).user_id == 1
    with pytest.raises(InvalidToken):
        tokens.read_access_token(forge(), now=NOW)
    with pytest.raises(jwt.InvalidTokenError):
        tokens.decode(forge())


def test_the_published_keys_verify_our_tokens_and_hold_no_secret(settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys(
        [HS, RS, ES, ED, {"kid": "old", "alg": "ES256", "public_key": public_pem(EC_KEY)}]
    )
    response = Client().get("/.well-known/jwks.json")
    assert response["Content-Type"] == "application/jwk-set+json"
    assert response["Cache-Control"] == "public, max-age=300"
    assert response["Access-Control-Allow-Origin"] == "*"
    shown = response.json()["keys"]
    assert [(key["kid"], key["kty"], key["alg"], key["use"]) for key in shown] == [
        ("rs", "RSA", "RS256", "sig"), ("es", "EC", "ES256", "sig"), ("ed", "OKP", "EdDSA", "sig"),
        ("old", "EC", "ES256", "sig"),
    ]  # fmt: skip
    assert {name for key in shown for name in key} == {"kid", "kty", "alg", "use", "n", "e", "crv", "x", "y"}
    document = jwt.PyJWKSet.from_dict(response.json())
    for entry in (RS, ES, ED):
        settings.SIGNING_KEYS = read_signing_keys([entry])
        # As another service would.
        payload = jwt.decode(
            tokens.encode(claims(iss="https://holdfast.example", aud="holdfast")),
            document[entry["kid"]],
            algorithms=[entry["alg"]],
            audience="holdfast",
            issuer="https://holdfast.example",
        )
        assert payload["sub"] == "1"


def test_the_document_is_fetched_once_until_the_keys_change(settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([RS])
    tag = Client().get("/.well-known/jwks.json")["ETag"]
    assert Client().get("/.well-known/jwks.json", headers={"If-None-Match": tag}).status_code == 304
    settings.SIGNING_KEYS = read_signing_keys([RS, ES])
    assert Client().get("/.well-known/jwks.json", headers={"If-None-Match": tag}).status_code == 200
    assert Client().post("/.well-known/jwks.json").status_code == 405


def test_the_derived_key_is_the_secret_keys_and_shown_to_nobody(settings: Settings) -> None:
    (only,) = settings.SIGNING_KEYS
    assert only == keys.derived_key(settings.SECRET_KEY)
    assert only.kid.startswith("derived-")
    assert Client().get("/.well-known/jwks.json").json() == {"keys": []}
    assert keys.derived_key("a") == keys.derived_key("a") != keys.derived_key("b")


def test_a_key_may_lie_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(pem(EC_KEY))
    (key,) = read_signing_keys([{**ES, "private_key": str(path)}])
    assert (key.algorithm, key.public_jwk()) == ("ES256", read_signing_keys([ES])[0].public_jwk())


SHORT_RSA = rsa.generate_private_key(65537, 1024)
WRONG: list[tuple[object, str]] = [
    ([], "a list of keys is wanted"),
    ({"kid": "x"}, "a list of keys is wanted"),
    (["x"], "each key is an object of texts"),
    ([{"kid": 1}], "each key is an object of texts"),
    ([{**HS, "kid": ""}], "each key needs a kid of at most 100 characters"),
    ([{**HS, "kid": "a\nb"}], "each key needs a kid of at most 100 characters"),
    ([HS, HS], "two keys have the same kid"),
    ([{**HS, "secret": "short"}], "the secret of key 'hs' needs at least 32 bytes"),
    ([{**HS, "alg": "HS512"}], "the secret of key 'hs' needs at least 64 bytes"),
    ([{**HS, "public_key": "x"}], "key 'hs' needs a secret and nothing else"),
    ([{**HS, "alg": "none"}], "key 'hs' needs an alg: one of HS256, HS384"),
    ([{**RS, "alg": "ES256"}], "key 'rs' is no key for ES256"),
    ([{**ES, "alg": "ES384"}], "key 'es' is no key for ES384"),
    ([{**ES, "alg": "EdDSA"}], "key 'es' is no key for EdDSA"),
    ([{**ED, "alg": "RS256"}], "key 'ed' is no key for RS256"),
    ([{**RS, "private_key": pem(SHORT_RSA)}], "key 'rs' has fewer than 2048 bits"),
    ([{**RS, "private_key": public_pem(RSA_KEY)}], "key 'rs' has no private key in PEM form without a password"),
    ([{**RS, "private_key": "/nowhere/key.pem"}], "the PEM file of key 'rs' cannot be read"),
    ([{**RS, "private_key": "a\0b"}], "the PEM file of key 'rs' cannot be read"),
    ([{**RS, "secret": SECRET}], "key 'rs' needs a private_key or a public_key and nothing else"),
    ([{"kid": "rs", "alg": "RS256"}], "key 'rs' needs a private_key or a public_key and nothing else"),
    ([{"kid": "rs", "alg": "RS256", "public_key": public_pem(RSA_KEY)}], "key 'rs' is the first"),
    ([HS, {"kid": "rs", "alg": "RS256", "public_key": pem(RSA_KEY)}], "key 'rs' has no public key in PEM form"),
    ([{**ED, "private_key": pem(ed448.Ed448PrivateKey.generate())}], "key 'ed' is neither RSA nor EC nor Ed25519"),
    ([{**RS, "private_key": pem(dsa.generate_private_key(1024))}], "key 'rs' is neither RSA nor EC nor Ed25519"),
]


@pytest.mark.parametrize(("value", "message"), WRONG, ids=[message for _, message in WRONG])
def test_a_wrong_setting_is_told_in_one_line_without_its_secrets(value: object, message: str) -> None:
    read = Reader({"SIGNING_KEYS": json.dumps(value)})
    unset: tuple[SigningKey, ...] = ()
    with pytest.raises(ImproperlyConfigured, match="SIGNING_KEYS") as told:
        read.table("SIGNING_KEYS", read_signing_keys, unset)
    line = str(told.value)
    assert message in line
    assert "\n" not in line
    assert SECRET not in line
    assert "BEGIN" not in line


def test_a_key_does_not_show_itself_in_a_log() -> None:
    (key,) = read_signing_keys([HS])
    assert isinstance(key, SigningKey)
    assert repr(key) == "<HS256 key hs>"


def test_a_signature_is_checked_once_and_its_end_each_time(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SIGNING_KEYS = read_signing_keys([ES])
    token = tokens.encode(claims(exp=int(NOW.timestamp()) + 60))
    checked: list[str] = []
    verify = keys.verify

    def counting(token: str, **rest: Any) -> dict[str, Any]:
        checked.append(token)
        return verify(token, **rest)

    monkeypatch.setattr(keys, "verify", counting)
    first = tokens.read_access_token(token, now=NOW)
    first.payload["sub"] = "somebody else"
    second = tokens.read_access_token(token, now=NOW + timedelta(seconds=59))
    assert (second.user_id, second.payload["sub"]) == (1, "1")
    assert checked == [token]
    with pytest.raises(ExpiredToken):
        tokens.read_access_token(token, now=NOW + timedelta(seconds=60))
    # What is refused is looked at each time: nobody fills the memory with tokens that are none.
    for _ in range(2):
        with pytest.raises(InvalidToken):
            tokens.read_access_token(token + "x", now=NOW)
    assert checked == [token, token + "x", token + "x"]


@pytest.mark.parametrize("version", [-1, 2**63, "0", None])
def test_a_version_that_no_account_has_is_refused(version: object, settings: Settings) -> None:
    settings.SIGNING_KEYS = read_signing_keys([HS])
    with pytest.raises(InvalidToken):
        tokens.read_access_token(tokens.encode(claims(ver=version)), now=NOW)
