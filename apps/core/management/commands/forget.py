"""`manage.py forget`: what beat does every hour, by hand; with --dry-run it only says how much it would be."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from apps.core.retention import count, forget_all, rules


class Command(BaseCommand):
    """Forgets what is older than the KEEP_..._DAYS of the settings."""

    help = "Delete what has been kept for long enough. Bookings, bills, charges and refunds are never among it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = [rule.name for rule in rules()]
        parser.add_argument("--dry-run", action="store_true", help="only say how many rows it would be")
        parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        chosen = [rule for rule in rules() if not options["only"] or rule.name in options["only"]]
        if options["dry_run"]:  # noqa: SIM108
            found = {rule.name: count(rule, now=now) for rule in chosen}
        else:
            found = forget_all(now=now, chosen=chosen)
        for rule in chosen:
            self.stdout.write(f"{found[rule.name]:>9}  {rule.name}: {rule.what}")
