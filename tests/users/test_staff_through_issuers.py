"""Whoever rules an issuer could be anybody with an address: staff only where the settings say so."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent, AuditKind
from apps.core.db import unit_of_work
from apps.core.errors import InvalidToken
from apps.users.actions.accounts import set_user_role
from apps.users.actions.mail_tokens import mail_link
from apps.users.actions.trusted_sign_in import code_for, exchange_token
from apps.users.models import MailPurpose, MailToken, Session, TrustedIdentity, User, UserRole
from apps.users.signin.assertions import read_assertion
from apps.users.signin.issuers import read_issuers
from tests.recipes import PASSWORD, make_guest, make_staff

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "a secret that two sites share and nobody else on earth knows"


@pytest.fixture(autouse=True)
def _issuers(settings: Settings) -> None:
    """One that is believed about staff, and one that is not: the default."""
    settings.TRUSTED_ISSUERS = read_issuers(
        {"site": {"secret": SECRET}, "office": {"secret": SECRET, "signs_in_staff": True}}
    )


def token(issuer: str) -> str:
    at = int(NOW.timestamp())
    claims = {"iss": issuer, "aud": "holdfast", "sub": "boss", "email": "boss@example.com", "iat": at, "exp": at + 60}
    return jwt.encode({**claims, "jti": uuid4().hex}, SECRET, algorithm="HS256")


def exchange(text: str, issuer: str, *, now: datetime = NOW) -> User | None:
    """Who is signed in; None for a refusal in the one way that there is."""
    try:
        return exchange_token(issuer=issuer, token=text, user_agent="", now=now).user
    except InvalidToken as refused:
        assert (refused.message, refused.field) == ("The token is not accepted.", ("token",))
        return None


def code(issuer: str) -> str:
    """What the browser is sent back with."""
    return code_for(assertion=read_assertion(issuer=issuer, token=token(issuer), now=NOW), challenge="", now=NOW)


def refused_by() -> list[Any]:
    return [row.data for row in AuditEvent.objects.filter(kind=AuditKind.SIGN_IN_REFUSED).order_by("pk")]


@pytest.mark.parametrize("verified_at", [NOW, None])
@pytest.mark.parametrize("power", [{"role": "STAFF"}, {"role": "GUEST", "is_superuser": True}], ids=["staff", "super"])
def test_an_issuer_opens_no_account_of_staff(verified_at: datetime | None, power: dict[str, Any]) -> None:
    boss = make_guest(email="boss@example.com", password=PASSWORD, email_verified_at=verified_at)
    User.objects.filter(pk=boss.pk).update(**power)
    unit_of_work(mail_link)(user=boss, purpose=MailPurpose.RESET_PASSWORD, email=boss.email, now=NOW)
    before = list(User.objects.values()), list(MailToken.objects.values())
    assert exchange(token("site"), "site") is None
    with pytest.raises(InvalidToken):
        code("site")
    assert refused_by() == [{"issuer": "site"}, {"issuer": "site"}]
    # Neither opened nor linked, nor taken from whoever has not proved the address yet.
    assert (list(User.objects.values()), list(MailToken.objects.values())) == before
    assert not Session.objects.exists()
    assert not TrustedIdentity.objects.exists()


def test_one_that_was_given_the_right_does() -> None:
    boss = make_staff(email="boss@example.com")
    assert exchange(token("office"), "office") == boss
    assert exchange(code("office"), "holdfast") == boss
    assert refused_by() == []
    # The identity that it knows is its own: the other issuer's is as strange as before.
    assert exchange(token("site"), "site") is None


def test_who_becomes_staff_is_let_in_through_it_no_longer() -> None:
    person = exchange(token("site"), "site")
    assert person is not None
    waiting = code("site")
    set_user_role(viewer=make_staff(), user_id=person.pk, role=UserRole.STAFF, now=NOW)
    sessions = Session.objects.count()
    assert exchange(token("site"), "site") is None
    assert exchange(waiting, "holdfast", now=NOW + timedelta(seconds=1)) is None
    assert Session.objects.count() == sessions
    assert refused_by() == [{"issuer": "site"}, {"issuer": "holdfast"}]


def test_a_code_dies_with_the_issuer(settings: Settings) -> None:
    """What was taken out of the settings is not believed any more, whatever it has said."""
    waiting = code("site")
    settings.TRUSTED_ISSUERS = {}
    assert exchange(waiting, "holdfast", now=NOW + timedelta(seconds=1)) is None
