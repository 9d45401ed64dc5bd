"""The password that an operator sets at the command line: sessions end, it is audited, and a weak one changes nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.audit.models import AuditEvent, AuditKind
from apps.core.db import unit_of_work
from apps.users.actions.sessions import open_session
from apps.users.models import Session, User
from tests.recipes import PASSWORD, make_guest

pytestmark = pytest.mark.django_db(transaction=True)

BETTER = "quite-Another-One-7"


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    each: Iterator[str] = iter(words)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(each))


def signed_in() -> tuple[User, Session]:
    user = make_guest(password=PASSWORD)
    return user, unit_of_work(open_session)(user=user, user_agent="", now=datetime.now(UTC)).session


def test_a_new_password_ends_every_session_and_is_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    user, session = signed_in()
    version = user.token_version
    typed(monkeypatch, "one", "another", BETTER, BETTER)
    out = StringIO()
    call_command("changepassword", user.email.upper(), stdout=out)
    assert "The two are not the same" in out.getvalue()
    assert "every session has ended" in out.getvalue()
    user.refresh_from_db()
    session.refresh_from_db()
    assert user.check_password(BETTER)
    assert session.ended_at is not None
    assert user.token_version > version
    row = AuditEvent.objects.get(kind=AuditKind.PASSWORD_CHANGED)
    assert (row.user_id, row.actor_id, row.data) == (user.pk, None, {"by": "command"})


def test_a_weak_one_and_a_stranger_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    user, session = signed_in()
    typed(monkeypatch, *["12345678"] * 6)
    with pytest.raises(CommandError, match="was not changed"):
        call_command("changepassword", user.email, stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match="no account with the email nobody@example"):
        call_command("changepassword", "nobody@example.com", stdout=StringIO())
    session.refresh_from_db()
    assert User.objects.get(pk=user.pk).check_password(PASSWORD)
    assert session.ended_at is None
    assert not AuditEvent.objects.filter(kind=AuditKind.PASSWORD_CHANGED).exists()
