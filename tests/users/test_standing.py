"""What staff does to accounts and groups in Django admin is written down, and sessions end as they do in the API."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client

from apps.audit.models import AuditEvent
from apps.users.actions import standing
from apps.users.models import MailToken, Session, User
from tests.admin.acting import done
from tests.recipes import PASSWORD, make_guest, make_host, make_staff
from tests.schema.users.conftest import ME, REFRESH, TOKEN_AUTH, Api
from tests.users.test_admin import admin_of

pytestmark = pytest.mark.django_db(transaction=True)

NEW = "another-Horse-8"
MY_PASSWORD = "/admin/password_change/"


@pytest.fixture(autouse=True)
def _no_limits(settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False


@pytest.fixture
def boss() -> User:
    return make_staff(is_superuser=True, password=PASSWORD)


def rows(*kinds: str) -> list[tuple[str, int | None, int | None, dict[str, Any]]]:
    found = AuditEvent.objects.filter(kind__in=kinds).order_by("pk")
    return list(found.values_list("kind", "user_id", "actor_id", "data"))


def form_of(user: User, **changes: Any) -> dict[str, Any]:
    """What the page of the account sends, with changes; a switch that is off is not sent."""
    form: dict[str, Any] = {
        "first_name": user.first_name, "last_name": user.last_name, "phone_number": user.phone_number, "role": user.role,
        "is_active": user.is_active, "is_superuser": user.is_superuser,
        "groups": [group.pk for group in user.groups.all()],
        "user_permissions": [permission.pk for permission in user.user_permissions.all()],
        **changes,
    }  # fmt: skip
    return {name: value for name, value in form.items() if value is not False}


def change(boss: User, user: User, **changes: Any) -> None:
    answer = admin_of(boss).post(f"/admin/users/user/{user.pk}/change/", form_of(user, **changes))
    assert answer.status_code == 302, answer.context["errors"]


def test_a_new_role_is_written_down_with_who_gave_it(boss: User) -> None:
    guest = make_guest()
    change(boss, guest, role="STAFF")
    change(boss, User.objects.get(pk=guest.pk), role="STAFF")
    assert rows("ROLE_CHANGED", "RIGHTS_CHANGED") == [
        ("ROLE_CHANGED", guest.pk, boss.pk, {"before": "GUEST", "after": "STAFF"})
    ]


def test_rights_are_written_down_one_by_one(boss: User) -> None:
    staff = make_staff()
    group = Group.objects.create(name="Mending")
    right = Permission.objects.get(codename="change_user")
    change(boss, staff, is_superuser=True, groups=[group.pk], user_permissions=[right.pk])
    assert rows("ROLE_CHANGED", "RIGHTS_CHANGED") == [
        ("RIGHTS_CHANGED", staff.pk, boss.pk, {"what": what, "before": before, "after": after})
        for what, before, after in [
            ("is_superuser", False, True), ("groups", "", "Mending"), ("permissions", "", "users.change_user"),
        ]
    ]  # fmt: skip


def test_who_is_staff_no_longer_is_no_superuser_and_out_of_the_admin(boss: User) -> None:
    other = make_staff(is_superuser=True, password=PASSWORD)
    theirs = admin_of(other)
    assert theirs.get("/admin/").status_code == 200
    change(boss, other, role="HOST")
    other.refresh_from_db()
    assert (other.role, other.is_superuser) == ("HOST", False)
    assert theirs.get("/admin/").status_code == 302
    assert [row[3] for row in rows("ROLE_CHANGED", "RIGHTS_CHANGED")] == [
        {"before": "STAFF", "after": "HOST"},
        {"what": "is_superuser", "before": True, "after": False},
    ]


def test_closing_an_account_ends_its_sessions_for_good(boss: User) -> None:
    user = make_host(password=PASSWORD)
    api = Api()
    tokens = api.sign_in(user)
    change(boss, user, is_active=False)
    assert rows("RIGHTS_CHANGED") == [
        ("RIGHTS_CHANGED", user.pk, boss.pk, {"what": "is_active", "before": True, "after": False})
    ]
    assert api.data(ME)["me"] is None
    change(boss, User.objects.get(pk=user.pk), is_active=True)
    # It is open again, and whoever was signed in before is not.
    assert api.data(ME)["me"] is None
    assert Api().code(REFRESH, token=tokens["refreshToken"]) == "INVALID_TOKEN"
    assert not Session.objects.filter(ended_at=None).exists()
    assert Api().data(TOKEN_AUTH, email=user.email, password=PASSWORD)["tokenAuth"]["token"]


def test_an_open_page_of_an_account_writes_nothing_old_over_what_changed_meanwhile(
    boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_guest(first_name="Ada")
    locked = standing.locked_standing

    def changed_meanwhile(**named: Any) -> standing.Standing:
        User.objects.filter(pk=user.pk).update(password="new", token_version=7, email="new@example.com")
        return locked(**named)

    monkeypatch.setattr(standing, "locked_standing", changed_meanwhile)
    change(boss, user, first_name="Augusta")
    user.refresh_from_db()
    assert (user.first_name, user.password, user.token_version, user.email) == (
        "Augusta", "new", 7, "new@example.com",
    )  # fmt: skip


def test_who_left_is_not_brought_back(boss: User) -> None:
    gone = make_guest(is_active=False, deleted_at=datetime.now(UTC))
    path = f"/admin/users/user/{gone.pk}/change/"
    assert admin_of(boss).get(path).status_code == 200
    assert admin_of(boss).post(path, form_of(gone, is_active=True, role="STAFF")).status_code == 403
    gone.refresh_from_db()
    assert (gone.is_active, gone.role) == (False, "GUEST")
    assert rows("ROLE_CHANGED", "RIGHTS_CHANGED") == []


def test_groups_come_and_go_on_record(boss: User) -> None:
    rights = Permission.objects.filter(content_type__app_label="users")
    first, second = rights.filter(codename__in=["change_user", "change_session"]).order_by("codename")
    pages = admin_of(boss)
    assert pages.post("/admin/auth/group/add/", {"name": "Mending", "permissions": [first.pk]}).status_code == 302
    group = Group.objects.get(name="Mending")
    path = f"/admin/auth/group/{group.pk}/"
    assert pages.post(f"{path}change/", {"name": "Mending", "permissions": [second.pk]}).status_code == 302
    assert pages.post(f"{path}change/", {"name": "Mending", "permissions": [second.pk]}).status_code == 302
    assert pages.post(f"{path}delete/", {"post": "yes"}).status_code == 302
    told = [("", "users.change_session"), ("users.change_session", "users.change_user"), ("users.change_user", "")]
    assert rows("GROUP_CHANGED") == [
        ("GROUP_CHANGED", None, boss.pk, {"group": "Mending", "before": before, "after": after})
        for before, after in told
    ]


def test_nobody_but_a_superuser_changes_what_a_group_may_do() -> None:
    staff = make_staff()
    group = Group.objects.create(name="Mending")
    staff.groups.add(group)
    staff.user_permissions.set(Permission.objects.filter(content_type__app_label="auth"))
    pages = admin_of(User.objects.get(pk=staff.pk))
    everything = [permission.pk for permission in Permission.objects.all()]
    assert pages.get(f"/admin/auth/group/{group.pk}/change/").status_code == 200
    assert (
        pages.post(f"/admin/auth/group/{group.pk}/change/", {"name": "X", "permissions": everything}).status_code == 403
    )
    assert pages.post("/admin/auth/group/add/", {"name": "Y", "permissions": everything}).status_code == 403
    assert pages.post(f"/admin/auth/group/{group.pk}/delete/", {"post": "yes"}).status_code == 403
    group.refresh_from_db()
    assert (group.name, group.permissions.count()) == ("Mending", 0)


def test_sessions_that_staff_ends_are_written_down(boss: User) -> None:
    user = make_guest()
    api = Api().enter(user)
    session = Session.objects.get()
    for _ in range(2):
        form = {"action": "end_selected", "_selected_action": [session.pk]}
        assert admin_of(boss).post("/admin/users/session/", form).status_code == 302
    assert api.data(ME)["me"] is None
    done(boss, user, "end_sessions")
    assert rows("SESSIONS_ENDED") == [
        ("SESSIONS_ENDED", user.pk, boss.pk, {"session": session.pk}), ("SESSIONS_ENDED", user.pk, boss.pk, {}),
    ]  # fmt: skip


def test_whose_sessions_end_is_out_of_the_admin_too(boss: User) -> None:
    clerk = make_staff(is_superuser=True)
    pages = admin_of(clerk)
    assert pages.get("/admin/").status_code == 200
    done(boss, clerk, "end_sessions")
    assert pages.get("/admin/").status_code == 302


def new_password(old: str = PASSWORD, new: str = NEW, again: str | None = None) -> dict[str, str]:
    return {"old_password": old, "new_password1": new, "new_password2": new if again is None else again}


def test_my_own_password_in_the_admin_counts_everywhere(boss: User) -> None:
    api, here, elsewhere = Api(), admin_of(boss), admin_of(boss)
    tokens = api.sign_in(boss)
    MailToken.objects.create(
        user=boss, purpose="RESET_PASSWORD", email=boss.email, nonce="1", token_hash="1",
        created_at=datetime.now(UTC), expires_at=datetime(2100, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    answer = here.post(MY_PASSWORD, new_password())
    assert (answer.status_code, answer["Location"]) == (302, "/admin/password_change/done/")
    # This page goes on, everything else ends, and links that were mailed are void.
    assert here.get("/admin/").status_code == 200
    assert elsewhere.get("/admin/").status_code == 302
    assert api.data(ME)["me"] is None
    assert Api().code(REFRESH, token=tokens["refreshToken"]) == "INVALID_TOKEN"
    assert not MailToken.objects.filter(used_at=None).exists()
    assert rows("PASSWORD_CHANGED") == [("PASSWORD_CHANGED", boss.pk, boss.pk, {})]
    assert Api().code(TOKEN_AUTH, email=boss.email, password=PASSWORD) == "INVALID_CREDENTIALS"
    assert Api().data(TOKEN_AUTH, email=boss.email, password=NEW)["tokenAuth"]["token"]


@pytest.mark.parametrize(
    "form",
    [
        new_password(old="wrong"),
        new_password(new="12345678"),
        new_password(new="x"),
        new_password(again="another-Horse-9"),
    ],
    ids=["wrong", "digits", "short", "two"],
)
def test_a_password_that_is_not_right_changes_nothing(boss: User, form: dict[str, str]) -> None:
    api, here = Api().enter(boss), admin_of(boss)
    before = User.objects.values().get()
    answer = here.post(MY_PASSWORD, form)
    assert answer.status_code == 200
    assert answer.context["form"].errors
    assert {**User.objects.values().get(), "last_login": None} == {**before, "last_login": None}
    assert api.data(ME)["me"] is not None
    assert rows("PASSWORD_CHANGED") == []


def test_the_old_password_cannot_be_guessed_on_that_page(boss: User, settings: Any) -> None:
    settings.RATE_LIMITS_ENABLED = True
    here = admin_of(boss)
    for _ in range(10):
        here.post(MY_PASSWORD, new_password(old="wrong"))
    answer = here.post(MY_PASSWORD, new_password())
    assert "Too many tries" in answer.content.decode()
    assert User.objects.get().check_password(PASSWORD)
    assert rows("TRIES_LIMITED") == [("TRIES_LIMITED", None, boss.pk, {"what": "password"})]


def test_nobody_gets_to_that_page_without_being_staff() -> None:
    guest = make_guest(password=PASSWORD)
    assert admin_of(guest).post(MY_PASSWORD, new_password()).status_code == 302
    assert Client().post(MY_PASSWORD, new_password()).status_code == 302
    assert User.objects.get().check_password(PASSWORD)


def test_the_door_of_the_admin_writes_down_who_came_and_who_did_not(boss: User) -> None:
    guest = make_guest(password=PASSWORD)
    closed = make_staff(password=PASSWORD, is_active=False)
    for email, password in [
        (boss.email, "wrong"), (guest.email, PASSWORD), (closed.email, PASSWORD), ("nobody@example.com", PASSWORD),
        (boss.email, PASSWORD),
    ]:  # fmt: skip
        Client().post("/admin/login/", {"username": email, "password": password})
    door = {"door": "admin"}
    # The right password of somebody who is not staff is no sign-in.
    assert rows("SIGNED_IN", "SIGN_IN_REFUSED") == [
        *[("SIGN_IN_REFUSED", who, None, door) for who in (boss.pk, guest.pk, closed.pk, None)],
        ("SIGNED_IN", boss.pk, boss.pk, door),
    ]
