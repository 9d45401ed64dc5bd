"""What people do to accounts is written down, row by row, without a secret or a name; and staff alone reads it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from apps.audit.models import AuditEvent, AuditKind
from apps.users.actions.mail_tokens import secret_of
from apps.users.actions.sessions import REUSE_GRACE
from apps.users.models import MailToken, RefreshToken, User
from schema.core.ids import to_global_id
from tests.recipes import make_guest, make_host, make_onlooker, make_staff
from tests.schema.accounts.test_delete_account import DELETE
from tests.schema.users.conftest import REFRESH, SIGN_UP, TOKEN_AUTH, Api, sign_up_input
from tests.schema.users.test_credentials import CHANGE, NEW, VERIFY
from tests.schema.users.test_exchange_token import EXCHANGE
from tests.schema.users.test_profile import BECOME_HOST, SET_ROLE

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "correct-Horse-7"


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False


class Told:
    """The rows since the last look, and every secret that was said meanwhile."""

    def __init__(self) -> None:
        self.last = 0
        self.secrets = [PASSWORD, NEW, "a-wrong-Password", "ada@example.com", "Lovelace"]

    def __call__(self) -> list[tuple[str, int | None, int | None]]:
        rows = list(AuditEvent.objects.filter(pk__gt=self.last).order_by("pk"))
        self.last = rows[-1].pk if rows else self.last
        return [(row.kind, row.user_id, row.actor_id) for row in rows]

    def keep(self, tokens: dict[str, Any]) -> dict[str, Any]:
        self.secrets += [tokens[name] for name in ("token", "refreshToken")]
        return tokens


def test_the_life_of_an_account_is_on_record() -> None:
    told, api = Told(), Api()
    signed_up = told.keep(api.data(SIGN_UP, input=sign_up_input())["signUp"])
    user = User.objects.get()
    me = (user.pk, user.pk)
    assert told() == [("SIGNED_UP", *me), ("SIGNED_IN", *me)]

    assert Api().code(TOKEN_AUTH, email=user.email, password="a-wrong-Password") == "INVALID_CREDENTIALS"
    assert Api().code(TOKEN_AUTH, email="nobody@example.com", password=PASSWORD) == "INVALID_CREDENTIALS"
    assert told() == [("SIGN_IN_REFUSED", user.pk, None), ("SIGN_IN_REFUSED", None, None)]

    told.keep(api.sign_in(user, PASSWORD))
    assert told() == [("SIGNED_IN", *me)]

    assert Api().refusals(EXCHANGE, issuer="nobody", token="x" * 50) == [("INVALID_TOKEN", ["token"])]
    assert told() == [("SIGN_IN_REFUSED", None, None)]

    link = secret_of(MailToken.objects.get())
    told.secrets.append(link)
    api.data(VERIFY, token=link)
    assert told() == [("EMAIL_VERIFIED", *me)]

    told.keep(Api().data(REFRESH, token=signed_up["refreshToken"])["refreshToken"])
    RefreshToken.objects.exclude(used_at=None).update(used_at=datetime.now(UTC) - REUSE_GRACE - timedelta(seconds=1))
    assert told() == []
    assert Api().code(REFRESH, token=signed_up["refreshToken"]) == "INVALID_TOKEN"
    assert told() == [("TOKEN_REUSED", user.pk, None)]

    assert api.code("{ users { totalCount } }") == "FORBIDDEN"
    assert told() == [("ACCESS_REFUSED", *me)]

    api.data(BECOME_HOST)
    assert told() == [("ROLE_CHANGED", *me)]
    staff = make_staff()
    by_staff = Api().enter(staff)
    told()
    by_staff.data(SET_ROLE, input={"userId": to_global_id("User", user.pk), "role": "GUEST"})
    assert told() == [("ROLE_CHANGED", user.pk, staff.pk)]
    assert AuditEvent.objects.latest("pk").data == {"before": "HOST", "after": "GUEST"}

    changed = api.data(CHANGE, input={"currentPassword": PASSWORD, "newPassword": NEW})["changePassword"]
    api.token = told.keep(changed)["token"]
    assert told() == [("PASSWORD_CHANGED", *me), ("SIGNED_IN", *me)]

    api.data("{ me { export } }")
    assert told() == [("EXPORTED", *me)]

    assert api.data(DELETE, p=NEW)["deleteAccount"]["deleted"]
    assert told() == [("ACCOUNT_DELETED", *me)]

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(row::text, ' ') FROM audit_auditevent AS row")
        ((written,),) = cursor.fetchall()
    assert [secret for secret in told.secrets if secret.lower() in written.lower()] == []


def test_a_refused_action_leaves_no_row() -> None:
    """What was rolled back has not happened."""
    staff = make_staff()
    api = Api().enter(staff)
    before = AuditEvent.objects.count()
    assert api.refusals(SET_ROLE, input={"userId": to_global_id("User", staff.pk), "role": "GUEST"}) == [
        ("NOT_ALLOWED", ["userId"])
    ]
    assert api.refusals(DELETE, p="wrong") == [("INVALID_CREDENTIALS", ["password"])]
    assert AuditEvent.objects.count() == before


def test_staff_with_the_right_reads_it_and_nobody_else() -> None:
    AuditEvent.objects.create(at=datetime.now(UTC), kind=AuditKind.TOKEN_REUSED, user_id=777_001)
    pages = ["/admin/audit/auditevent/", f"/admin/audit/auditevent/{AuditEvent.objects.get().pk}/change/"]
    for make, is_let_in in ((make_onlooker, True), (make_staff, False), (make_host, False), (make_guest, False)):
        client = Client()
        client.force_login(make())
        for page in pages:
            answer = client.get(page)
            assert (answer.status_code == 200, b"777001" in answer.content) == (is_let_in, is_let_in), (make, page)
    assert Client().get(pages[0]).status_code == 302
