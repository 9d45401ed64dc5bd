"""Tokens of a trusted issuer, brought to exchangeToken: each is good once, and opens one account."""

from datetime import timedelta

import pytest

from apps.audit.models import AuditEvent, AuditKind
from apps.core.errors import InvalidToken
from apps.users.actions.trusted_sign_in import exchange_token
from apps.users.models import MailToken, Session, UsedAssertion, User
from tests.recipes import make_guest
from tests.serving import at_once
from tests.users.publisher import NOW, Publisher, token

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_token_is_good_once_and_is_forgotten_when_it_is_no_good_anyway(publisher: Publisher) -> None:
    text = token()
    first = exchange_token(issuer="site", token=text, user_agent="", now=NOW)
    with pytest.raises(InvalidToken):
        exchange_token(issuer="site", token=text, user_agent="", now=NOW + timedelta(seconds=299))
    later = NOW + timedelta(minutes=10)
    second = exchange_token(issuer="site", token=token(now=later), user_agent="", now=later)
    assert first.user == second.user
    assert UsedAssertion.objects.count() == 1


def test_refusals_are_audited_without_what_was_sent(publisher: Publisher) -> None:
    used = token()
    exchange_token(issuer="site", token=used, user_agent="", now=NOW)
    for issuer, text in [("site", used), ("site", token(aud="x")), ("holdfast", "x"), ("a name made up", token())]:
        with pytest.raises(InvalidToken):
            exchange_token(issuer=issuer, token=text, user_agent="", now=NOW)
    rows = AuditEvent.objects.filter(kind=AuditKind.SIGN_IN_REFUSED).order_by("pk")
    assert [row.data for row in rows] == [
        {"issuer": "site"},
        {"issuer": "site"},
        {"issuer": "holdfast"},
        {"issuer": ""},
    ]


def test_many_first_sign_ins_at_once_open_one_account(publisher: Publisher) -> None:
    tokens = [token() for _ in range(12)] + [token(sub=f"also-{number}") for number in range(4)]

    def enter(text: str) -> int:
        return exchange_token(issuer="site", token=text, user_agent="", now=NOW).user.pk

    assert len(set(at_once([lambda text=text: enter(text) for text in tokens]))) == 1  # type: ignore[misc]
    assert (User.objects.count(), Session.objects.count()) == (1, 16)


def test_mailed_links_of_an_unproven_account_are_void_and_those_of_a_proven_one_are_not(publisher: Publisher) -> None:
    links = {"purpose": "VERIFY_EMAIL", "created_at": NOW, "expires_at": NOW + timedelta(days=1)}
    squatted = make_guest(email="ada@example.com", email_verified_at=None)
    MailToken.objects.create(user=squatted, email="eve@example.com", nonce="1", token_hash="1", **links)
    owned = make_guest(email="bob@example.com")
    MailToken.objects.create(user=owned, email="bob2@example.com", nonce="2", token_hash="2", **links)
    exchange_token(issuer="site", token=token(), user_agent="", now=NOW)
    exchange_token(issuer="site", token=token(sub="bob", email="bob@example.com"), user_agent="", now=NOW)
    assert list(MailToken.objects.filter(used_at=None).values_list("user_id", flat=True)) == [owned.pk]
