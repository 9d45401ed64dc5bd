"""Faults on demand: late, doubled, overtaken and lost webhooks; time-outs, 500s and 429s."""

from __future__ import annotations

import math
import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sandbox.stripe.errors import ApiError

Json = dict[str, Any]

LONGEST_SECONDS = 3_600.0

_PROBABILITY = "probability"
_SECONDS = "seconds"
_SWITCH = "switch"
_FIELDS: dict[str, dict[str, tuple[str, Any]]] = {
    "webhooks": {
        "delay": (_SECONDS, 0.0),
        "duplicate": (_PROBABILITY, 0.0),
        "reorder": (_PROBABILITY, 0.0),
        "reorder_seconds": (_SECONDS, 1.0),
        "drop": (_PROBABILITY, 0.0),
        "bad_signature": (_PROBABILITY, 0.0),
    },
    "requests": {
        "timeout_after_success": (_PROBABILITY, 0.0),
        "hang_seconds": (_SECONDS, 2.0),
        "error_500": (_PROBABILITY, 0.0),
        "error_500_after_success": (_PROBABILITY, 0.0),
        "error_429": (_PROBABILITY, 0.0),
        "reads": (_SWITCH, False),
    },
}


@dataclass(frozen=True)
class Delivery:
    """One delivery of an event: seconds to wait, and whether its first attempt is wrongly signed."""

    wait: float
    bad_signature: bool


@dataclass(frozen=True)
class RequestFaults:
    """What befalls one request. `hang` is seconds without an answer, after the work was done."""

    error_429: bool = False
    error_500: bool = False
    error_500_after_success: bool = False
    hang: float | None = None


@dataclass
class _Plan:
    settings: dict[str, dict[str, Any]]
    seed: int | None
    webhooks: random.Random = field(init=False)
    requests: random.Random = field(init=False)

    def __post_init__(self) -> None:
        # Two streams, so that the number of requests does not decide the fate of webhooks.
        self.webhooks = random.Random(None if self.seed is None else f"webhooks {self.seed}")
        self.requests = random.Random(None if self.seed is None else f"requests {self.seed}")


class Faults:
    """
    The faults of each account, in memory only: a restart clears them.

    With a seed the same sequence of events and of requests meets the same faults.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._plans: dict[str, _Plan] = {}
        self._struck: dict[str, Counter[str]] = {}

    def set(self, account: str, given: Any) -> Json:
        """Replaces the account's faults and answers them complete; raises ApiError 400 naming a wrong field."""
        settings, seed = read(given)
        with self._lock:
            self._plans[account] = _Plan(settings, seed)
        return self.show(account)

    def clear(self, account: str) -> None:
        """Ends the account's faults."""
        with self._lock:
            self._plans.pop(account, None)

    def show(self, account: str) -> Json:
        """The account's faults, with every field."""
        with self._lock:
            plan = self._plans.get(account)
        settings, seed = (plan.settings, plan.seed) if plan else (defaults(), None)
        return {**{section: dict(values) for section, values in settings.items()}, "seed": seed}

    def struck(self, account: str) -> Json:
        """How often each fault has befallen the account since the start, whatever its faults are now."""
        with self._lock:
            return dict(self._struck.get(account, {}))

    def _count(self, account: str, **happened: bool) -> None:
        self._struck.setdefault(account, Counter()).update(name for name, is_so in happened.items() if is_so)

    def deliveries(self, account: str) -> list[Delivery]:
        """How the account's next event is delivered: not at all, once, or twice."""
        with self._lock:
            plan = self._plans.get(account)
            if plan is None:
                return [Delivery(0.0, bad_signature=False)]
            chances = plan.settings["webhooks"]
            # Always four draws, so that one setting does not shift what the others meet.
            drop, duplicate, reorder, bad = (
                plan.webhooks.random() < chances[name] for name in ("drop", "duplicate", "reorder", "bad_signature")
            )
            self._count(account, drop=drop, duplicate=duplicate, reorder=reorder, bad_signature=bad)
            if drop:
                return []
            wait = chances["delay"] + (chances["reorder_seconds"] if reorder else 0.0)
            first = Delivery(wait, bad_signature=bad)
            return [first, Delivery(wait, bad_signature=False)] if duplicate else [first]

    def request(self, account: str, *, writes: bool) -> RequestFaults:
        """What befalls the account's next request; only writes are met, unless `reads` is on."""
        with self._lock:
            plan = self._plans.get(account)
            if plan is None or not (writes or plan.settings["requests"]["reads"]):
                return RequestFaults()
            chances = plan.settings["requests"]
            refused, failed, failed_late, hangs = (
                plan.requests.random() < chances[name]
                for name in ("error_429", "error_500", "error_500_after_success", "timeout_after_success")
            )
            # One request meets one of them, the first.
            self._count(
                account,
                error_429=refused,
                error_500=failed and not refused,
                error_500_after_success=failed_late and not (refused or failed),
                timeout_after_success=hangs and not (refused or failed or failed_late),
            )
            return RequestFaults(refused, failed, failed_late, chances["hang_seconds"] if hangs else None)


def defaults() -> dict[str, dict[str, Any]]:
    """Every field at its harmless value."""
    return {section: {name: value for name, (_, value) in fields.items()} for section, fields in _FIELDS.items()}


def read(given: Any) -> tuple[dict[str, dict[str, Any]], int | None]:
    """The settings, complete, and the seed; raises ApiError 400 naming the first wrong field."""
    if not isinstance(given, dict):
        raise _wrong("", "must be a JSON object")
    settings = defaults()
    seed = given.get("seed")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or abs(seed) >= 2**63):
        raise _wrong("seed", "must be a whole number")
    for section, values in given.items():
        if section == "seed":
            continue
        if section not in _FIELDS:
            raise _wrong(str(section), "is not known")
        if not isinstance(values, dict):
            raise _wrong(section, "must be a JSON object")
        for name, value in values.items():
            label = f"{section}.{name}"
            if name not in _FIELDS[section]:
                raise _wrong(label, "is not known")
            settings[section][name] = _read_field(_FIELDS[section][name][0], value, label)
    return settings, seed


def _read_field(sort: str, value: Any, label: str) -> Any:
    if sort == _SWITCH:
        if not isinstance(value, bool):
            raise _wrong(label, "must be true or false")
        return value
    highest = 1.0 if sort == _PROBABILITY else LONGEST_SECONDS
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _wrong(label, f"must be a number from 0 to {highest:g}")
    if not 0 <= value <= highest:
        raise _wrong(label, f"must be from 0 to {highest:g}")
    return float(value)


def _wrong(label: str, why: str) -> ApiError:
    return ApiError(400, f"{label[:100] or 'The body'} {why}.", param=label[:100], began=False)
