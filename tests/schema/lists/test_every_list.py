"""No list of the schema is N+1: what it costs in statements does not grow with the rows, of its owners and of its own."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from graphql import GraphQLObjectType
from pytest_django.fixtures import Settings

from schema.core.complexity import Limits
from schema.core.context import Context
from schema.core.engine import Engine, Operation
from schema.core.loaders import Scheduler
from schema.root import schema
from tests.schema.lists.growing import CALLERS, make_many
from tests.schema.lists.walk import ListField, is_list, list_fields, query_for

pytestmark = pytest.mark.django_db

FEW, MORE = 2, 6
HUGE = 10**9
GRAPH = schema.graphql_schema
LISTS = list_fields(GRAPH)
QUERIES = {wanted: query_for(GRAPH, wanted) for wanted in LISTS}
# Lists whose length is not a matter of rows, with the longest of each in this world.
SHORT = {
    "Booking.lines": 1, "Booking.history": 2, "Quote.lines": 1, "Quote.errors": 0, "HostStats.revenue": 0,
    "Event.availability": 0, "Property.availability": 1, "Service.availability": 1, "ParkingSpot.availability": 1,
}  # fmt: skip
# Lists that are as long in a small world.
FIXED = {"Service.openingHours", "Viewer.notificationPreferences"}
# Of these a caller has one.
SINGLE = {"Query", "Viewer", "HostStats"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    engine = Engine(schema, limits=Limits(**dict.fromkeys(Limits.__dataclass_fields__, HUGE)))
    # The texts are long: each is validated once.
    engine._documents.longest_kept = HUGE
    return engine


@pytest.fixture(autouse=True)
def _alone(settings: Settings, tmp_path: Any) -> None:
    settings.RATE_LIMITS_ENABLED = False
    settings.MEDIA_ROOT = tmp_path


@dataclass
class Counted:
    """The statements by list and caller; of each list the most owners that have one in an answer, and its longest."""

    statements: dict[tuple[str, str], int] = field(default_factory=dict)
    owners: dict[str, int] = field(default_factory=dict)
    longest: dict[str, int] = field(default_factory=dict)

    def grown_from(self, fewer: Counted) -> dict[tuple[str, str], tuple[int, int]]:
        """Where more is needed than there was."""
        return {
            key: (fewer.statements[key], now) for key, now in self.statements.items() if now > fewer.statements[key]
        }


def count(
    engine: Engine, number: int, *, only: Container[str] | None = None, callers: Sequence[str] = CALLERS
) -> Counted:
    """Read every list, or those alone, as every caller in a world of that size. Nothing of the world stays."""
    point = transaction.savepoint()
    world, counted = make_many(number), Counted()
    for wanted, query in QUERIES.items():
        name = str(wanted)
        if only is not None and name not in only:
            continue
        counted.owners[name] = counted.longest[name] = 0
        operation = Operation(query, world.variables(first_type(wanted)))
        for caller in callers:
            context = world.context(caller)
            with CaptureQueriesContext(connection) as captured:
                answer = engine.answer(operation, context=context)
            codes = {error["extensions"]["code"] for error in answer.errors}
            assert codes <= {"FORBIDDEN", "UNAUTHENTICATED"}, (name, caller, answer.errors)
            counted.statements[name, caller] = len(captured)
            lengths = [len(rows) for rows in found(answer.data, f"{wanted.owner}_{wanted.name}")]
            counted.owners[name] = max(counted.owners[name], len(lengths))
            counted.longest[name] = max(counted.longest[name], *lengths, 0)
    transaction.savepoint_rollback(point)
    return counted


def first_type(wanted: ListField) -> str | None:
    """The type of the objects that are asked for by their ids."""
    if not wanted.way:
        return None
    return wanted.way[1][0] if len(wanted.way) > 1 else wanted.owner


def found(value: Any, key: str) -> Iterator[list[Any]]:
    """Each list of this name on the way down, not within itself."""
    if isinstance(value, list):
        for each in value:
            yield from found(each, key)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name == key:
                if each is not None:
                    yield each["edges"] if isinstance(each, dict) else each
            else:
                yield from found(each, key)


def test_no_list_costs_more_statements_with_more_rows(engine: Engine) -> None:
    few, more = count(engine, FEW), count(engine, MORE)
    assert more.grown_from(few) == {}
    # It says something only where there was more to read: of the owners as well as in each list.
    lonely = {name for name, owners in more.owners.items() if owners < MORE}
    assert {name for name in lonely if name.partition(".")[0] not in SINGLE} == set()
    assert {name: longest for name, longest in more.longest.items() if longest < MORE} == SHORT
    assert {name for name, longest in few.longest.items() if longest == more.longest[name]} == set(SHORT) | FIXED


def test_the_walk_sees_what_is_read_one_by_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def dispatch(scheduler: Scheduler, context: Context) -> bool:
        queued, scheduler._queued = scheduler._queued, {}
        for batch, keys in queued.items():
            for key in keys:
                scheduler._known[batch][key].settle(batch(context, [key]).get(key))
        return bool(queued)

    lists = {
        "Property.images", "Service.reviews", "Quote.lines", "Viewer.hostedBookings", "User.listings",
        "WebhookEndpoint.deliveries",
    }  # fmt: skip
    monkeypatch.setattr(Scheduler, "dispatch", dispatch)
    few, more = (count(engine, number, only=lists, callers=["host"]) for number in (1, 2))
    assert {name for name, _ in more.grown_from(few)} == lists


def test_every_list_is_walked() -> None:
    """One whose way nobody knows would be passed over in silence."""
    lists = {
        f"{name}.{field_name}"
        for name, type_ in GRAPH.type_map.items()
        if isinstance(type_, GraphQLObjectType) and not name.startswith("__")
        for field_name, each in type_.fields.items()
        if is_list(each) and field_name != "edges" and not name.endswith("Payload")
    }
    assert {f"{name}" for name in lists} == {str(wanted) for wanted in LISTS}
