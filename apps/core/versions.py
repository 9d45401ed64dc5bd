"""Invalidation of caches: in Redis, a version of each thing that public answers are made of, raised by what changes it.

    with only(AVAILABILITY, listing_id): ...      what of the family the block writes or reads is of this listing alone

Each statement of this process is looked at (`apps.core.families`). After the commit, and only then, the versions of what was
written are raised, before anybody is told that it is done: whoever wrote finds no older answer, in no process. What is not
said to be of some listings raises the version of all.

    "availability"        raised by every change in the family: for answers that searched it
    "availability:7"      raised by changes of listing 7: for answers about it
    "availability:*"      raised by changes that may be of any listing: answers about single ones hang on it too

A version is a number from one clock that only goes forward, so that who read the clock before the database knows afterwards
whether something changed meanwhile. Where Redis is away the write stands, this process keeps no answers and reads none
until it has told, and a job in the outbox tells in its stead should it end before. A process that dies between the commit
and the telling leaves others what is older for CACHE_SECONDS at most.
"""

from __future__ import annotations

import functools
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, TypeVar, cast

from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from redis import Redis, RedisError

from apps.core import outbox
from apps.core.families import statement_of
from apps.core.prepared import meant

logger = logging.getLogger(__name__)

Args = ParamSpec("Args")
Result = TypeVar("Result")

CLOCK = "holdfast:version"
# A version is forgotten when nothing that was kept before can be there any more.
VERSION_SECONDS = 86_400
# Whoever changes more listings than that at once changes all of them.
MOST_NAMED = 100
SOCKET_SECONDS = 0.5
# After a failure Redis is left alone for so many seconds, lest each request waits for its time-out.
PAUSE_SECONDS = 5.0
TELL = "core.tell_versions"

# KEYS: the clock and the versions. ARGV: for how long versions are kept. Microseconds, and never the same twice.
RAISE = """
local time = redis.call('TIME')
local version = tonumber(time[1]) * 1000000 + tonumber(time[2])
local last = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
if version <= last then version = last + 1 end
local text = string.format('%.0f', version)
redis.call('SET', KEYS[1], text)
for index = 2, #KEYS do redis.call('SET', KEYS[index], text, 'EX', ARGV[1]) end
return text
"""


def key_of(tag: str) -> str:
    """Where the version of a tag is in Redis."""
    return f"{CLOCK}:{tag}"


def anything(family: str) -> str:
    """The tag that is raised by what may have changed any part of the family."""
    return f"{family}:*"


def one(family: str, listing_id: int) -> str:
    """The tag of one listing's part of the family."""
    return f"{family}:{listing_id}"


def changed(family: str, listing_ids: Iterable[int]) -> frozenset[str]:
    """What is raised by a change of these listings; of any, where none is named or too many are."""
    ids = set(listing_ids)
    if not ids or len(ids) > MOST_NAMED:
        return frozenset({family, anything(family)})
    return frozenset({family, *(one(family, each) for each in ids)})


def read(family: str, listing_ids: Iterable[int]) -> frozenset[str]:
    """What an answer hangs on that read the parts of these listings; where none is named, or too many, all of the family."""
    ids = set(listing_ids)
    if not ids or len(ids) > MOST_NAMED:
        return frozenset({family})
    return frozenset({anything(family), *(one(family, each) for each in ids)})


class Those:
    """The listings that a block is about: see `only`."""

    __slots__ = ("_token", "family", "ids", "writers")
    _token: Token[tuple[Those, ...]]

    def __init__(self, family: str, ids: Iterable[int]) -> None:
        self.family = family
        self.ids = set(ids)
        self.writers: list[BaseDatabaseWrapper] = []

    def add(self, listing_id: int) -> None:
        """Say it of a listing that the block found out."""
        self.ids.add(listing_id)

    def __enter__(self) -> Those:
        self._token = _scopes.set((*_scopes.get(), self))
        return self

    def __exit__(self, *_: object) -> None:
        _scopes.reset(self._token)
        if self.writers:
            for connection in dict.fromkeys(self.writers):
                _raise_later(connection, changed(self.family, self.ids))


class Recording:
    """What was read: `tags` to hang on, and whether all of it `is_covered` by families."""

    __slots__ = ("is_covered", "tags")

    def __init__(self) -> None:
        self.tags: set[str] = set()
        self.is_covered = True


_scopes: ContextVar[tuple[Those, ...]] = ContextVar("scopes", default=())
_recording: ContextVar[Recording | None] = ContextVar("recording", default=None)


def only(family: str, *listing_ids: int) -> Those:
    """A block in which what of the family is read or written is of these listings; one that writes may add to them.

    To be trusted like a lock: what is said wrongly here is shown as it was, for CACHE_SECONDS.
    """
    return Those(family, listing_ids)


