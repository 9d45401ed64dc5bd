"""What happened stands: rows are added, by what happened, and never changed."""

from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client, RequestFactory
from pytest_django.fixtures import Settings

from apps.audit.actions import record
from apps.audit.models import AuditEvent, AuditKind
from apps.audit.origin import OriginMiddleware, address
from tests.recipes import make_staff

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_auditevent SET kind = 'x'",
        "DELETE FROM audit_auditevent",
        "UPDATE audit_auditevent SET at = now()",
        "TRUNCATE audit_auditevent",
    ],
)
def test_the_database_refuses_to_change_or_remove(statement: str) -> None:
    record(AuditKind.EXPORTED, now=NOW, user_id=1)
    before = list(AuditEvent.objects.values())
    with pytest.raises(DatabaseError, match="never changed"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert list(AuditEvent.objects.values()) == before


def test_a_row_says_from_where() -> None:
    seen: list[str] = []

    def respond(request: object) -> None:
        seen.append(address())
        record(AuditKind.SIGNED_IN, now=NOW, user_id=7, actor_id=7, session=3)

    OriginMiddleware(respond)(RequestFactory().get("/", REMOTE_ADDR="2001:db8::1"))  # type: ignore[arg-type]
    OriginMiddleware(respond)(RequestFactory().get("/", REMOTE_ADDR=""))  # type: ignore[arg-type]
    assert seen == ["2001:db8::1", ""]
    assert address() == ""
    rows = AuditEvent.objects.order_by("pk").values_list("at", "kind", "user_id", "actor_id", "address", "data")
    assert list(rows) == [
        (NOW, "SIGNED_IN", 7, 7, "2001:db8::1", {"session": 3}),
        (NOW, "SIGNED_IN", 7, 7, None, {"session": 3}),
    ]


def test_behind_a_proxy_it_is_the_address_that_the_proxy_saw(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = 1
    seen: list[str] = []
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": "6.6.6.6, 198.51.100.4"})
    OriginMiddleware(lambda _request: seen.append(address()))(request)  # type: ignore[arg-type,return-value]
    assert seen == ["198.51.100.4"]


def test_staff_reads_it_and_nobody_writes_it() -> None:
    record(AuditKind.ROLE_CHANGED, now=NOW, user_id=7, before="GUEST", after="HOST")
    event = AuditEvent.objects.get()
    client = Client()
    client.force_login(make_staff(is_superuser=True))
    assert b"ROLE_CHANGED" in client.get("/admin/audit/auditevent/").content
    assert client.get(f"/admin/audit/auditevent/{event.pk}/change/").status_code == 200
    for path in ("add/", f"{event.pk}/delete/"):
        assert client.get(f"/admin/audit/auditevent/{path}").status_code == 403
    assert client.post(f"/admin/audit/auditevent/{event.pk}/change/", {"kind": "x"}).status_code == 403
