"""`manage.py reconcile`: our ledger against the processor's."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.bookings.actions import reconcile
from apps.payments.gateway import GatewayUnavailable

DRIFT, AWAY = 1, 2


def instant(text: str) -> datetime:
    """A day or an instant in ISO 8601; UTC unless it says otherwise. Raises ArgumentTypeError."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no date like 2026-01-31 or 2026-01-31T12:00:00+00:00") from error
    return given if given.tzinfo is not None else given.replace(tzinfo=UTC)


class Command(BaseCommand):
    help = (
        "Compares every payment and refund with the card processor, heals what can be healed and lists the rest. "
        "Exits with 0 when both ledgers agree, 1 when they differ, 2 when the processor could not be asked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since", type=instant, help="from when on, as in 2026-01-31; the last three days unless said"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        since = options["since"] or now - timedelta(days=3)
        if since > now:
            raise CommandError("--since lies in the future.", returncode=AWAY)
        try:
            result = reconcile(since=since, now=now)
        except GatewayUnavailable as error:
            raise CommandError(f"The card processor cannot be asked: {error}", returncode=AWAY) from error
        for line in result.healed:
            self.stdout.write(f"healed: {line}")
        for line in result.drift:
            self.stdout.write(f"DRIFT: {line}")
        self.stdout.write(
            f"{result.payments} payments and {result.refunds} refunds since {since.astimezone(UTC):%Y-%m-%d %H:%M} UTC: "
            f"{len(result.healed)} healed, drift {len(result.drift)}."
        )
        if result.drift:
            raise CommandError("The ledgers differ.", returncode=DRIFT)
