"""Accounts in Django admin."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from apps.users.models import Session, User
from tests.admin.acting import done
from tests.recipes import PASSWORD, make_guest, make_host, make_onlooker, make_staff

pytestmark = pytest.mark.django_db(transaction=True)


def admin_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_staff_signs_in_by_email_in_any_case_and_sees_the_tables() -> None:
    staff = make_onlooker(password=PASSWORD, email="boss@example.com")
    client = Client()
    answer = client.post("/admin/login/?next=/admin/", {"username": "BOSS@example.com", "password": PASSWORD})
    assert answer.status_code == 302
    for path in ("/admin/", "/admin/users/user/", f"/admin/users/user/{staff.pk}/change/", "/admin/users/session/"):
        assert client.get(path).status_code == 200


def test_nobody_else_gets_in() -> None:
    for user in (
        make_guest(password=PASSWORD),
        make_host(password=PASSWORD),
        make_staff(password=PASSWORD, is_active=False),
    ):
        client = Client()
        client.post("/admin/login/", {"username": user.email, "password": PASSWORD})
        assert client.get("/admin/users/user/").status_code == 302


def test_staff_sees_but_changes_only_what_it_was_given() -> None:
    staff, guest = make_onlooker(), make_guest()
    path = f"/admin/users/user/{guest.pk}/change/"
    form = {"first_name": "Changed", "last_name": "X", "phone_number": "", "role": "STAFF", "is_superuser": "on"}
    assert admin_of(staff).post(path, form).status_code == 403
    staff.user_permissions.add(Permission.objects.get(codename="change_user"))
    assert admin_of(User.objects.get(pk=staff.pk)).post(path, form).status_code == 302
    guest.refresh_from_db()
    # Names may be mended with the permission; power is a superuser's to give.
    assert (guest.first_name, guest.role, guest.is_superuser) == ("Changed", "GUEST", False)


def test_a_superuser_ends_sessions() -> None:
    boss, guest = make_staff(is_superuser=True), make_guest()
    now = datetime.now(UTC)
    session = Session.objects.create(user=guest, created_at=now, last_used_at=now)
    answer = admin_of(boss).post("/admin/users/session/", {"action": "end_selected", "_selected_action": [session.pk]})
    assert answer.status_code == 302
    session.refresh_from_db()
    assert session.ended_at is not None
    done(boss, guest, "end_sessions")
    guest.refresh_from_db()
    assert guest.token_version == 1


def test_accounts_are_neither_added_nor_deleted_here() -> None:
    boss, guest = make_staff(is_superuser=True), make_guest()
    for path in ("/admin/users/user/add/", f"/admin/users/user/{guest.pk}/delete/", "/admin/users/session/add/"):
        assert admin_of(boss).get(path).status_code == 403
