"""`manage.py reset_second_factor`: for members of the staff who lost their telephone and their backup codes."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.core.errors import NotFound
from apps.staff.actions import reset_second_factor


class Command(BaseCommand):
    help = (
        "Forgets the second factor of an account, ends its sessions and writes that down. It can then be set up anew."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", help="the address of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            was_there = reset_second_factor(email=options["email"], now=timezone.now())
        except NotFound as error:
            raise CommandError(f"{options['email']}: nobody has this address.") from error
        if not was_there:
            raise CommandError(f"{options['email']}: this account has no second factor.")
        self.stdout.write(f"{options['email']}: the second factor is forgotten and every session has ended.")
