"""The counters of rate limits: several in one trip to Redis, by the scripts of the library `limits`.

    outcomes = counted(storage, [[Hit(item, "requests", "user:7")], [Hit(points, "reads", "user:7", cost=40, slides=False)]])

The library makes a trip for each count, and one more for what is left of it. Here it writes down what it would send, all of it
goes as one script that calls the library's own, and the library reads the answers. So keys, counts and times are the library's,
and processes that count with it one by one count the same.
"""

from __future__ import annotations

import copy
import functools
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import orjson
from limits import RateLimitItem
from limits.storage import MemoryStorage, RedisStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter, SlidingWindowCounterRateLimiter
from limits.util import WindowStats

SOCKET_SECONDS = 0.5
KEY_PREFIX = "holdfast:limits"
SCRIPTS = ("acquire_moving_window", "moving_window", "acquire_sliding_window", "sliding_window")
# Each step is taken only where nothing of those before was refused. What is left is looked up where it is to be told. It comes and
# goes as JSON: packing and reading dozens of short values takes the client of Redis longer than all the rest.
TEXT = """
local scripts = {%s}
local answers, refused, key = {}, nil, 1
for _, hit in ipairs(cjson.decode(ARGV[1])) do
    local step, keys, acquire, acquiring, look, looking, tells = unpack(hit)
    if refused and step ~= refused then
        break
    end
    local own = {unpack(KEYS, key, key + keys - 1)}
    key = key + keys
    local granted = scripts[acquire](own, acquiring)
    local window = false
    if not granted then
        refused = step
    end
    if tells or not granted then
        window = scripts[look](own, looking) or false
    end
    answers[#answers + 1] = {granted, window}
end
return cjson.encode(answers)
"""

# KEYS: where a hit was counted last. ARGV: what it cost each, and whether each single one is kept.
TAKE_BACK = """
for index, key in ipairs(KEYS) do
    local cost = tonumber(ARGV[2 * index - 1])
    if ARGV[2 * index] == '1' then
        redis.call('LPOP', key, cost)
    elseif tonumber(redis.call('GET', key) or '0') >= cost then
        redis.call('DECRBY', key, cost)
    end
end
"""

Arguments = list[Any]


@dataclass(frozen=True, slots=True)
class Hit:
    """One count, of `cost`. Where it slides, each single one is kept; otherwise the counts of two windows are weighed, which is as
    quick for thousands, and what is left is told when it is granted too.
    """

    item: RateLimitItem
    name: str
    key: str
    cost: int = 1
    slides: bool = True


class Outcome(NamedTuple):
    """Whether a hit was granted; `window` is what is left then, None where that is not told."""

    granted: bool
    window: WindowStats | None


@functools.cache
def shared(url: str) -> RedisStorage:
    """The counts in the Redis at `url`."""
    storage = storage_from_string(
        url.replace("unix://", "redis+unix://", 1) if url.startswith("unix://") else url,
        socket_timeout=SOCKET_SECONDS,
        socket_connect_timeout=SOCKET_SECONDS,
        key_prefix=KEY_PREFIX,
    )
    return cast(RedisStorage, storage)


@functools.cache
def local() -> MemoryStorage:
    """The counts of this process."""
    return MemoryStorage()


def counted(storage: RedisStorage, steps: Sequence[Sequence[Hit]]) -> list[list[Outcome]]:
    """All hits of a step are counted, even beside one that is refused; later steps are not taken then and have no outcome.

    All of it happens at one moment. Raises what the client of Redis raises.
    """
    library = _library(storage)
    keys: Arguments = []
    hits: Arguments = []
    for number, step in enumerate(steps):
        for hit in step:
            (acquire, own, acquiring), (look, _, looking) = library.asked(hit)
            keys += own
            hits.append((number, len(own), acquire, acquiring, look, looking, not hit.slides))
    answers = iter(orjson.loads(_script(storage)(keys, [orjson.dumps(hits)])))
    outcomes = []
    for step in steps:
        outcomes.append([library.read(hit, next(answers)) for hit in step])
        if not all(outcome.granted for outcome in outcomes[-1]):
            break
    return outcomes


