"""Asks an engine that keeps answers beside one that does not, and tells what came of looking."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
import pytest
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from apps.core import versions
from apps.core.db import of_one_moment
from apps.users.models import User
from schema.core import answer_cache, caching
from schema.core.context import Context
from schema.core.engine import Answer, Engine, Operation
from schema.costs import PRICES


@contextmanager
def keeping_answers(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Answers are kept in here, also those that show what a test has in its transaction, which never ends."""
    settings.CACHE_SECONDS = 60
    monkeypatch.setattr(versions, "outage", versions._Outage())
    # What is shown hangs on nothing that others see.
    monkeypatch.setattr(caching, "is_in_transaction", lambda: False)
    monkeypatch.setattr(answer_cache, "_asked", answer_cache._Remembered(1000))
    yield
    settings.CACHE_SECONDS = 0


@cache
def engine(*, keeps: bool) -> Engine:
    from schema.root import schema

    return Engine(schema, prices=PRICES, reading=of_one_moment, keeps=keeps)


def answer(
    query: str,
    variables: dict[str, Any] | None = None,
    *,
    viewer: User | None = None,
    keeps: bool = True,
    now: datetime | None = None,
) -> Answer:
    context = Context(now=now or datetime.now(UTC), user=viewer)
    return engine(keeps=keeps).answer(Operation(query, variables or {}), context=context)


def body(query: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    """The whole answer as a client gets it."""
    return orjson.loads(orjson.dumps(answer(query, variables, **options).body()))


def data(query: str, variables: dict[str, Any] | None = None, **options: Any) -> Any:
    found = body(query, variables, **options)
    assert "errors" not in found, found
    return found["data"]


def is_kept(found: Answer) -> bool:
    """Whether all of it came from what was kept."""
    return isinstance(found.data, orjson.Fragment)


def outcomes(policy: str = "answer") -> Counter[str]:
    """How often looking came to what so far, in this process."""
    return Counter(
        {
            sample.labels["outcome"]: int(sample.value)
            for metric in REGISTRY.collect()
            if metric.name == "holdfast_cache_reads"
            for sample in metric.samples
            if sample.name.endswith("_total") and sample.labels["policy"] == policy
        }
    )
