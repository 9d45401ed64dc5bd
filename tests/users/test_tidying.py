"""What is over is forgotten in time, and not before."""

from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session as BrowserSession
from model_bakery import baker

from apps.core import tasks as core_tasks
from apps.core import tidying
from apps.core.models import IdempotencyKey
from apps.users import tasks
from apps.users.actions.tidying import SESSION_MEMORY, forget_expired
from apps.users.models import MailPurpose, MailToken, RefreshToken, Session, UsedAssertion
from tests.recipes import make_guest

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def session(last_used_at: datetime) -> Session:
    return Session.objects.create(user=make_guest(), created_at=last_used_at, last_used_at=last_used_at)


def token(row: Session, expires_at: datetime, used_at: datetime | None = None) -> RefreshToken:
    return baker.make(RefreshToken, session=row, created_at=NOW, expires_at=expires_at, used_at=used_at)


def test_tokens_and_links_go_when_they_have_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tidying, "BATCH", 2)
    row = session(NOW)
    kept = [token(row, NOW + SECOND), token(row, NOW + SECOND, used_at=NOW - timedelta(days=9))]
    for seconds in range(5):
        token(row, NOW - seconds * SECOND)
    day, hour = timedelta(days=1), timedelta(hours=1)
    links = [
        baker.make(MailToken, user=row.user, purpose=MailPurpose.VERIFY_EMAIL, created_at=NOW, expires_at=at)
        for at in (NOW - day + SECOND, NOW - day)
    ]
    words = [baker.make(UsedAssertion, expires_at=at) for at in (NOW - hour + SECOND, NOW - hour)]
    doors = [
        BrowserSession.objects.create(session_key=key, expire_date=at) for key, at in (("a", NOW + SECOND), ("b", NOW))
    ]
    forget_expired(now=NOW)
    assert set(RefreshToken.objects.all()) == set(kept)
    assert [*MailToken.objects.all()] == links[:1]
    assert [*UsedAssertion.objects.all()] == words[:1]
    assert [*BrowserSession.objects.all()] == doors[:1]
    assert Session.objects.exists()


def test_a_session_is_remembered_for_half_a_year_after_it_was_over() -> None:
    over = NOW - SESSION_MEMORY - timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)
    kept, _ = session(over + SECOND), session(over)
    forget_expired(now=NOW)
    assert [*Session.objects.all()] == [kept]


def test_keys_go_after_a_day_with_the_addresses_in_them() -> None:
    now = datetime.now(UTC)
    for key, age in (("kept", timedelta(hours=23)), ("gone", timedelta(hours=24))):
        IdempotencyKey.objects.create(caller="book:ada@example.com", key=key, created_at=now - age)
    core_tasks.forget_keys()
    assert [row.key for row in IdempotencyKey.objects.all()] == ["kept"]


def test_beat_does_it() -> None:
    scheduled = {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert {core_tasks.forget_keys.name, tasks.forget.name} <= scheduled
