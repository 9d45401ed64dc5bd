"""Journeys of the redirect sign-in: a browser, a person at the provider, and what comes back."""

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from django.http import HttpResponse
from django.test import Client

from apps.users.models import User
from tests.schema.users.conftest import Api
from tests.schema.users.test_exchange_token import EXCHANGE

PAGE = "https://app.example.com/signed-in"
ADA = {
    "email": "Ada@example.com", "email_verified": True, "given_name": "Ada", "family_name": "Lovelace",
}  # fmt: skip
# The machine may be busy with other tests.
PATIENCE_SECONDS = 300


class Provider:
    """The running provider, and a person at its sign-in page."""

    def __init__(self, url: str) -> None:
        self.url = url

    def knows(self, sub: str, **claims: Any) -> None:
        requests.put(f"{self.url}/users/{sub}", json=claims, timeout=PATIENCE_SECONDS).raise_for_status()

    def lies(self, **faults: Any) -> None:
        requests.put(f"{self.url}/_faults", json=faults, timeout=PATIENCE_SECONDS).raise_for_status()

    def is_honest(self) -> None:
        requests.delete(f"{self.url}/_faults", timeout=PATIENCE_SECONDS).raise_for_status()

    def sign_in(self, url: str, *, sub: str = "ada", action: str = "authorize") -> str:
        """Sign in at the page that the browser was sent to; the path to which it is sent back."""
        answer = requests.post(
            url, data={"sub": sub, "action": action}, allow_redirects=False, timeout=PATIENCE_SECONDS
        )
        assert answer.status_code == 302, answer.text
        back = urlsplit(answer.headers["Location"])
        return f"{back.path}?{back.query}"


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


def lost(response: Any) -> bool:
    """Whether the browser is told to begin again, and sent nowhere."""
    assert response.status_code == 400, response.content
    assert "Location" not in response
    assert not User.objects.exists()
    return b"begin again" in response.content
