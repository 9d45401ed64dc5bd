"""Batch loading without an event loop: N rows cost as many queries as the tree has levels, not as many as it has rows.

A batch function is plain: it takes the request's context and a list of distinct keys and returns what it found.

    def users_by_id(context: Context, keys: list[int]) -> Mapping[int, User]:
        return users_for(viewer=context.user, ids=keys)

    async def resolve_host(parent: Listing, info: Info) -> User | None:
        return await info.context.load(users_by_id, parent.host_id)

    def resolve_author(parent: Review, info: Info) -> Deferred[User | None]:
        return info.context.load(users_by_id, parent.author_id)

A key that is missing in the mapping becomes None; a value that is an exception is raised where it is awaited; an
exception of the batch function is raised at each of its keys. Keys are hashable; what else a load depends on (a page, a
period) belongs into the key: `load(slots_of, (listing.pk, start, end))`. The batch function itself is the identity of
the loader, so it lives at module level.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Generator, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

if TYPE_CHECKING:
    from schema.core.context import Context

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")
Batch = Callable[["Context", list[Key]], Mapping[Key, Value]]

_WAITING = object()


class Deferred(Generic[Value]):
    """A value that the next dispatch of its loader brings."""

    __slots__ = ("_trace", "_value")

    def __init__(self) -> None:
        self._value: Any = _WAITING
        self._trace: types.TracebackType | None = None

    @property
    def is_settled(self) -> bool:
        return self._value is not _WAITING

    def settle(self, value: Any) -> None:
        """Keeps the value, or the exception that whoever awaits it shall get."""
        self._value = value
        if isinstance(value, Exception):
            self._trace = value.__traceback__

    def __await__(self) -> Generator[None, None, Value]:
        while self._value is _WAITING:
            yield
        return self.value()

    def value(self) -> Value:
        """The value of a settled one. Raises what it was settled with."""
        value = self._value
        if isinstance(value, Exception):
            # Many fields may raise this one object: each gets the place where it went wrong, not the trail of the
            # others.
            raise value.with_traceback(self._trace)
        return cast(Value, value)


def is_deferred(value: Any) -> bool:
    """Whether the executor has to wait for the value: what `async def` or `Context.load` gave."""
    kind = value.__class__
    return kind is types.CoroutineType or kind is Deferred


class StuckError(RuntimeError):
    """A resolver awaited something that no loader delivers, such as a future of an event loop."""


class Scheduler:
    """Owns the loaders of one request and drives its coroutines.

    It is told the context each time: if it held it, nothing of a request would go before a collector of cycles comes.
    """

    __slots__ = ("_known", "_queued")

    def __init__(self) -> None:
        self._known: dict[Any, dict[Any, Deferred[Any]]] = {}
        self._queued: dict[Any, list[Any]] = {}

    def load(self, batch: Batch[Key, Value], key: Key) -> Deferred[Value | None]:
        """The deferred value of a key; the same key is asked for once per request."""
        known = self._known.setdefault(batch, {})
        deferred = known.get(key)
        if deferred is None:
            deferred = known[key] = Deferred()
            self._queued.setdefault(batch, []).append(key)
        return deferred

    def prime(self, batch: Batch[Key, Value], values: Mapping[Key, Value]) -> None:
        """Hands over what another query already read, so that it is not read again."""
        known = self._known.setdefault(batch, {})
        for key, value in values.items():
            if key not in known:
                known[key] = Deferred()
                known[key].settle(value)

    def forget(self) -> None:
        """Drops what was loaded: after a write the next read must see it."""
        self._known.clear()
        self._queued.clear()

    def run(self, awaitable: Awaitable[Value], *, context: Context) -> Value:
        """Drives an awaitable to its end, dispatching the loaders each time everything waits for them.

        Raises what the awaitable raises, and StuckError when it waits for something else.
        """
        coroutine = awaitable if isinstance(awaitable, types.CoroutineType) else _awaited(awaitable)
        try:
            while True:
                try:
                    coroutine.send(None)
                except StopIteration as stop:
                    return cast(Value, stop.value)
                if not self.dispatch(context):
                    raise StuckError("The execution waits for something that no loader delivers.")
        finally:
            coroutine.close()

    def dispatch(self, context: Context) -> bool:
        """Calls each batch function that has new keys, once. Returns whether there was any."""
        queued, self._queued = self._queued, {}
        for batch, keys in queued.items():
            known = self._known[batch]
            try:
                values = batch(context, list(keys))
                found = {key: values.get(key) for key in keys}
            except Exception as error:  # noqa: BLE001, RUF100 - it is raised again at each key
                found = dict.fromkeys(keys, error)
            for key in keys:
                known[key].settle(found[key])
        return bool(queued)


async def _awaited(awaitable: Awaitable[Value]) -> Value:
    return await awaitable


@types.coroutine
def gather(awaitables: Sequence[Awaitable[Any]]) -> Generator[None, None, list[Any]]:
    """Advances all of them as far as they go before it waits, so that their keys share a batch. Keeps the order.

    Raises the first exception there is; the others are closed then.
    """
    running = {
        index: awaitable if isinstance(awaitable, types.CoroutineType) else awaitable.__await__()
        for index, awaitable in enumerate(awaitables)
    }
    results: list[Any] = [None] * len(awaitables)
    try:
        while True:
            for index, iterator in list(running.items()):
                try:
                    iterator.send(None)
                except StopIteration as stop:
                    results[index] = stop.value
                    del running[index]
            if not running:
                return results
            yield
    finally:
        for iterator in running.values():
            iterator.close()
