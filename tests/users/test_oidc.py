"""The redirect sign-in, with a real provider process at the other end."""

import json
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.models import MailToken, Session, TrustedIdentity, User
from apps.users.signin import assertions, key_sets, oidc
from apps.users.signin.issuers import read_issuers
from tests.recipes import PASSWORD, make_guest
from tests.schema.users.conftest import ME, TOKEN_AUTH, Api
from tests.schema.users.test_exchange_token import EXCHANGE
from tests.serving import serve
from tests.users.journeys import (
    ADA,
    PAGE,
    REFUSED,
    Provider,
    answer_in,
    entry,
    exchange,
    journey,
    login,
    refusals,
    to_provider,
)
from tests.users.test_keys import ED_KEY, pem

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_person_signs_in_through_the_provider(provider: Provider) -> None:
    browser = Client()
    location = to_provider(browser, next=f"{PAGE}?tab=2")
    asked = dict(parse_qsl(urlsplit(location).query))
    assert location.startswith(f"{provider.url}/oauth2/authorize?")
    assert asked.items() >= {
        "response_type": "code", "client_id": "holdfast-web", "code_challenge_method": "S256",
        "scope": "openid email profile",
    }.items()  # fmt: skip
    assert asked["redirect_uri"].endswith("/auth/idp/callback")
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3

    response = browser.get(provider.sign_in(location))
    told = answer_in(response)
    assert response["Location"].startswith(f"{PAGE}?tab=2&sign_in_code=")
    assert set(told) == {"tab", "sign_in_code"}

    payload = exchange(told["sign_in_code"])
    assert payload["errors"] == []
    assert payload["viewer"] == {
        "email": "ada@example.com", "emailVerified": True, "user": {"firstName": "Ada", "lastName": "Lovelace"},
    }  # fmt: skip
    assert Api(payload["token"]).data(ME)["me"] == {"email": "ada@example.com", "role": "GUEST"}
    assert payload["refreshToken"]
    # The code is good once.
    assert refusals(told["sign_in_code"]) == REFUSED
    assert Session.objects.count() == 1


def test_the_same_person_comes_back_to_the_same_account(provider: Provider) -> None:
    first, second = (exchange(journey(provider)["sign_in_code"]) for _ in range(2))
    assert first["viewer"] == second["viewer"]
    assert first["token"] != second["token"]
    assert (User.objects.count(), TrustedIdentity.objects.count(), Session.objects.count()) == (1, 1, 2)


def test_an_account_is_found_by_its_verified_address(provider: Provider) -> None:
    user = make_guest(email="ada@example.com", password=PASSWORD)
    assert exchange(journey(provider)["sign_in_code"])["errors"] == []
    assert Api().sign_in(user)
    assert User.objects.get() == user


def test_who_took_the_address_unproven_is_put_out_with_their_links(provider: Provider) -> None:
    user = make_guest(email="ada@example.com", password=PASSWORD, email_verified_at=None)
    squatter = Api()
    squatter.sign_in(user)
    squatter.data(
        'mutation($p: String!) { changeEmail(input: {newEmail: "squatter@example.com", password: $p}) { sent } }',
        p=PASSWORD,
    )
    assert MailToken.objects.filter(used_at=None).count() == 1
    assert exchange(journey(provider)["sign_in_code"])["viewer"]["emailVerified"]
    assert squatter.data(ME)["me"] is None
    assert squatter.code(TOKEN_AUTH, email=user.email, password=PASSWORD) == "INVALID_CREDENTIALS"
    assert not MailToken.objects.filter(used_at=None).exists()


@pytest.mark.parametrize("claims", [{"email_verified": False}, {}, {"email_verified": "false"}])
def test_an_unverified_address_opens_nothing(provider: Provider, claims: dict[str, Any]) -> None:
    make_guest(email="ada@example.com")
    provider.knows("ada", email="ada@example.com", **claims)
    assert journey(provider) == {"sign_in_error": "failed"}
    assert not TrustedIdentity.objects.exists()


