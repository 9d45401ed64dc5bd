"""The roles of the staff: every page, action and field of the admin, by role. What is not named is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client, RequestFactory
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from apps.core.acting import all_acts
from apps.core.admin import ReadOnlyAdmin
from apps.staff.navigation import GROUPS, Table, navigation
from apps.users.models import User
from apps.users.roles import BY_NAME, ROLES, Role
from tests.recipes import make_clerk, make_guest, make_staff

pytestmark = pytest.mark.django_db
# Pages that stand on no table; each member of the staff opens them.
OPEN_TO_STAFF = {
    "index", "jsi18n", "password_change", "password_change_done", "search",
    "second_factor", "second_factor_set_up", "backup_codes",
}  # fmt: skip
# Pages that belong to no table, or to one but not of Django's own, and the roles that open them.
OWN_PAGES: dict[str, set[str]] = {}
# What the pages do with a request that has no more to say than its address.
ELSEWHERE = {"login", "logout", "autocomplete", "view_on_site", "app_list"}


def names_of(patterns: list[Any]) -> Iterator[str]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from names_of(each.url_patterns)
        elif isinstance(each, URLPattern) and each.name:
            yield each.name


def pages() -> list[str]:
    resolvers = [each for each in get_resolver().url_patterns if isinstance(each, URLResolver)]
    (of_admin,) = [each for each in resolvers if each.namespace == "admin"]
    names = set(names_of(of_admin.url_patterns)) - ELSEWHERE
    # The history of a row that is not there leads to the start, whoever asks; `test_ledgers` asks for those of rows.
    return sorted(name for name in names if not name.endswith("_history"))


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def model_of(name: str) -> Any:
    """The model whose page this is; None for a page of its own."""
    for model in admin.site._registry:
        if name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            return model
    return None


def opened(client: Client) -> set[str]:
    """The names of all pages that open; those of a row are asked for a row that is not there, which leads elsewhere."""
    found = set()
    for name in pages():
        try:
            path = reverse(f"admin:{name}")
        except NoReverseMatch:
            path = reverse(f"admin:{name}", args=["999999999"])
        status = client.get(path).status_code
        assert status in {200, 302, 400, 403, 404}, (name, status)
        if status in {200, 302}:
            found.add(name)
    return found


def expected(role: Role | None) -> set[str]:
    names = set(OPEN_TO_STAFF)
    for name in pages():
        model = model_of(name)
        if model is None or role is None:
            continue
        app, codename = model._meta.app_label, model._meta.model_name
        what = name.removeprefix(f"{app}_{codename}_")
        may_see = f"{app}.view_{codename}" in role.permissions or f"{app}.change_{codename}" in role.permissions
        if what in {"changelist", "change"} and may_see:
            names.add(name)
    return names | {name for name, roles in OWN_PAGES.items() if role is not None and role.name in roles}


@pytest.mark.parametrize("role", [*ROLES, None], ids=lambda role: role.name if role else "none")
def test_a_role_opens_its_pages_and_no_other(role: Role | None) -> None:
    client = client_of(make_clerk(role.name) if role else make_staff())
    assert opened(client) == expected(role)


def test_a_superuser_opens_all_and_others_none() -> None:
    everything = opened(client_of(make_staff(is_superuser=True)))
    assert everything >= {f"{m._meta.app_label}_{m._meta.model_name}_changelist" for m in admin.site._registry}
    for client in (client_of(make_guest()), Client()):
        assert all(
            client.get(reverse(f"admin:{name}")).status_code == 302 for name in ("index", "bookings_booking_changelist")
        )
    # Whoever is no staff any more has the groups and nothing by them.
    was = make_clerk("finance")
    User.objects.filter(pk=was.pk).update(role="GUEST")
    assert User.objects.get(pk=was.pk).get_all_permissions() == set()


def test_roles_name_what_there_is() -> None:
    """A slip of the pen in the table would be a right that nobody has."""
    there = {
        f"{each.content_type.app_label}.{each.codename}" for each in Permission.objects.select_related("content_type")
    }
    for role in ROLES:
        assert role.permissions <= there, role.permissions - there
        # Rights that open doors to more rights are nobody's but superusers'.
        assert not {name for name in role.permissions if name.startswith(("auth.", "audit.", "admin.", "core."))}
    assert {role.name for role in ROLES} == set(BY_NAME)


def test_what_a_role_may_do_is_offered_and_nothing_else() -> None:
    """Actions that are offered in lists, by role."""
    offered: dict[str, set[str]] = {}
    for role in ROLES:
        request = RequestFactory().get("/admin/")
        request.user = make_clerk(role.name)
        offered[role.name] = {
            name
            for model, page in admin.site._registry.items()
            if page.has_view_or_change_permission(request)
            for name in page.get_actions(request)
        }
    assert not offered["finance"] & {"send_again", "end_selected", "archive"}
    assert {"archive", "publish"} <= offered["content"]
    assert not offered["content"] & {"refresh_selected", "end_selected", "send_again"}
    assert not any("delete_selected" in names for names in offered.values())


# Acts of the desk, by role: those that need more than to see the row.
ACTS = {
    "support": {"cancel", "resend", "block", "hide", "show", "end_sessions"},
    "finance": {"refund", "retry", "deal"},
    "content": {"block", "hide", "show"},
}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_the_acts_of_a_role(role: Role) -> None:
    may = {act.name for act in all_acts() if act.permission in role.permissions and ".view_" not in act.permission}
    assert may == ACTS[role.name]
    # Whoever may do something to a row sees the row.
    seen = {f"{name}" for name in role.sees}
    assert {act.model.lower() for act in all_acts() if act.name in may and act.permission in role.permissions} <= seen
    client = client_of(make_clerk(role.name))
    for path, permission in (("/admin/stuck/", "payments.view_charge"), ("/admin/why/", "listings.view_listing")):
        assert client.get(path).status_code == (200 if permission in role.permissions else 403)


def test_fields_that_give_power_are_read_by_support() -> None:
    guest, clerk = make_guest(first_name="Ada"), make_clerk("support")
    form = {
        "first_name": "Bea", "last_name": "", "phone_number": "", "role": "STAFF", "is_superuser": "on", "email": "x@example.com",
        "groups": [Group.objects.get(name="support").pk], "is_active": "",
    }  # fmt: skip
    assert client_of(clerk).post(reverse("admin:users_user_change", args=[guest.pk]), form).status_code == 302
    changed = User.objects.get(pk=guest.pk)
    assert (changed.first_name, changed.role, changed.is_superuser, changed.email) == (
        "Bea",
        "GUEST",
        False,
        guest.email,
    )
    assert changed.is_active
    assert not changed.groups.exists()
    # Nor does a clerk raise themself.
    form["role"] = "STAFF"
    client_of(clerk).post(reverse("admin:users_user_change", args=[clerk.pk]), {**form, "groups": []})
    assert list(User.objects.get(pk=clerk.pk).groups.values_list("name", flat=True)) == ["support"]


def test_a_roles_group_keeps_its_name() -> None:
    boss = client_of(make_staff(is_superuser=True))
    group = Group.objects.get_or_create(name="finance")[0]
    path = reverse("admin:auth_group_change", args=[group.pk])
    assert "bookings.refund_booking" in boss.get(path).content.decode()
    boss.post(path, {"name": "treasury", "permissions": []})
    assert boss.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 403
    group.refresh_from_db()
    assert group.name == "finance"


def test_the_navigation_leads_to_every_table_once_and_to_none_that_is_closed() -> None:
    tables = [item.model.lower() for _, items in GROUPS for item in items if isinstance(item, Table)]
    assert sorted(tables) == sorted(model._meta.label_lower for model in admin.site._registry)
    request = RequestFactory().get("/admin/")
    request.user = make_clerk("content")
    titles = {item["title"] for group in navigation(request) for item in group["items"]}
    assert {"Dashboard", "Listings", "Reviews"} <= titles
    assert not titles & {"Charges", "Accounts", "Staff roles", "Audit events", "Mails of the demo"}
    assert "Money" not in {group["title"] for group in navigation(request)}


def test_what_is_written_in_the_admin_is_little() -> None:
    """Everything else is read there, whoever asks."""
    written = {model._meta.label for model, page in admin.site._registry.items() if not isinstance(page, ReadOnlyAdmin)}
    assert written == {"users.User", "auth.Group"}
