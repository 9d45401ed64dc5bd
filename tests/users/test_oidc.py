"""The redirect sign-in, with a real provider process at the other end."""

import base64
import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
import pytest
import requests
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django_redis import get_redis_connection
from pytest_django.fixtures import Settings

from apps.core.db import unit_of_work
from apps.users.actions import trusted_sign_in
from apps.users.actions.sessions import end_all_sessions
from apps.users.models import MailToken, Session, TrustedIdentity, User
from apps.users.signin import assertions, key_sets, oidc
from apps.users.signin.issuers import read_issuers
from apps.users.signin.return_urls import read_return_urls
from tests.recipes import PASSWORD, make_guest
from tests.schema.users.conftest import ME, TOKEN_AUTH, Api
from tests.schema.users.test_exchange_token import EXCHANGE
from tests.serving import ROOT, at_once, eventually, serve
from tests.users.test_keys import ED_KEY, pem
from tests.users.test_return_urls import BAD_PAGES

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "https://app.example.com/signed-in"
ADA = {
    "email": "Ada@example.com", "email_verified": True, "given_name": "Ada", "family_name": "Lovelace",
}  # fmt: skip


class Provider:
    """The running provider, and a person at its sign-in page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def knows(self, sub: str, **claims: Any) -> None:
        requests.put(f"{self.url}/users/{sub}", json=claims, timeout=10).raise_for_status()

    def lies(self, **faults: Any) -> None:
        requests.put(f"{self.url}/_faults", json=faults, timeout=10).raise_for_status()

    def is_honest(self) -> None:
        requests.delete(f"{self.url}/_faults", timeout=10).raise_for_status()

    def sign_in(self, url: str, *, sub: str = "ada", action: str = "authorize") -> str:
        """Sign in at the page that the browser was sent to; the path to which it is sent back."""
        answer = requests.post(url, data={"sub": sub, "action": action}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"


@pytest.fixture(scope="session")
def _provider_process() -> Iterator[Provider]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "tests.users.oidc_provider", str(port)], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        eventually(lambda: _answers(url), "the provider answers")
        yield Provider(url)
    finally:
        process.terminate()
        process.wait(timeout=20)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/.well-known/openid-configuration", timeout=2).ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def provider(_provider_process: Provider, settings: Settings) -> Iterator[Provider]:
    """An honest provider that knows Ada, and that we trust as "idp"."""
    settings.RATE_LIMITS_ENABLED = False
    settings.TRUSTED_ISSUERS = read_issuers({"idp": entry(_provider_process), "idp-2": entry(_provider_process, "two")})
    settings.SIGN_IN_RETURN_URLS = read_return_urls([PAGE, "https://app.example.com/below/", "com.example.app:/in"])
    key_sets.forget_all()
    cache.clear()
    _provider_process.knows("ada", **ADA)
    yield _provider_process
    _provider_process.is_honest()


def entry(provider: Provider, client_id: str = "holdfast-web", **changes: Any) -> dict[str, Any]:
    return {"issuer": provider.url, "client_id": client_id, "client_secret": "a secret of ours", **changes}


def login(browser: Client, issuer: str = "idp", **query: str) -> HttpResponse:
    response: HttpResponse = browser.get(f"/auth/{issuer}/login", query or {"next": PAGE})  # type: ignore[assignment]
    return response


def to_provider(browser: Client, issuer: str = "idp", **query: str) -> str:
    response = login(browser, issuer, **query)
    assert response.status_code == 302, response.content
    return response["Location"]


def answer_in(response: Any) -> dict[str, str]:
    """What the address says to which the browser is sent at the end."""
    assert response.status_code == 302, response.content
    assert response["Cache-Control"] == "no-store"
    assert response["Referrer-Policy"] == "no-referrer"
    return dict(parse_qsl(urlsplit(response["Location"]).query))


def journey(provider: Provider, browser: Client | None = None, *, sub: str = "ada", **query: str) -> dict[str, str]:
    browser = browser or Client()
    return answer_in(browser.get(provider.sign_in(to_provider(browser, **query), sub=sub)))


def exchange(code: str, issuer: str = "holdfast") -> dict[str, Any]:
    payload: dict[str, Any] = Api().data(EXCHANGE, issuer=issuer, token=code)["exchangeToken"]
    return payload


def refusals(code: str, issuer: str = "holdfast") -> list[tuple[str, list[str]]]:
    return Api().refusals(EXCHANGE, issuer=issuer, token=code)


REFUSED = [("INVALID_TOKEN", ["token"])]


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


def lost(response: Any) -> bool:
    """Whether the browser is told to begin again, and sent nowhere."""
    assert response.status_code == 400, response.content
    assert "Location" not in response
    assert not User.objects.exists()
    return b"begin again" in response.content


def test_an_answer_is_good_only_where_it_was_asked_for(provider: Provider) -> None:
    browser, other = Client(), Client()
    back = provider.sign_in(to_provider(browser))
    # No cookie: the answer was sent to somebody else's browser.
    assert lost(Client().get(back))
    # The cookie of another journey.
    to_provider(other)
    assert lost(other.get(back))
    # A forged one.
    name, value = next((name, morsel.value) for name, morsel in browser.cookies.items())
    forger = Client()
    for forged in (value[:-1], value + "x", "x", "x:y", "", "é"):
        forger.cookies[name] = forged
        assert lost(forger.get(back))
    # The state is missing or another one.
    query = dict(parse_qsl(urlsplit(back).query))
    assert lost(browser.get("/auth/idp/callback", {**query, "state": "x"}))
    assert lost(Client(headers={"Cookie": f"{name}={value}"}).get("/auth/idp/callback", {"code": query["code"]}))


def test_an_answer_to_one_issuer_is_none_to_another(provider: Provider) -> None:
    browser = Client()
    back = provider.sign_in(to_provider(browser))
    to_provider(browser, "idp-2")
    assert lost(browser.get(back.replace("/auth/idp/", "/auth/idp-2/")))
    # With the first one's cookie under the second one's name.
    browser = Client()
    back = provider.sign_in(to_provider(browser))
    browser.cookies["sign-in-idp-2"] = browser.cookies["sign-in-idp"].value
    assert lost(browser.get(back.replace("/auth/idp/", "/auth/idp-2/")))
    # RFC 9207: the answer says whose it is.
    browser = Client()
    back = provider.sign_in(to_provider(browser))
    assert answer_in(browser.get(f"{back}&iss=https%3A%2F%2Fevil.example")) == {"sign_in_error": "failed"}


def test_the_same_answer_twice_signs_in_once(provider: Provider) -> None:
    browser = Client()
    back = provider.sign_in(to_provider(browser))
    kept = browser.cookies["sign-in-idp"].value
    assert set(answer_in(browser.get(back))) == {"sign_in_code"}
    assert browser.cookies["sign-in-idp"].value == ""
    # A copy of the cookie does not help.
    copy = Client()
    copy.cookies["sign-in-idp"] = kept
    assert answer_in(copy.get(back)) == {"sign_in_error": "failed"}


def test_a_state_is_good_once_even_where_the_provider_takes_its_codes_twice(provider: Provider) -> None:
    browser = Client()
    now = datetime.now(UTC)
    issuer = oidc.redirecting_issuer("idp")
    assert issuer is not None
    back = dict(parse_qsl(urlsplit(provider.sign_in(to_provider(browser))).query))
    arrival = oidc.arrive(issuer=issuer, cookie=browser.cookies["sign-in-idp"].value, answer=back, now=now)
    assert trusted_sign_in.code_for(assertion=arrival.assertion, challenge="", now=now)
    with pytest.raises(Exception, match="not accepted"):
        trusted_sign_in.code_for(assertion=arrival.assertion, challenge="", now=now)


def test_who_takes_too_long_begins_again(provider: Provider) -> None:
    browser = Client()
    issuer = oidc.redirecting_issuer("idp")
    assert issuer is not None
    back = dict(parse_qsl(urlsplit(provider.sign_in(to_provider(browser))).query))
    cookie = browser.cookies["sign-in-idp"].value
    with pytest.raises(oidc.Lost):
        oidc.arrive(issuer=issuer, cookie=cookie, answer=back, now=datetime.now(UTC) + oidc.PATIENCE)
    late = datetime.now(UTC) + oidc.PATIENCE - timedelta(seconds=5)
    assert oidc.arrive(issuer=issuer, cookie=cookie, answer=back, now=late).return_to == PAGE


def test_the_cookie_is_for_this_browser_alone(provider: Provider, settings: Settings) -> None:
    cookie = login(Client()).cookies["sign-in-idp"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["max-age"], cookie["secure"]) == (
        True, "Lax", "/", 600, "",
    )  # fmt: skip
    settings.PUBLIC_URL = "https://book.example.com"
    secure = login(Client()).cookies["__Host-sign-in-idp"]
    assert (secure["secure"], secure["httponly"], secure["domain"]) == (True, True, "")
    # Nothing of the journey can be read from it.
    browser = Client()
    asked = parse_qs(urlsplit(to_provider(browser)).query)
    text = base64.urlsafe_b64decode(browser.cookies["__Host-sign-in-idp"].value.split(":")[0].lstrip(".") + "==")
    assert asked["state"][0].encode() not in text


def test_nobody_is_sent_to_a_page_that_is_not_listed(provider: Provider) -> None:
    for page in BAD_PAGES:
        response = login(Client(), next=page)
        assert (response.status_code, "Location" in response, len(response.cookies)) == (400, False, 0), page


@pytest.mark.parametrize(
    ("page", "lands"),
    [
        (PAGE, f"{PAGE}?sign_in_code="),
        (f"{PAGE}?a=1&a=2", f"{PAGE}?a=1&a=2&sign_in_code="),
        (f"{PAGE}?sign_in_code=old&sign_in_error=x", f"{PAGE}?sign_in_code="),
        ("HTTPS://App.Example.com/signed-in", "https://App.Example.com/signed-in?sign_in_code="),
        ("https://app.example.com/below/a/b", "https://app.example.com/below/a/b?sign_in_code="),
        ("com.example.app:/in", "com.example.app:/in?sign_in_code="),
    ],
)
def test_listed_pages_get_the_code(provider: Provider, page: str, lands: str) -> None:
    browser = Client()
    response = browser.get(provider.sign_in(to_provider(browser, next=page)))
    assert response["Location"].startswith(lands)
    assert exchange(dict(parse_qsl(urlsplit(response["Location"]).query))["sign_in_code"])["errors"] == []


def test_without_a_page_it_ends_at_the_first(provider: Provider) -> None:
    browser = Client()
    response = browser.get(provider.sign_in(browser.get("/auth/idp/login")["Location"]))
    assert response["Location"].startswith(f"{PAGE}?sign_in_code=")


def test_a_code_lives_a_minute_and_dies_with_the_sessions(provider: Provider) -> None:
    now = datetime.now(UTC)
    code = journey(provider)["sign_in_code"]
    with pytest.raises(Exception, match="not accepted"):
        trusted_sign_in.exchange_token(issuer="holdfast", token=code, user_agent="", now=now + timedelta(seconds=61))
    assert refusals(code) == REFUSED
    ended = journey(provider)["sign_in_code"]
    unit_of_work(end_all_sessions)(user=User.objects.get(), now=now)
    assert refusals(ended) == REFUSED
    closed = journey(provider)["sign_in_code"]
    User.objects.update(is_active=False)
    assert refusals(closed) == REFUSED
    assert not Session.objects.exists()


def test_redis_forgets_a_code_by_itself(provider: Provider) -> None:
    journey(provider)
    connection = get_redis_connection("default")
    (key,) = connection.keys("holdfast:sign-in-code:*")
    assert 0 < connection.pttl(key) <= 60_000


def test_wrong_codes_answer_as_any_other_wrong_token(provider: Provider) -> None:
    code = journey(provider)["sign_in_code"]
    wrong = ["", "x", code[:-1], code + "x", code.swapcase(), "x" * 5_000, "é", ".", "\x00"]
    said = {tuple(exchange(each)["errors"][0]["message"] for each in wrong)}
    assert said == {("The token is not accepted.",) * len(wrong)}
    assert refusals(code, issuer="idp") == REFUSED
    assert exchange(code)["errors"] == []


def test_of_many_parallel_uses_of_a_code_one_wins(provider: Provider) -> None:
    code = journey(provider)["sign_in_code"]
    assert sum(at_once([lambda: exchange(code)["token"] is not None] * 16)) == 1
    assert Session.objects.count() == 1


def test_a_code_with_a_challenge_needs_its_verifier(provider: Provider) -> None:
    verifier = "v" * 64
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    code = journey(provider, next=PAGE, challenge=challenge)["sign_in_code"]
    assert exchange(f"{code}.{verifier}")["errors"] == []
    for wrong in ("", ".", f".{'w' * 64}", f".{challenge}"):
        code = journey(provider, next=PAGE, challenge=challenge)["sign_in_code"]
        assert refusals(code + wrong) == REFUSED
        # It was used up by that: nobody tries verifiers out.
        assert refusals(f"{code}.{verifier}") == REFUSED
    # Nor does a verifier fit a code that was made without: somebody slipped in a code of their own.
    assert refusals(f"{journey(provider)['sign_in_code']}.{verifier}") == REFUSED
    assert login(Client(), next=PAGE, challenge="short").status_code == 400


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
        TRUSTED_ISSUERS=json.dumps({"idp": entry(provider)}),
        SIGN_IN_RETURN_URLS=PAGE,
        SIGNING_KEYS=json.dumps([{"kid": "2027", "alg": "EdDSA", "private_key": str(signing)}]),
    ) as running:
        browser = requests.Session()
        asked = browser.get(f"{running.url}/auth/idp/login", params={"next": PAGE}, allow_redirects=False, timeout=30)
        back = provider.sign_in(asked.headers["Location"])
        landed = browser.get(running.url + back, allow_redirects=False, timeout=30)
        assert landed.headers["Location"].startswith(f"{PAGE}?sign_in_code="), landed.text
        assert not browser.cookies
        code = parse_qs(urlsplit(landed.headers["Location"]).query)["sign_in_code"][0]
        payload = running.client().data(EXCHANGE, {"issuer": "holdfast", "token": code})["exchangeToken"]
        assert running.client(token=payload["token"]).data(ME)["me"] == {"email": "ada@example.com", "role": "GUEST"}
        # Another service checks our token with what we publish.
        keys = jwt.PyJWKSet.from_dict(requests.get(f"{running.url}/.well-known/jwks.json", timeout=30).json())
        claims = jwt.decode(
            payload["token"], keys["2027"], algorithms=["EdDSA"], audience="holdfast", issuer=running.url
        )
        assert claims["sub"] == str(User.objects.get().pk)
