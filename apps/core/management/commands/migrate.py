"""`manage.py migrate`, as Django has it, and so that it stops nobody: apps.core.migrating."""

import random
import time
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.commands.migrate import Command as Migrate
from django.db import OperationalError, connections

from apps.core.migrating import is_locked_out, oldest_transactions, short_waits

LONGEST_PAUSE_SECONDS = 15.0


class Command(Migrate):
    """Gives up waiting for a lock after MIGRATION_LOCK_SECONDS and comes again, MIGRATION_TRIES times in all."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError where the locks could not be had."""
        connection = connections[options["database"]]
        for tried in range(1, settings.MIGRATION_TRIES + 1):
            self._under_way = ""
            try:
                with short_waits(connection, seconds=settings.MIGRATION_LOCK_SECONDS):
                    super().handle(*args, **options)
            except OperationalError as error:
                if not is_locked_out(error):
                    raise
                told = self._told(options["database"], tried)
                if tried == settings.MIGRATION_TRIES:
                    raise CommandError(
                        f"{told} Given up. What came before it is done and stays, of itself nothing is; run it again"
                        " when those are through, or end them: SELECT pg_terminate_backend(PROCESS)."
                    ) from error
                self.stderr.write(f"\n{told} It comes again.")
                time.sleep(_pause(tried))
            else:
                return

    def migration_progress_callback(self, action: str, migration: Any = None, fake: bool = False) -> None:
        if action in ("apply_start", "unapply_start"):
            self._under_way = str(migration)
        super().migration_progress_callback(action, migration, fake)

    def _told(self, database: str, tried: int) -> str:
        others = ", ".join(oldest_transactions(connections[database])) or "none is open now"
        return (
            f"{self._under_way or 'migrate'} waited for a lock for {settings.MIGRATION_LOCK_SECONDS:g} s in vain"
            f" (try {tried} of {settings.MIGRATION_TRIES}). The oldest transactions: {others}."
        )


def _pause(tried: int) -> float:
    """How long until the next try, in seconds: longer each time, and never the same for two."""
    return min(LONGEST_PAUSE_SECONDS, 0.5 * float(2 ** min(tried, 10))) * random.uniform(0.5, 1)  # noqa: S311
