"""Caching of answers, by declared policies.

A field says what its values vary by and which writes end them:

    @cached("Service.slots", varies_by=Varies.NOTHING, about=lambda listing: listing.pk, is_timed=True,
            invalidated_by=(LISTINGS, AVAILABILITY), codec=SPANS)
    def resolve_slots(listing: ListingRow, info: Info, from_: datetime, to: datetime) -> ...

Without `varies_by` each account has values of its own, and those without an account share one. Arguments always count. And
of a query that anybody may send, the whole answer is kept, with all that it was read from found out from its statements.

`Caching` opens what is kept for one query at a time. A mutation and a subscription open nothing: what was just written is read
from the database, and so is everything inside a transaction that is open already. `docs/speed.md` says what is promised.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from redis import RedisError

from apps.core import versions
from apps.core.db import is_in_transaction
from apps.core.versions import Recording, recording
from schema.core import answer_cache
from schema.core.answer_cache import BYPASS, ERROR, HIT, MISS, STALE, Entry, Look, Turn, count
from schema.core.loaders import is_deferred

if TYPE_CHECKING:
    from schema.core.context import Context, Info

# Who comes second waits so long for the first, then makes it too.
WAIT_SECONDS = 0.25
POLL_SECONDS = 0.01
WHOLE = "answer"


class Varies(Enum):
    """Whose value a field has, beside its object and its arguments."""

    BY_ACCOUNT = "each account its own"
    NOTHING = "the same for everybody"


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value becomes JSON and comes back."""

    write: Callable[[Any], Any] = lambda value: value
    read: Callable[[Any], Any] = lambda value: value


PLAIN = Codec()


@dataclass(frozen=True, slots=True)
class Policy:
    """`name` is "Type.field". `is_timed`: its values hang on the moment, so none is kept for longer than a sweep.

    `seconds` bounds it further; CACHE_SECONDS bounds all. `is_dear`: one caller makes it while others wait for it.
    """

    name: str
    invalidated_by: tuple[str, ...]
    varies_by: Varies = Varies.BY_ACCOUNT
    is_timed: bool = False
    is_dear: bool = False
    seconds: int | None = None
    codec: Codec = PLAIN

    @property
    def field(self) -> str:
        return self.name.rpartition(".")[2]

    def key(self, context: Context, *parts: Any) -> str:
        """Where the value is kept. The account is a part of it unless the policy says that it is not."""
        owner = "" if self.varies_by is Varies.NOTHING else (context.user.pk if context.user is not None else "nobody")
        return answer_cache.key_for(
            self.name, orjson.dumps([owner, *parts], default=str, option=orjson.OPT_NON_STR_KEYS)
        )


POLICIES: dict[str, Policy] = {}


def declare(policy: Policy) -> Policy:
    """Make the policy known. Raises ValueError for the second of one name."""
    if POLICIES.setdefault(policy.name, policy) is not policy:
        raise ValueError(f"{policy.name} has a policy already.")
    return policy


def keeps_field(name: str) -> bool:
    """Whether a field of this name may be kept, of whatever type."""
    return any(policy.field == name for policy in POLICIES.values())