def of_its_listing(family: str) -> Callable[[Callable[Args, Result]], Callable[Args, Result]]:
    """What the function reads and writes of the family is of the listing in its argument `listing_id`."""

    def narrowed(function: Callable[Args, Result]) -> Callable[Args, Result]:
        place = list(inspect.signature(function).parameters).index("listing_id")

        @functools.wraps(function)
        def run(*args: Args.args, **kwargs: Args.kwargs) -> Result:
            listing_id = cast("int | None", kwargs["listing_id"] if "listing_id" in kwargs else args[place])
            with only(family, *(() if listing_id is None else (listing_id,))):
                return function(*args, **kwargs)

        return run

    return narrowed


@contextmanager
def recording(into: Recording) -> Iterator[None]:
    """Write down what the block reads."""
    token = _recording.set(into)
    try:
        yield
    finally:
        _recording.reset(token)


def watch(sender: object, connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Look at the statements of a connection that was made."""
    if _look not in connection.execute_wrappers:
        # First: Django takes its own wrappers of a block from the end.
        connection.execute_wrappers.insert(0, _look)


def begin_watching() -> None:
    """Look at the statements of every connection that is made from now on."""
    connection_created.connect(watch, dispatch_uid="apps.core.versions")


def _look(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    result = execute(sql, params, many, context)
    if settings.CACHE_SECONDS:
        note(context["connection"], meant(sql if isinstance(sql, str) else sql.as_string(context["cursor"].cursor)))
    return result


def note(connection: BaseDatabaseWrapper, sql: str) -> None:
    """Take the statement for executed. For those who execute one past Django."""
    statement = statement_of(meant(sql))
    for family in statement.writes:
        those = _scope_of(family)
        if those is None:
            _raise_later(connection, changed(family, ()))
        else:
            those.writers.append(connection)
    into = _recording.get()
    if into is not None:
        into.is_covered = into.is_covered and statement.is_covered
        for family in statement.reads:
            those = _scope_of(family)
            into.tags |= read(family, those.ids if those else ())


def _scope_of(family: str) -> Those | None:
    return next((those for those in reversed(_scopes.get()) if those.family == family), None)


class _Raising:
    """Raises its tags when the transaction commits."""

    def __init__(self) -> None:
        self.tags: set[str] = set()

    def __call__(self) -> None:
        tell(self.tags)


def _raise_later(connection: BaseDatabaseWrapper, tags: frozenset[str]) -> None:
    # One for the whole transaction: but what is rolled back with a savepoint has changed nothing.
    savepoints = set(connection.savepoint_ids)
    promised: list[Any] = connection.run_on_commit
    for sids, function, _robust in promised:
        if isinstance(function, _Raising) and sids == savepoints:
            function.tags |= tags
            return
    raising = _Raising()
    raising.tags |= tags
    transaction.on_commit(raising, using=connection.alias, robust=True)


class _Outage:
    """Remembers that Redis was away a moment ago, and what could not be told then."""

    def __init__(self) -> None:
        self._until = 0.0
        self._lock = threading.Lock()
        self._untold: set[str] = set()

    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        self._until = time.monotonic() + PAUSE_SECONDS

    def owe(self, tags: Iterable[str]) -> None:
        with self._lock:
            self._untold |= set(tags)

    @property
    def owes(self) -> bool:
        return bool(self._untold)

    def take(self) -> set[str]:
        with self._lock:
            untold, self._untold = self._untold, set()
            return untold


outage = _Outage()


@functools.cache
def redis_of(url: str) -> Redis:
    """The connections of this process for versions and what is kept by them."""
    return Redis.from_url(url, socket_timeout=SOCKET_SECONDS, socket_connect_timeout=SOCKET_SECONDS)


def tell(tags: Iterable[str]) -> None:
    """Raise the versions of the tags. Never raises: what cannot be told now is told later."""
    wanted = set(tags)
    if not outage.lasts():
        owed = outage.take()
        try:
            raise_versions(wanted | owed)
        except (RedisError, OSError):
            outage.begin()
            outage.owe(owed)
            logger.warning("Redis is away; what changed is told to other processes when it is back")
        else:
            return
    outage.owe(wanted)
    if wanted:
        _leave(wanted)


def raise_versions(tags: Iterable[str]) -> None:
    """Raise the versions of the tags now. Raises RedisError and OSError."""
    keys = [key_of(tag) for tag in sorted(tags)]
    redis_of(settings.CACHE_REDIS_URL).eval(RAISE, 1 + len(keys), CLOCK, *keys, VERSION_SECONDS)


def may_read() -> bool:
    """Whether what is kept may be used here: it is turned on, Redis answered of late, and this process owes it nothing."""
    if not settings.CACHE_SECONDS or outage.lasts():
        return False
    if outage.owes:
        tell(())
    return not outage.owes


def _leave(tags: set[str]) -> None:
    """A job that tells it, should this process end before it could."""
    try:
        outbox.leave(TELL, tags=sorted(tags))
    except DatabaseError:
        logger.exception("What changed could not be written down; answers of before may be shown a little longer")