def take_back(storage: RedisStorage, hits: Sequence[Hit]) -> None:
    """Uncount hits that were granted a moment ago. Raises what the client of Redis raises."""
    library = _library(storage)
    keys: Arguments = []
    arguments: Arguments = []
    for hit in hits:
        (_, own, _), _ = library.asked(hit)
        # The window that runs comes behind the one before.
        keys.append(own[-1])
        arguments += [hit.cost, int(hit.slides)]
    _taking_back(storage)(keys, arguments)


def counted_one_by_one(storage: RedisStorage | MemoryStorage, steps: Sequence[Sequence[Hit]]) -> list[list[Outcome]]:
    """The same with the library alone: a trip for each."""
    outcomes = []
    for step in steps:
        outcomes.append([_counted(storage, hit) for hit in step])
        if not all(outcome.granted for outcome in outcomes[-1]):
            break
    return outcomes


def _counted(storage: RedisStorage | MemoryStorage, hit: Hit) -> Outcome:
    limiter = MovingWindowRateLimiter(storage) if hit.slides else SlidingWindowCounterRateLimiter(storage)
    granted = limiter.hit(hit.item, hit.name, hit.key, cost=hit.cost)
    is_told = not (granted and hit.slides)
    return Outcome(granted, limiter.get_window_stats(hit.item, hit.name, hit.key) if is_told else None)


class _Call(NamedTuple):
    """What the library would send: the number of the script, from 1, and what it takes."""

    script: int
    keys: Arguments
    arguments: Arguments


class _Library(threading.local):
    """The library's own strategies on a storage that sends nothing, once for each thread."""

    def __init__(self, storage: RedisStorage) -> None:
        self._calls: list[_Call] = []
        self._answer: Any = None
        asking = _with_scripts(storage, [self._writing_down(number) for number in range(1, len(SCRIPTS) + 1)])
        reading = _with_scripts(storage, [lambda _keys, _arguments: self._answer] * len(SCRIPTS))
        self._asking = SlidingWindowCounterRateLimiter(asking), MovingWindowRateLimiter(asking)
        self._reading = SlidingWindowCounterRateLimiter(reading), MovingWindowRateLimiter(reading)

    def asked(self, hit: Hit) -> list[_Call]:
        """What the library sends to count, and then to look at what is left."""
        self._calls = []
        limiter = self._asking[hit.slides]
        limiter.hit(hit.item, hit.name, hit.key, cost=hit.cost)
        limiter.get_window_stats(hit.item, hit.name, hit.key)
        return self._calls

    def read(self, hit: Hit, answer: tuple[bool, Any]) -> Outcome:
        """What the library makes of the answers to both."""
        granted, self._answer = answer
        if granted and hit.slides:
            return Outcome(True, None)
        window = self._reading[hit.slides].get_window_stats(hit.item, hit.name, hit.key)
        if not hit.slides and window.remaining < hit.item.amount and window.reset_time <= time.time():
            # Within a script no time passes, and the library takes a window that has just begun for one that has just ended.
            window = WindowStats(time.time() + hit.item.get_expiry(), window.remaining)
        return Outcome(granted, window)

    def _writing_down(self, number: int) -> Callable[[Arguments, Arguments], None]:
        return lambda keys, arguments: self._calls.append(_Call(number, keys, arguments))


@functools.cache
def _library(storage: RedisStorage) -> _Library:
    return _Library(storage)


def _with_scripts(storage: RedisStorage, scripts: Sequence[Callable[[Arguments, Arguments], Any]]) -> RedisStorage:
    """The storage with something else in the place of its scripts."""
    other = copy.copy(storage)
    for name, script in zip(SCRIPTS, scripts, strict=True):
        setattr(other, f"lua_{name}", script)
    return other


@functools.cache
def _taking_back(storage: RedisStorage) -> Callable[[Arguments, Arguments], object]:
    return cast(Callable[[Arguments, Arguments], object], storage.get_connection().register_script(TAKE_BACK.encode()))


@functools.cache
def _script(storage: RedisStorage) -> Callable[[Arguments, Arguments], bytes]:
    texts = [getattr(storage, f"SCRIPT_{name.upper()}").decode() for name in SCRIPTS]
    functions = ",\n".join(f"function(KEYS, ARGV)\n{text}\nend" for text in texts)
    return cast(
        Callable[[Arguments, Arguments], bytes], storage.get_connection().register_script((TEXT % functions).encode())
    )
