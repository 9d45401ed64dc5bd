"""What the tests of live events share: signed-in people, and what happens while somebody listens."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import pytest
from django.db import connection

from apps.users.models import User
from schema.core.ids import to_global_id
from tests.recipes import PASSWORD, make_guest
from tests.serving import Client, Site

Result = TypeVar("Result")

SIGN_IN = "mutation($e: String!, $p: String!) { tokenAuth(email: $e, password: $p) { token } }"
BOOK = """
    mutation($input: BookParkingSpotInput!) {
      bookParkingSpot(input: $input) { booking { id status } accessToken errors { code field message } }
    }
"""


def token_of(site: Site, user: User) -> str:
    token: str = site.client().data(SIGN_IN, {"e": user.email, "p": PASSWORD})["tokenAuth"]["token"]
    return token


def book(client: Client, spot: Any, *, hours: int = 2, contact: bool = False) -> dict[str, Any]:
    """The payload of a booking of the spot that begins in `hours` hours."""
    start = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=hours)
    given: dict[str, Any] = {
        "parkingSpotId": to_global_id("ParkingSpot", spot.pk),
        "startsAt": start.isoformat(),
        "minutes": 60,
    }
    if contact:
        given["contact"] = {"email": "walker@example.com", "firstName": "Jo", "lastName": "Walker"}
    payload: dict[str, Any] = client.data(BOOK, {"input": given})["bookParkingSpot"]
    assert payload["errors"] == [], payload
    return payload


async def beside(call: Callable[[], Result]) -> Result:
    """Something that blocks or asks the database, beside the loop."""

    def work() -> Result:
        try:
            return call()
        finally:
            connection.close()

    return await asyncio.to_thread(work)


@pytest.fixture
def guest(transactional_db: None) -> User:
    return make_guest(password=PASSWORD)
