"""`manage.py seed_demo`: the demo's accounts, listings and bookings, once."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.importing.demo.actions import seed_demo
from apps.importing.demo.catalogue import GUEST, HOST, PASSWORD, STAFF
from apps.importing.problems import ImportProblem


class Command(BaseCommand):
    help = (
        "Make the demo's data: accounts with a known password, listings, bookings. Never on a system with real users."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--paid",
            action="store_true",
            help="past visits have payments, which only an emulator of the card processor can be given afterwards",
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        try:
            made = seed_demo(now=timezone.now(), paid=options["paid"])
        except ImportProblem as problem:
            raise CommandError(str(problem)) from problem
        if made:
            self.stdout.write(f"{made} listings; sign in as {GUEST}, {HOST} or {STAFF} with {PASSWORD}")
        else:
            self.stdout.write("the demo's data is there already")