def test_an_issuer_may_vouch_for_all_addresses_but_not_against_its_word(provider: Provider, settings: Settings) -> None:
    settings.TRUSTED_ISSUERS = read_issuers({"idp": entry(provider, email_is_verified=True)})
    provider.knows("ada", email="ada@example.com", email_verified=False)
    assert journey(provider) == {"sign_in_error": "failed"}
    provider.knows("ada", email="ada@example.com")
    assert set(journey(provider)) == {"sign_in_code"}


def test_claims_may_have_other_names_and_stand_in_the_user_info(provider: Provider, settings: Settings) -> None:
    settings.TRUSTED_ISSUERS = read_issuers(
        {"idp": entry(provider, claims={"given_name": "nickname"}), "idp-2": entry(provider, "two")}
    )
    provider.knows("ada", **ADA, nickname="Countess")
    provider.lies(without=["email", "email_verified"])
    assert exchange(journey(provider)["sign_in_code"])["viewer"]["user"]["firstName"] == "Countess"


def test_a_closed_account_stays_closed(provider: Provider) -> None:
    make_guest(email="ada@example.com", is_active=False)
    assert journey(provider) == {"sign_in_error": "failed"}


def test_no_means_no(provider: Provider) -> None:
    browser = Client()
    # The provider forgets the state when it is refused; a real one sends it along, as RFC 6749 wants.
    asked = parse_qs(urlsplit(to_provider(browser)).query)
    back = urlencode({"error": "access_denied", "state": asked["state"][0]})
    assert answer_in(browser.get(f"/auth/idp/callback?{back}")) == {"sign_in_error": "denied"}
    assert not User.objects.exists()


LIES: list[dict[str, Any]] = [
    {"claims": {"nonce": "another"}}, {"without": ["nonce"]}, {"claims": {"aud": "somebody-else"}},
    {"claims": {"aud": ["holdfast-web", "somebody-else"]}},
    {"claims": {"aud": ["holdfast-web", "somebody-else"], "azp": "somebody-else"}},
    {"claims": {"iss": "https://evil.example"}}, {"claims": {"exp": 1, "iat": 0}},
    {"claims": {"iat": 4_000_000_000}}, {"claims": {"nbf": 4_000_000_000}},
    {"claims": {"exp": "soon"}}, {"without": ["sub"]}, {"without": ["exp"]}, {"claims": {"sub": ""}},
    {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}}, {"claims": {"email": "nobody"}},
    {"alg": "none"}, {"alg": "HS256"}, {"alg": "RS512"}, {"key": "another"}, {"token": None},
]  # fmt: skip


def test_an_id_token_that_is_wrong_signs_nobody_in(provider: Provider) -> None:
    for faults in LIES:
        provider.lies(**faults)
        assert journey(provider) == {"sign_in_error": "failed"}, faults
        assert not User.objects.exists(), faults
    provider.is_honest()
    assert set(journey(provider)) == {"sign_in_code"}


def test_the_verifier_is_needed_and_the_code_of_the_provider_is_good_once(provider: Provider) -> None:
    """PKCE: somebody else's code, brought with a state of one's own, is refused by the provider."""
    victim, thief = Client(), Client()
    stolen = dict(parse_qsl(urlsplit(provider.sign_in(to_provider(victim))).query))["code"]
    own = dict(parse_qsl(urlsplit(to_provider(thief)).query))["state"]
    back = urlencode({"code": stolen, "state": own})
    assert answer_in(thief.get(f"/auth/idp/callback?{back}")) == {"sign_in_error": "failed"}
    assert not User.objects.exists()


def test_only_issuers_with_a_client_send_people_away(provider: Provider, settings: Settings) -> None:
    settings.TRUSTED_ISSUERS = {**settings.TRUSTED_ISSUERS, **read_issuers({"site": {"secret": "x" * 32}})}
    for path in ("/auth/nobody/login", "/auth/site/login", "/auth/nobody/callback", "/auth/site/callback"):
        assert Client().get(path).status_code == 404
    for path in ("/auth/idp/login", "/auth/idp/callback"):
        assert Client().post(path).status_code == 405


