"""Acts as staff does them: look at what is going to happen, then confirm it."""

import re
from html import unescape
from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from apps.core.acting import act_named, act_path
from apps.users.models import User
from tests.admin.test_ledgers import client_of

TOKEN = re.compile(r'name="token" value="([^"]+)"')


def allowed(user: User, *permissions: str) -> User:
    """The account with these permissions ("app.codename") more."""
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return User.objects.get(pk=user.pk)


def may(user: User, row: Any, name: str) -> User:
    """The account with the permission of the act."""
    act = act_named(row._meta.label, name)
    assert act is not None
    return allowed(user, act.permission)


class Page:
    """The page of an act."""

    def __init__(self, client: Client, row: Any, name: str, **said: Any) -> None:
        self.client = client
        self.path = act_path(row, name)
        answer = client.post(self.path, said) if said else client.get(self.path)
        self.status = answer.status_code
        self.text = unescape(answer.content.decode())
        found = TOKEN.search(self.text)
        self.token = found.group(1) if found else None

    def confirm(self) -> list[str]:
        """What staff is told after the confirmation."""
        assert self.token is not None, self.text
        answer = self.client.post(self.path, {"token": self.token}, follow=True)
        return [str(message) for message in answer.context["messages"]]


def done(user: User, row: Any, name: str, **said: Any) -> list[str]:
    """What staff is told after looking and confirming."""
    return Page(client_of(user), row, name, **said).confirm()
