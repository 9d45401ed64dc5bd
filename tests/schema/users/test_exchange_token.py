"""Signing in with the token of a trusted issuer."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
import pytest
from django.db import connection
from pytest_django.fixtures import Settings

from apps.users.models import Session, TrustedIdentity, User
from apps.users.signin.issuers import read_issuers
from tests.recipes import PASSWORD, make_guest
from tests.schema.users.conftest import ME, TOKEN_AUTH, Api

pytestmark = pytest.mark.django_db(transaction=True)

SECRET = "the-secret-that-we-share-with-the-main-site"
EXCHANGE = """mutation($issuer: String!, $token: String!) { exchangeToken(input: {issuer: $issuer, token: $token}) {
    viewer { email emailVerified user { firstName lastName } } token refreshToken errors { code field message } } }"""


@pytest.fixture(autouse=True)
def _issuer(settings: Settings) -> None:
    settings.TRUSTED_ISSUERS = read_issuers({"main": {"secret": SECRET}, "other": {"secret": SECRET + "2"}})


def assertion(secret: str = SECRET, algorithm: str = "HS256", without: str = "", **changes: Any) -> str:
    now = int(datetime.now(UTC).timestamp())
    claims = {
        "iss": "main", "aud": "holdfast", "sub": "person-1", "email": "Ada@example.com", "given_name": "Ada",
        "family_name": "Lovelace", "iat": now, "exp": now + 300, "jti": uuid4().hex, **changes,
    }  # fmt: skip
    claims.pop(without, None)
    return jwt.encode(claims, secret if algorithm != "none" else "", algorithm=algorithm)


def test_an_unknown_person_gets_a_verified_account(api: Api) -> None:
    payload = api.data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]
    assert payload["viewer"] == {
        "email": "ada@example.com",
        "emailVerified": True,
        "user": {"firstName": "Ada", "lastName": "Lovelace"},
    }
    assert Api(payload["token"]).data(ME)["me"]["role"] == "GUEST"
    # Known by the subject from now on, whatever the address there.
    again = api.data(EXCHANGE, issuer="main", token=assertion(email="moved@example.com"))["exchangeToken"]
    assert again["viewer"]["email"] == "ada@example.com"
    assert User.objects.count() == TrustedIdentity.objects.count() == 1


def test_a_verified_account_is_linked_and_keeps_its_password(api: Api) -> None:
    user = make_guest(email="ada@example.com", password=PASSWORD)
    assert api.data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]["errors"] == []
    assert api.sign_in(user)
    assert User.objects.count() == 1


def test_who_took_an_address_unproven_is_put_out(api: Api) -> None:
    user = make_guest(email="ada@example.com", password=PASSWORD, email_verified_at=None)
    squatter = Api()
    squatter.sign_in(user)
    assert api.data(EXCHANGE, issuer="main", token=assertion())["exchangeToken"]["viewer"]["emailVerified"]
    assert squatter.data(ME)["me"] is None
    assert squatter.code(TOKEN_AUTH, email=user.email, password=PASSWORD) == "INVALID_CREDENTIALS"


def test_whatever_is_wrong_answers_alike(api: Api) -> None:
    now = int(datetime.now(UTC).timestamp())
    used = assertion()
    api.data(EXCHANGE, issuer="main", token=used)
    wrong = [
        ("nobody", assertion(iss="nobody")), ("other", assertion()), ("main", assertion(iss="other")), ("main", used),
        ("main", assertion(secret="forged-" + SECRET)), ("main", assertion(algorithm="none")),
        ("main", assertion(secret=SECRET * 2, algorithm="HS512")),
        ("main", assertion(aud="somebody-else")), ("main", assertion(exp=now - 1, iat=now - 100)),
        ("main", assertion(exp=now + 3600)), ("main", assertion(iat=now + 3600, exp=now + 3700)),
        ("main", assertion(email="nobody")), ("main", assertion(sub=" ")), ("main", assertion(iat="now")),
        ("main", assertion(exp=10**20)), ("main", assertion(email_verified=False)),
        *(("main", assertion(without=claim)) for claim in ("iss", "aud", "sub", "email", "iat", "exp", "jti")),
        ("main", ""), ("main", "x.y.z"), ("", ""),
    ]  # fmt: skip
    sessions = Session.objects.count()
    for issuer, token in wrong:
        assert api.refusals(EXCHANGE, issuer=issuer, token=token) == [("INVALID_TOKEN", ["token"])], (issuer, token)
    messages = {
        api.data(EXCHANGE, issuer=issuer, token=token)["exchangeToken"]["errors"][0]["message"]
        for issuer, token in wrong
    }
    assert len(messages) == 1
    assert Session.objects.count() == sessions


def test_one_of_many_parallel_uses_wins() -> None:
    token = assertion()

    def exchange(_: int) -> bool:
        try:
            return Api().data(EXCHANGE, issuer="main", token=token)["exchangeToken"]["token"] is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(exchange, range(8))) == 1
    assert User.objects.count() == Session.objects.count() == 1


def test_a_closed_account_stays_closed(api: Api) -> None:
    make_guest(email="ada@example.com", is_active=False)
    assert api.refusals(EXCHANGE, issuer="main", token=assertion()) == [("INVALID_TOKEN", ["token"])]