def cached(
    name: str, *, about: Callable[[Any], int], invalidated_by: tuple[str, ...], **options: Any
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Keep what the resolver answers, by a policy of this name. `about` is the key of the listing that it is read on."""
    policy = declare(Policy(name, invalidated_by, **options))

    def decorated(resolve: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(resolve)
        def resolve_kept(parent: Any, info: Info, **arguments: Any) -> Any:
            if info.context.kept is None:
                return resolve(parent, info, **arguments)
            pk = about(parent)
            key = policy.key(info.context, pk, sorted(arguments.items()))
            return remembered(info.context, policy, key, lambda: resolve(parent, info, **arguments), listing_ids=(pk,))

        return resolve_kept

    return decorated


async def remembered(
    context: Context, policy: Policy, key: str, make: Callable[[], Any], *, listing_ids: tuple[int, ...] = ()
) -> Any:
    """What is kept under the key, else what `make` gives, which may be deferred and is kept then. It is of these listings
    alone; of all where none is named.
    """
    opened = context.kept
    tags = frozenset[str]().union(*(versions.read(family, listing_ids) for family in policy.invalidated_by))
    entry = None if opened is None else await context.load(_entries, (policy, key, tags))
    if entry is not None:
        return policy.codec.read(orjson.loads(entry.content))
    turn = None
    if opened is not None and policy.is_dear:
        turn, entry = opened.turn_for(policy, key)
        if entry is not None:
            return policy.codec.read(orjson.loads(entry.content))
    if opened is not None:
        opened.hang_on(tags, is_timed=policy.is_timed)
    began = time.perf_counter()
    value = make()
    if is_deferred(value):
        value = await value
    if opened is not None:
        opened.keep_field(policy, key, tags, policy.codec.write(value), took=time.perf_counter() - began, turn=turn)
    return value


def _entries(context: Context, keys: list[tuple[Policy, str, frozenset[str]]]) -> dict[Any, Entry]:
    """What is kept of these fields and holds, asked for together."""
    opened = context.kept
    if opened is None:
        return {}
    found = opened.look({key: sorted(tags) for _, key, tags in keys})
    entries = {}
    for policy, key, tags in keys:
        entry = None if found is None else found.entries.get(key)
        if entry is not None and entry.is_due(opened.now):
            entry = None
        if found is None:
            count(policy.name, ERROR)
        elif entry is None:
            count(policy.name, STALE if key in found.outdated else MISS)
        else:
            count(policy.name, HIT)
            opened.use(policy, entry)
            entries[policy, key, tags] = entry
    return entries


class Opened:
    """What is kept, opened for one query. `answer` is all of it where it is kept and holds."""

    def __init__(self, context: Context, key: str | None) -> None:
        self.context = context
        self.key = key
        self.now = context.instant.timestamp()
        self.clock = 0
        self.answer: Entry | None = None
        self.recording: Recording | None = None
        self._oldest = self.now
        self._began = time.perf_counter()
        self._turns: list[Turn] = []
        # So many of them, the first ones, are for the whole answer.
        self._of_answer = 0
        self._new: dict[str, Entry] = {}

    def begin(self) -> bool:
        """Look for the whole answer, and read the clock of changes. False where Redis does not answer."""
        keys = [self.key] if self.key else []
        found = self.look(dict.fromkeys(keys, ()))
        if found is None:
            return False
        self.clock = found.clock
        if self.key is not None:
            self._seek(self.key, found)
        self._of_answer = len(self._turns)
        return True

    def _seek(self, key: str, found: Look) -> None:
        entry = found.entries.get(key)
        is_known = answer_cache.was_asked_before(key)
        if entry is not None and not (is_known and entry.is_due(self.now)):
            self.answer = entry
        elif is_known:
            if self._take_turn(key) is not None:
                self.recording = Recording()
            else:
                self.answer = entry or self._awaited(key)
        outcome = HIT if self.answer is not None else STALE if key in found.outdated else MISS
        count(WHOLE, outcome)

    def _take_turn(self, key: str) -> Turn | None:
        turn = Turn(key)
        try:
            if not turn.take():
                return None
        except (RedisError, OSError):
            answer_cache.failed()
            return None
        self._turns.append(turn)
        return turn

    def _awaited(self, key: str) -> Entry | None:
        """What whoever has the turn makes, when it comes soon."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            found = self.look({key: ()})
            if found is None:
                return None
            if key in found.entries:
                return found.entries[key]
        return None

    def turn_for(self, policy: Policy, key: str) -> tuple[Turn | None, Entry | None]:
        """The right to make a dear field, or what somebody else made of it meanwhile; neither where it takes them long."""
        if not answer_cache.was_asked_before(key):
            return None, None
        turn = self._take_turn(key)
        if turn is not None:
            return turn, None
        entry = self._awaited(key)
        if entry is not None:
            self.use(policy, entry)
        return None, entry

    def look(self, hints: Mapping[str, Any]) -> Look | None:
        """What is kept under the keys; None where Redis does not answer."""
        try:
            return answer_cache.look(hints, now=self.now, hints=hints)
        except (RedisError, OSError):
            answer_cache.failed()
            return None

    def use(self, policy: Policy, entry: Entry) -> None:
        """A field was answered with the entry: the whole answer is as old, and hangs on the same."""
        self._oldest = min(self._oldest, entry.at)
        self.hang_on(entry.tags, is_timed=policy.is_timed)

    def hang_on(self, tags: Iterable[str], *, is_timed: bool) -> None:
        """The whole answer has a part that hangs on these, and maybe on the moment."""
        self.context.has_read_clock = self.context.has_read_clock or is_timed
        if self.recording is not None:
            self.recording.tags.update(tags)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Execute the query in here."""
        self.context.kept = self
        self.context.has_read_clock = False
        try:
            with recording(self.recording) if self.recording is not None else nullcontext():
                yield
        finally:
            self.context.kept = None

    def go_back(self) -> None:
        """Forget what was executed in here."""
        self._oldest = self.now
        self._new.clear()
        while len(self._turns) > self._of_answer:
            self._turns.pop().give_back()
        if self.recording is not None:
            self.recording.tags.clear()
            self.recording.is_covered = True

    def keep_field(
        self, policy: Policy, key: str, tags: frozenset[str], value: Any, *, took: float, turn: Turn | None
    ) -> None:
        """Keep the value of a field that is asked for again and again."""
        if turn is None and (policy.is_dear or not answer_cache.was_asked_before(key)):
            return
        seconds = _seconds(policy.seconds, is_timed=policy.is_timed)
        self._new[key] = Entry(self.now, seconds, took, tuple(sorted(tags)), orjson.dumps(value))

    def keep_answer(self, data: Any, *, note: Any) -> None:
        """Keep the whole answer, unless part of it was read from what nobody watches."""
        if self.recording is None or self.key is None or not self.recording.is_covered:
            return
        self._new[self.key] = Entry(
            self._oldest,
            _seconds(None, is_timed=self.context.has_read_clock),
            time.perf_counter() - self._began,
            tuple(sorted(self.recording.tags)),
            orjson.dumps(data, option=orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_NON_STR_KEYS),
            note,
        )

    def close(self) -> None:
        """Write what is new, and let others have their turn. Never raises."""
        try:
            if self._new and answer_cache.may_look():
                answer_cache.keep(self._new, clock=self.clock)
        except (RedisError, OSError):
            answer_cache.failed()
        finally:
            for turn in self._turns:
                turn.give_back()


def _seconds(own: int | None, *, is_timed: bool) -> float:
    longest = settings.CACHE_SECONDS if own is None else min(own, settings.CACHE_SECONDS)
    # A hold that runs out frees its place without a write; a sweep later at most it must be seen.
    return float(min(longest, settings.SWEEP_SECONDS) if is_timed else longest)


def open_kept(
    context: Context, *, whole: tuple[str | None, ...] | None, has_fields: bool, variables: Any
) -> Opened | None:
    """What is kept, for a query; None where nothing of it may be, and where it is all to be read anew.

    `whole` tells the query from all others when its answer may be kept as it is, and is None otherwise.
    """
    if not settings.CACHE_SECONDS or (whole is None and not has_fields):
        return None
    if is_in_transaction() or not answer_cache.may_look():
        count(WHOLE, BYPASS)
        return None
    key = None
    if whole is not None:
        try:
            given = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS)
        except TypeError:
            given = None
        key = None if given is None else answer_cache.key_for(WHOLE, *(part or "" for part in whole), given)
    opened = Opened(context, key)
    if not opened.begin():
        count(WHOLE, ERROR)
        return None
    return opened
