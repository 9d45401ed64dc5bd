"""Whether this process is alive, and whether it could serve: what is missing, and nothing that helps an attacker.

`/healthz` hangs on nothing, or a database that is away would have every process restarted. `/readyz` asks the database,
whether all migrations are applied, Redis and the broker, each for SECONDS at most and all at the same time.
"""

import functools
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from celery import current_app
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from redis import Redis

from booking.watching.deadlines import Bounded, TooLate

logger = logging.getLogger(__name__)

SECONDS = 2
OK = "ok"


class NotReady(Exception):
    """What is missing, in words for anybody."""


def own_connection() -> BaseDatabaseWrapper:
    """A connection beside those of requests, which may be broken, busy or in a transaction. Whoever asks closes it."""
    return connections["default"].copy()


@contextmanager
def connected_broker() -> Iterator[Any]:
    """A connection to the broker, at the first try or not at all."""
    with current_app.connection_for_write(transport_options={"socket_timeout": SECONDS}) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, interval_step=0, timeout=SECONDS)
        yield broker


@functools.cache
def _migrations_of_the_code() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)


def check_database() -> None:
    connection = own_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def check_migrations() -> None:
    """Raises NotReady where the code knows migrations that the database has not seen."""
    connection = own_connection()
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
            (is_there,) = cursor.fetchone()
            applied = set()
            if is_there:
                cursor.execute("SELECT app, name FROM django_migrations")
                applied = set(cursor.fetchall())
    finally:
        connection.close()
    missing = _migrations_of_the_code() - applied
    if missing:
        raise NotReady(f"{len(missing)} not applied")


def check_redis() -> None:
    urls = (settings.REDIS_URL, settings.CACHE_REDIS_URL, settings.LIMITS_REDIS_URL, settings.LIVE_REDIS_URL)
    for url in dict.fromkeys(urls):
        with Redis.from_url(url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS) as redis:
            redis.ping()


def check_broker() -> None:
    with connected_broker():
        pass


CHECKS: dict[str, Callable[[], None]] = {
    "database": check_database,
    "migrations": check_migrations,
    "redis": check_redis,
    "broker": check_broker,
}
_bounded = {name: Bounded(check, seconds=SECONDS) for name, check in CHECKS.items()}


def readiness() -> dict[str, str]:
    """What each part says: "ok", or what is wrong. Takes little more than SECONDS, whatever hangs."""
    with ThreadPoolExecutor(len(_bounded)) as pool:
        return dict(zip(_bounded, pool.map(_say, _bounded), strict=True))


def _say(name: str) -> str:
    try:
        _bounded[name]()
    except NotReady as missing:
        return str(missing)
    except TooLate:
        return "no answer"
    except Exception as error:
        # The message may name hosts and accounts: it is for the log.
        logger.warning("not ready: %s: %s", name, error)
        return "away"
    return OK
