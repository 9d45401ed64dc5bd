"""`manage.py changepassword EMAIL`, as Django has it, and with all that a new password brings: sessions end, and it is audited."""

import getpass
from typing import Any

from django.contrib.auth.management.commands.changepassword import Command as ChangePassword
from django.core.management.base import CommandError
from django.utils import timezone

from apps.core.errors import WeakPassword
from apps.users.actions.credentials import set_password
from apps.users.selectors import user_by_email

TRIES = 3


def asked(prompt: str) -> str:
    """What is typed, unseen. Raises CommandError for nothing."""
    if not (typed := getpass.getpass(prompt=prompt)):
        raise CommandError("Nothing was typed.")
    return typed


class Command(ChangePassword):
    """Raises CommandError where there is no such account, or no good password after three tries."""

    def handle(self, *args: Any, **options: Any) -> str:
        email = options["username"] or getpass.getuser()
        user = user_by_email(email)
        if user is None:
            raise CommandError(f"There is no account with the email {email}.")
        self.stdout.write(f"Changing the password of {email}.")
        for _ in range(TRIES):
            first, second = asked("Password: "), asked("Password (again): ")
            if first != second:
                self.stdout.write("The two are not the same. Try again.")
                continue
            try:
                set_password(user=user, new_password=first, now=timezone.now())
            except WeakPassword as error:
                self.stderr.write(str(error.message))
                continue
            return f"The password of {email} is changed, and every session has ended."
        raise CommandError(f"The password of {email} was not changed.")
