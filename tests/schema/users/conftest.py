"""A client of the real endpoint, in this process."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from apps.core.db import unit_of_work
from apps.users.actions.sessions import open_session
from apps.users.models import User
from tests.recipes import PASSWORD

SIGN_UP = """mutation($input: SignUpInput!) { signUp(input: $input) {
    viewer { id email role emailVerified phoneNumber user { id firstName lastName email } sessions { current device } }
    token refreshToken errors { code field message } } }"""
TOKEN_AUTH = """mutation($email: String!, $password: String!) { tokenAuth(email: $email, password: $password) {
    token payload refreshToken refreshExpiresIn } }"""
REFRESH = "mutation($token: String) { refreshToken(refreshToken: $token) { token refreshToken payload } }"
ME = "{ me { email role } }"


class Api:
    """Sends GraphQL; a token given once is sent from then on."""

    def __init__(self, token: str | None = None, user_agent: str = "") -> None:
        self.token = token
        self.user_agent = user_agent

    def send(self, query: str, **variables: Any) -> dict[str, Any]:
        """The whole body of the response."""
        headers = {"User-Agent": self.user_agent}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        body = {"query": query, "variables": variables}
        response = Client().post("/graphql", json.dumps(body), content_type="application/json", headers=headers)
        assert response.status_code == 200, response.content
        answer: dict[str, Any] = response.json()
        return answer

    def data(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of a response without top-level errors."""
        answer = self.send(query, **variables)
        assert "errors" not in answer, answer["errors"]
        data: dict[str, Any] = answer["data"]
        return data

    def code(self, query: str, **variables: Any) -> str:
        """The code of the only top-level error."""
        (error,) = self.send(query, **variables)["errors"]
        code: str = error["extensions"]["code"]
        return code

    def refusals(self, query: str, **variables: Any) -> list[tuple[str, list[str]]]:
        """Codes and fields of the errors in the payload of the only mutation; everything else in it must be empty."""
        (payload,) = self.data(query, **variables).values()
        errors = payload.pop("errors")
        assert errors
        assert not any(payload.values()), payload
        return [(error["code"], error["field"]) for error in errors]

    def enter(self, user: User) -> "Api":
        """Sends the token of a new session from then on, without the slow check of a password."""
        pair = unit_of_work(open_session)(user=user, user_agent=self.user_agent, now=datetime.now(UTC))
        self.token = pair.access_token
        return self

    def sign_in(self, user: User, password: str = PASSWORD) -> dict[str, Any]:
        """Signs in and sends the token from then on."""
        answer: dict[str, Any] = self.data(TOKEN_AUTH, email=user.email, password=password)["tokenAuth"]
        self.token = answer["token"]
        return answer


@pytest.fixture(autouse=True)
def _no_limits(settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = False


@pytest.fixture
def api() -> Api:
    """An anonymous caller."""
    return Api()


def sign_up_input(**changes: Any) -> dict[str, Any]:
    given = {"email": "Ada@Example.com", "password": "correct-Horse-7", "firstName": "Ada", "lastName": "Lovelace"}
    return {**given, **changes}