def test_an_id_token_of_the_provider_is_no_token_for_exchange(provider: Provider) -> None:
    """What the provider signs for its clients may lie about; only a journey of our own brings it in."""
    sent: list[str] = []
    original = assertions.verified_claims

    def seen(token: str, **options: Any) -> dict[str, Any]:
        sent.append(token)
        return original(token, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(oidc, "verified_claims", seen)
        journey(provider)
    assert refusals(sent[0], issuer="idp") == REFUSED


STRAYING: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"}, {"authorization_endpoint": "http://evil.example/"},
    {"token_endpoint": None}, {"jwks_uri": "file:///etc/passwd"}, {"userinfo_endpoint": "http://evil.example/"},
    {"authorization_endpoint": "javascript:alert(1)"}, {"token_endpoint": "https://user@evil.example/"},
]  # fmt: skip


def test_a_discovery_document_that_leads_astray_is_not_followed(provider: Provider) -> None:
    for document in STRAYING:
        key_sets.forget_all()
        provider.lies(document=document)
        response = login(Client())
        assert (response.status_code, "Location" in response) == (503, False), document


def test_a_provider_that_is_away_is_told_in_one_line(provider: Provider, settings: Settings) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
        settings.TRUSTED_ISSUERS = read_issuers({"idp": {"issuer": url, "client_id": "x"}})
        response = login(Client())
    assert response.status_code == 503
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert b"try again" in response.content


def test_the_pages_are_limited(provider: Provider, settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = True
    statuses = [Client().get("/auth/nobody/login").status_code for _ in range(61)]
    assert statuses == [404] * 60 + [429]
    refused = Client().get("/auth/idp/callback")
    assert int(refused["Retry-After"]) >= 1


def test_what_goes_wrong_is_logged_without_secrets(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="apps.users")
    provider.lies(claims={"nonce": "another"})
    browser = Client()
    back = provider.sign_in(to_provider(browser))
    browser.get(back)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("apps.users")]
    assert line.startswith("a sign-in through idp was refused: ")
    for secret in parse_qs(urlsplit(back).query).values():
        assert secret[0] not in line


def test_the_whole_way_with_real_processes(
    provider: Provider, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """A browser, the provider and the product, each a process of its own, from the settings of the environment."""
    signing = tmp_path / "key.pem"
    signing.write_text(pem(ED_KEY))
    with serve(
        tmp_path_factory.mktemp("redirect"),
        processes=["web"],
        TRUSTED_ISSUERS=json.dumps({"idp": entry(provider)}),
        SIGN_IN_RETURN_URLS=PAGE,
        SIGNING_KEYS=json.dumps([{"kid": "2027", "alg": "EdDSA", "private_key": str(signing)}]),
    ) as running:
        browser = requests.Session()
        asked = browser.get(f"{running.url}/auth/idp/login", params={"next": PAGE}, allow_redirects=False, timeout=300)
        back = provider.sign_in(asked.headers["Location"])
        landed = browser.get(running.url + back, allow_redirects=False, timeout=300)
        assert landed.headers["Location"].startswith(f"{PAGE}?sign_in_code="), landed.text
        assert not browser.cookies
        code = parse_qs(urlsplit(landed.headers["Location"]).query)["sign_in_code"][0]
        payload = running.client().data(EXCHANGE, {"issuer": "holdfast", "token": code})["exchangeToken"]
        assert running.client(token=payload["token"]).data(ME)["me"] == {"email": "ada@example.com", "role": "GUEST"}
        # Another service checks our token with what we publish.
        keys = jwt.PyJWKSet.from_dict(requests.get(f"{running.url}/.well-known/jwks.json", timeout=300).json())
        claims = jwt.decode(
            payload["token"], keys["2027"], algorithms=["EdDSA"], audience="holdfast", issuer=running.url
        )
        assert claims["sub"] == str(User.objects.get().pk)
