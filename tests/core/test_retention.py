"""What is over is forgotten in time and not before, a few rows at a time; what money or a booking hangs on never is."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.apps import apps
from django.contrib.sessions.models import Session as BrowserSession
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, models
from model_bakery import baker
from pytest_django.fixtures import Settings

from apps.audit.models import AuditEvent, AuditKind
from apps.core import retention, tasks
from apps.core.metrics import ROWS_FORGOTTEN
from apps.core.models import IdempotencyKey, OutboxMessage
from apps.core.retention import Rule, forget, forget_all, rules
from apps.integrations.models import WebhookEvent as EventForIntegrators
from apps.notifications.models import Announcement, Letter, Notification
from apps.payments.models import WebhookEvent
from apps.users.models import MailPurpose, MailToken, RefreshToken, Session, UsedAssertion
from booking.env import KEEP_DAYS
from tests.recipes import make_guest

pytestmark = pytest.mark.django_db(transaction=True)

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
REFRESHED = 2_592_000 * SECOND
RULES = {rule.name: rule for rule in rules()}


def session(last_used_at: datetime = NOW) -> Session:
    return Session.objects.create(user=make_guest(), created_at=last_used_at, last_used_at=last_used_at)


def refresh_token(at: datetime) -> RefreshToken:
    return baker.make(RefreshToken, session=session(), created_at=NOW, expires_at=at, used_at=at - HOUR)


def letter(at: datetime) -> Letter:
    return baker.make(Letter, created_at=at, next_try_at=None, sent_at=at, to="ada@example.com")


# How each is made, and at which moment at the latest for it to be too old.
MADE: dict[str, tuple[Callable[[datetime], models.Model], datetime]] = {
    "idempotency_keys": (lambda at: baker.make(IdempotencyKey, created_at=at), NOW - DAY),
    "audit": (lambda at: AuditEvent.objects.create(at=at, kind=AuditKind.SIGNED_IN), NOW - 730 * DAY - SECOND),
    "refresh_tokens": (refresh_token, NOW),
    "mail_links": (
        lambda at: baker.make(MailToken, user=make_guest(), purpose=MailPurpose.VERIFY_EMAIL, created_at=NOW, expires_at=at),
        NOW - DAY,
    ),
    "used_assertions": (lambda at: baker.make(UsedAssertion, expires_at=at), NOW - HOUR),
    "sessions": (session, NOW - 180 * DAY - REFRESHED),
    "browser_sessions": (
        lambda at: BrowserSession.objects.create(session_key=f"{at:%d%H%M%S}", expire_date=at), NOW,
    ),
    "processor_events": (
        lambda at: baker.make(WebhookEvent, received_at=at, handled_at=NOW), NOW - 365 * DAY - SECOND,
    ),
    "notifications": (
        lambda at: baker.make(Notification, recipient=make_guest(), created_at=at), NOW - 365 * DAY - SECOND,
    ),
    "announcements": (
        lambda at: baker.make(Announcement, recipients=[], created_at=at, delivered_at=NOW), NOW - 365 * DAY - SECOND,
    ),
    "letters": (letter, NOW - 365 * DAY - SECOND),
    "webhooks": (
        lambda at: baker.make(EventForIntegrators, at=at, host_id=make_guest().pk, fanned_out_at=at), NOW - 30 * DAY - SECOND,
    ),
}  # fmt: skip


def test_each_sort_is_made_below() -> None:
    assert set(MADE) == set(RULES)
    named = {name for name in KEEP_DAYS if any(f"KEEP_{name.upper()}_DAYS" in rule.what for rule in rules())}
    assert named == set(KEEP_DAYS)


@pytest.mark.parametrize("name", MADE)
def test_what_is_old_goes_and_what_is_a_second_younger_stays(name: str) -> None:
    make, latest = MADE[name]
    young, old, older = make(latest + SECOND), make(latest), make(latest - 9 * DAY)
    before = ROWS_FORGOTTEN.labels(name)._value.get()
    assert retention.count(RULES[name], now=NOW) == 2
    assert forget(RULES[name], now=NOW) == 2
    assert ROWS_FORGOTTEN.labels(name)._value.get() == before + 2
    rows = type(young)._default_manager
    assert rows.filter(pk__in=[young.pk, old.pk, older.pk]).get() == young
    assert forget(RULES[name], now=NOW) == 0


def test_what_is_still_to_be_done_stays_however_old_it_is() -> None:
    kept = [
        baker.make(WebhookEvent, received_at=NOW - 900 * DAY, handled_at=None),
        baker.make(Letter, created_at=NOW - 900 * DAY, next_try_at=NOW, sent_at=None, failed_at=None),
        baker.make(Announcement, recipients=[], created_at=NOW - 900 * DAY, delivered_at=None),
        baker.make(OutboxMessage, task="core.forget", created_at=NOW - 900 * DAY),
    ]
    forget_all(now=NOW)
    assert [type(row)._default_manager.filter(pk=row.pk).exists() for row in kept] == [True] * len(kept)


def reached(model: type[models.Model]) -> set[type[models.Model]]:
    """The tables that lose rows with a row of this one."""
    found: set[type[models.Model]] = set()
    waiting = [model]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += [
                relation.related_model
                for relation in each._meta.related_objects
                if relation.on_delete is models.CASCADE and isinstance(relation.related_model, type)
            ]
    return found


def test_no_rule_reaches_what_money_or_a_booking_hangs_on() -> None:
    deleted = set.union(*(reached(rule.old(NOW).model) for rule in rules()))
    assert {f"{model._meta.app_label}.{model.__name__}" for model in deleted} == {
        "audit.AuditEvent", "core.IdempotencyKey", "sessions.Session",
        "integrations.WebhookAttempt", "integrations.WebhookDelivery", "integrations.WebhookEvent",
        "notifications.Announcement", "notifications.Letter", "notifications.Notification", "payments.WebhookEvent",
        "users.MailToken", "users.RefreshToken", "users.Session", "users.UsedAssertion",
    }  # fmt: skip
    assert reached(apps.get_model("users.User")) >= {apps.get_model("users.Session")}, "it does follow"


def delete_audit(*, before: datetime | None) -> None:
    with connection.cursor() as cursor:
        if before is not None:
            cursor.execute("SELECT set_config('holdfast.audit_forgotten_before', %s, false)", [before.isoformat()])
        try:
            cursor.execute("DELETE FROM audit_auditevent")
        finally:
            cursor.execute("RESET holdfast.audit_forgotten_before")


@pytest.mark.parametrize("before", [None, datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)])
def test_the_database_deletes_audit_rows_in_no_other_way_and_no_young_one_at_all(before: datetime | None) -> None:
    # By the clock of the database.
    now = datetime.now(UTC)
    AuditEvent.objects.create(at=now - 89 * DAY, kind=AuditKind.SIGNED_IN)
    if before is None or before < now:
        AuditEvent.objects.create(at=now - 5_000 * DAY, kind=AuditKind.SIGNED_IN)
    with pytest.raises(DatabaseError, match="never changed or removed"):
        delete_audit(before=before)
    with pytest.raises(DatabaseError, match="never changed or removed"):
        AuditEvent.objects.update(kind=AuditKind.SIGNED_UP)
    assert AuditEvent.objects.filter(kind=AuditKind.SIGNED_IN).count() == (2 if before is None or before < now else 1)


def test_it_goes_a_few_at_a_time_past_what_somebody_holds() -> None:
    rows = [MADE["used_assertions"][0](NOW - DAY) for _ in range(7)]
    sizes: list[int] = []
    few = Rule(
        "used_assertions", "", RULES["used_assertions"].old,
        before_each=lambda now: sizes.append(UsedAssertion.objects.count()), batch=3,
    )  # fmt: skip
    somebody = connection.copy()
    try:
        somebody.set_autocommit(False)
        with somebody.cursor() as cursor:
            cursor.execute("SELECT 1 FROM users_usedassertion WHERE id = %s FOR UPDATE", [rows[0].pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        assert forget(few, now=NOW) == 6
    finally:
        somebody.close()
        with connection.cursor() as cursor:
            cursor.execute("RESET lock_timeout")
    assert sizes == [7, 4, 1]
    assert list(UsedAssertion.objects.all()) == [rows[0]]


def test_what_fails_keeps_nothing_else_from_going(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    MADE["used_assertions"][0](NOW - DAY)
    fails = Rule("letters", "", RULES["letters"].old, before_each=broken)
    with caplog.at_level("INFO"), pytest.raises(DatabaseError, match="division"):
        forget_all(now=NOW, chosen=[fails, RULES["used_assertions"]])
    assert not UsedAssertion.objects.exists()
    assert "letters could not be forgotten" in caplog.text
    assert "forgot 1 rows: used_assertions" in caplog.text


def test_the_settings_say_how_long(settings: Settings) -> None:
    row = letter(NOW - 8 * DAY)
    assert forget(RULES["letters"], now=NOW) == 0
    settings.KEEP_DAYS = {**settings.KEEP_DAYS, "letters": 7}
    assert forget(RULES["letters"], now=NOW) == 1
    assert not Letter.objects.filter(pk=row.pk).exists()


def told(*arguments: str) -> str:
    out = StringIO()
    call_command("forget", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_says_what_it_would_be_and_does_it() -> None:
    now = datetime.now(UTC)
    for at in (now - 2 * HOUR, now - HOUR, now):
        MADE["used_assertions"][0](at)
    line = "        2  used_assertions: words of trusted issuers that would be refused anyway\n"
    assert told("--dry-run", "--only", "used_assertions") == line
    assert UsedAssertion.objects.count() == 3
    assert line in told()
    assert UsedAssertion.objects.count() == 1
    with pytest.raises(CommandError, match="invalid choice: 'bills'"):
        told("--only", "bills")


def test_beat_does_it(settings: Settings) -> None:
    assert tasks.forget.name in {entry["task"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    baker.make(IdempotencyKey, created_at=datetime.now(UTC) - DAY)
    tasks.forget()
    assert not IdempotencyKey.objects.exists()
