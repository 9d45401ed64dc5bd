"""What comes back from the provider counts once, in the browser that was sent there, and leads to listed pages alone."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.users.actions import trusted_sign_in
from apps.users.signin import oidc
from tests.users.journeys import (
    PAGE,
    Provider,
    answer_in,
    exchange,
    login,
    lost,
    to_provider,
)
from tests.users.test_return_urls import BAD_PAGES

pytestmark = pytest.mark.django_db(transaction=True)


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
