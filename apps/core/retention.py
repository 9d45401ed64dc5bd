"""What is kept for how long, and what is forgotten after that: one list, one job, one command.

An app says in its module `retention` what of it grows old (RULES). Nothing that money or a booking hangs on is in any of them,
nor can be: a test follows what would be deleted with each.
"""

import importlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from apps.core import idempotency, metrics

logger = logging.getLogger(__name__)

BATCH = 5_000
Rows = QuerySet[Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """A sort of rows that nobody will ask for again after a while.

    `old` says which they are at a moment. `before_each` is called at the beginning of the transaction of each batch, with the
    moment. `batch` is how many are deleted in one transaction, together with what hangs on them: so long nobody else gets at them.
    """

    name: str
    what: str
    old: Callable[[datetime], Rows]
    before_each: Callable[[datetime], None] | None = None
    batch: int = BATCH


RULES = (Rule("idempotency_keys", "keys of requests, a day after they were used", idempotency.forgotten),)


def days(name: str) -> timedelta:
    """How long rows of a sort are kept (KEEP_..._DAYS)."""
    return timedelta(days=settings.KEEP_DAYS[name])


@cache
def rules() -> tuple[Rule, ...]:
    """All of them, in the order of the apps."""
    found: list[Rule] = []
    for config in apps.get_app_configs():
        if config.name.startswith("apps.") and find_spec(f"{config.name}.retention"):
            module = importlib.import_module(f"{config.name}.retention")
            found += module.RULES
    return tuple(rule for rule in found if isinstance(rule, Rule))


def count(rule: Rule, *, now: datetime) -> int:
    """How many rows would be forgotten."""
    return rule.old(now).count()


def forget(rule: Rule, *, now: datetime) -> int:
    """Delete the rows that are too old, with what hangs on them, a few in each transaction. Returns how many there were."""
    forgotten = 0
    while True:
        with transaction.atomic(durable=True):
            # Another job may be at the same; and what is in use stays for the next time.
            batch = rule.old(now).order_by("pk").select_for_update(skip_locked=True, of=("self",))
            numbers = [row.pk for row in batch.only("pk")[: rule.batch]]
            if rule.before_each is not None:
                rule.before_each(now)
            rule.old(now).model._base_manager.filter(pk__in=numbers).delete()
        forgotten += len(numbers)
        metrics.ROWS_FORGOTTEN.labels(rule.name).inc(len(numbers))
        if len(numbers) < rule.batch:
            break
    if forgotten:
        logger.info("forgot %s rows: %s", forgotten, rule.name)
    return forgotten


def forget_all(*, now: datetime, chosen: Sequence[Rule] | None = None) -> dict[str, int]:
    """Forget by every rule, or those that were chosen. Returns how many rows there were of each.

    One that the database refuses keeps no other from being carried out; the first such error is raised in the end.
    """
    forgotten: dict[str, int] = {}
    failed: DatabaseError | None = None
    for rule in rules() if chosen is None else chosen:
        try:
            forgotten[rule.name] = forget(rule, now=now)
        except DatabaseError as error:
            logger.exception("%s could not be forgotten", rule.name)
            failed = failed or error
    if failed is not None:
        raise failed
    return forgotten
