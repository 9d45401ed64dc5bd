"""The one-time codes at the end of a redirect sign-in."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django_redis import get_redis_connection

from apps.core.db import unit_of_work
from apps.users.actions import trusted_sign_in
from apps.users.actions.sessions import end_all_sessions
from apps.users.models import Session, User
from tests.serving import at_once
from tests.users.journeys import (
    PAGE,
    REFUSED,
    Provider,
    exchange,
    journey,
    login,
    refusals,
)

pytestmark = pytest.mark.django_db(transaction=True)


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
