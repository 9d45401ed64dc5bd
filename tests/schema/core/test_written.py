"""Written functions, driven through every kind of field with every kind of value and trouble: they answer as the loop does, and as
graphql-core.
"""

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal as Number
from enum import StrEnum
from types import SimpleNamespace
from typing import Any

import graphene
import pytest
from django.core.exceptions import ObjectDoesNotExist
from graphql import GraphQLObjectType, get_operation_ast

from schema.core import selections
from schema.core.context import Context
from schema.core.default_resolvers import attribute_or_item, from_object
from schema.core.engine import Engine, Operation
from schema.core.permissions import RootField, anyone
from schema.core.scalars import JSON, BigInt, Date, DateTime, Decimal, Time
from schema.core.selections import Selection
from schema.core.written import Writer, ignores_info, written
from tests.schema.core.sample import NOW
from tests.schema.core.ways import Way, all_ways, written_after


class Text(str):
    """No str itself."""


class OnlyIterable:
    def __iter__(self) -> Iterator[Any]:
        yield Thing("text")

    def __repr__(self) -> str:
        return "iterable"


class Shade(StrEnum):
    DARK = "DARK"


def loaded(_context: Context, keys: list[Any]) -> dict[Any, Any]:
    return {key: VALUES[key]() for key in keys if key != "late nothing"}


async def _awaited(info: Any, key: str) -> Any:
    return await info.context.load(loaded, key)


def _late(key: str) -> Callable[[Any], Any]:
    return lambda info: info.context.load(loaded, key)


def _awaiting(key: str) -> Callable[[Any], Any]:
    return lambda info: _awaited(info, key)


def _raising(error: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


# What a field may have, made anew each time.
VALUES: dict[str, Callable[[], Any]] = {
    "text": lambda: "DARK",
    "no name": lambda: "pale",
    "text of a class": lambda: Text("DARK"),
    "member": lambda: Shade.DARK,
    "number": lambda: 7,
    "true": lambda: True,
    "large": lambda: 2**31,
    "larger": lambda: 2**53,
    "fraction": lambda: 1.5,
    "whole fraction": lambda: 2.0,
    "infinity": lambda: float("inf"),
    "no number": lambda: float("nan"),
    "decimal": lambda: Number("2.50"),
    "endless decimal": lambda: Number("NaN"),
    "instant": lambda: NOW,
    "instant elsewhere": lambda: NOW.astimezone(timezone(timedelta(hours=2))),
    "naive": lambda: datetime(2026, 1, 2, 3, 4),
    "day": lambda: date(2026, 1, 2),
    "null": lambda: None,
    "error": lambda: ValueError("secret of a value"),
    "raises": _raising(ValueError("secret of a field")),
    "lacks": _raising(AttributeError("secret of a property")),
    "is gone": _raising(ObjectDoesNotExist()),
    "thing": lambda: Thing("text"),
    "item": lambda: {"mark": "in a dict", "value": "DARK", "inner": None},
    "list": lambda: [Thing("text"), Thing("null"), Thing("text")],
    "list with null": lambda: [Thing("text"), None],
    "list with an error": lambda: [Thing("text"), ValueError("secret of an item"), Thing("text")],
    "iterable": lambda: OnlyIterable(),
    "tuple": lambda: (Thing("text"), Thing("raises")),
    "texts": lambda: ["DARK", "DARK"],
}


class Thing:
    """Has a value, or trouble."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.mark = f"<{kind}>"

    def __repr__(self) -> str:
        return self.mark

    @property
    def value(self) -> Any:
        return VALUES[self.kind]()

    @property
    def inner(self) -> Any:
        return Thing("raises")


class Marked(graphene.Interface):
    """Has a mark."""

    mark = graphene.String(description="A mark.")

    @classmethod
    def resolve_type(cls, instance: Any, info: Any) -> Any:
        if isinstance(instance, Thing) and instance.kind == "raises":
            raise ValueError("secret of a type")
        return Inner if isinstance(instance, Thing | dict) else None


class Inner(graphene.ObjectType):
    """Lies below."""

    class Meta:
        interfaces = (Marked,)

    value = graphene.String(description="May be null.")
    inner = graphene.Field(lambda: Inner, required=True, description="Must be there.")
    mark = graphene.String(required=True, description="A mark.")


Choice = graphene.Enum.from_enum(Shade, name="Shade", description=lambda _value: "A shade.")
LEAVES = [graphene.String, graphene.ID, graphene.Boolean, graphene.Int, graphene.Float]
LEAVES += [BigInt, Decimal, DateTime, Date, Time, JSON]
TYPES: dict[str, Any] = {kind.__name__.lower(): kind for kind in LEAVES} | {
    "choice": Choice,
    "object": Inner,
    "marked": Marked,
    "texts": graphene.List(graphene.String),
    "sure_texts": graphene.List(graphene.NonNull(graphene.String)),
    "objects": graphene.List(Inner),
    "sure_objects": graphene.List(graphene.NonNull(Inner)),
    "all_marked": graphene.List(Marked),
    "nested": graphene.List(graphene.List(Inner)),
}
# How a field gets what it has: it reads an attribute, or calls one of these.
READS: dict[str, Any] = {
    "read": None,
    "called": lambda thing, info: thing.value,
    "told": lambda thing, info: thing.value if info.field_name else None,
    "asked": lambda thing, info, times: thing.value,
    "late": lambda thing, info: _late(thing.kind)(info),
    "awaited": lambda thing, info: _awaiting(thing.kind)(info),
    "alone": from_object(lambda _name: lambda thing: thing.value)(lambda thing, info: thing.value),
}


def _fields() -> Iterator[tuple[str, Any]]:
    for name, kind in TYPES.items():
        for way, resolve in READS.items():
            for is_sure in (False, True):
                options: dict[str, Any] = {"resolver": resolve} if resolve else {"name": f"{name}_{way}_{is_sure}"}
                if way == "asked":
                    options["times"] = graphene.Int(default_value=1, description="How often.")
                field = graphene.Field(kind, required=is_sure, description="A field.", **options)
                yield f"{name}_{way}_{is_sure}", field


Anything: Any = type(
    "Anything",
    (graphene.ObjectType,),
    {"__doc__": "Has every kind of field.", "mark": graphene.String(description="A mark."), **dict(_fields())},
)


class Items(dict[str, Any]):
    """A dict whose attributes are not what is shown."""

    value = "an attribute"


ITEM, SUBITEM = ({"mark": "a dict", "value": "DARK"}, Items(mark="a dict", value="DARK"))


class Query(graphene.ObjectType):
    """Reads."""

    things = RootField(
        graphene.List(Anything), kind=graphene.String(required=True), permission=anyone, description="Some."
    )
    sure_things = RootField(
        graphene.List(graphene.NonNull(Anything)),
        kind=graphene.String(required=True),
        permission=anyone,
        description="Some.",
    )

    def resolve_things(root: None, info: Any, kind: str) -> Any:
        sources = {"lacking": [SimpleNamespace(mark="lacking"), Thing("null")], "dicts": [ITEM, SUBITEM, {}]}
        return sources.get(kind) or [Thing(kind), Thing("null")]

    resolve_sure_things = resolve_things


def _schema() -> graphene.Schema:
    schema = graphene.Schema(query=Query, types=[Inner], auto_camelcase=False)
    parent = schema.graphql_schema.get_type("Anything")
    assert isinstance(parent, GraphQLObjectType)
    # graphene reads an attribute of the field's own name; all of these read one.
    for name, field in parent.fields.items():
        if "_read_" in name:
            field.resolve = functools.partial(attribute_or_item, "value", None)
    return schema


SCHEMA = _schema()
WAYS = all_ways(SCHEMA)


def _below(name: str) -> str:
    is_leaf = name in {kind.__name__.lower() for kind in LEAVES} | {"choice", "texts", "sure_texts"}
    return (
        "" if is_leaf else "{ mark value: __typename }" if "marked" in name else "{ mark value inner { mark value } }"
    )


def told(way: Way, query: str, variables: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]], float]:
    """What executing gives: the data in their order, the places of the errors with what they say, and what it cost."""
    engine = way.engine
    with written_after(way.after):
        document = engine.document(query, is_open=True)
        done = engine.execute(document, Operation(query, variables), context=Context(now=NOW))
    errors = sorted((str(each.path), each.message) for each in done.result.errors or [])
    return json.dumps(done.result.data, default=repr), errors, round(done.points, 6)


def same(query: str, variables: Mapping[str, Any]) -> None:
    """All ways tell the same. What a bug says graphql-core says in its own words, and no client is told."""
    looped, by_function, plain = (told(each, query, variables) for each in WAYS)
    assert by_function == looped, variables
    assert looped[0] == plain[0], variables
    assert [path for path, _ in looped[1]] == [path for path, _ in plain[1]], variables
    assert looped[2] == plain[2], variables


@pytest.mark.parametrize("name", TYPES)
def test_every_kind_of_field_shows_every_kind_of_value_alike(name: str) -> None:
    below = _below(name)
    parts = [
        f"{way}_{is_sure}: {'sure_things' if is_sure else 'things'}(kind: $kind) "
        f"{{ before: mark {name}_{way}_{is_sure} {below} after: mark }}"
        for way in READS
        for is_sure in (False, True)
    ]
    query = f"query ($kind: String!) {{ {' '.join(parts)} }}"
    for kind in VALUES:
        same(query, {"kind": kind})


@pytest.mark.parametrize("kind", ["lacking", "dicts"])
def test_what_lacks_an_attribute_and_what_has_items_are_shown_alike(kind: str) -> None:
    for name in TYPES:
        for is_sure in (False, True):
            parts = f"before: mark {name}_read_{is_sure} {_below(name)} after: mark"
            same(f"query ($kind: String!) {{ things(kind: $kind) {{ {parts} }} }}", {"kind": kind})


@pytest.mark.parametrize("given", [{}, {"times": None}, {"times": 3}])
def test_arguments_that_cannot_be_read_are_told_of_their_own_field(given: dict[str, Any]) -> None:
    """No variable has a value of the wrong type; one that is left out or null may still be none for the argument."""
    query = (
        "query ($times: Int = 2, $kind: String!) { things(kind: $kind) "
        "{ mark string_asked_False(times: $times) a: string_asked_False(times: 5) string_read_False } }"
    )
    same(query, {"kind": "text", **given})


def test_it_ends_at_the_same_object_as_the_loop() -> None:
    query = '{ things(kind: "list") { objects_read_False { mark inner { mark } } object_late_False { mark } } }'
    looped, by_function = WAYS[:2]
    whole = told(looped, query, {})[2]
    ends = set()
    for part in range(11):
        answers = []
        for way in (looped, by_function):
            with written_after(way.after):
                document = way.engine.document(query, is_open=True)
                done = way.engine.execute(
                    document, Operation(query), context=Context(now=NOW), ceiling=whole * part / 10
                )
            answers.append((done.result.data, [str(each) for each in done.result.errors or []], done.points))
        assert answers[0] == answers[1]
        ends.add(answers[0][2])
    assert len(ends) > 3


def selection_of(engine: Engine, query: str) -> Selection:
    document = engine.document(query, is_open=True)
    node = get_operation_ast(document.ast)
    assert node is not None
    return document.operations.selected(SCHEMA.graphql_schema, node, variables={}, prices=engine.prices).root


def test_a_function_is_written_once_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, query = Engine(SCHEMA), '{ things(kind: "text") { mark } }'
    below = selection_of(engine, query).fields[0].below(SCHEMA.graphql_schema.get_type("Anything"))
    monkeypatch.setattr(selections, "WRITTEN_AFTER", 6)
    for time in range(5):
        engine.answer(Operation(query), context=Context(now=NOW))
        assert (getattr(below.show, "__name__", "") == "show") is (time >= 3)


def test_an_operation_has_room_for_so_many_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selections, "MOST_WRITTEN", 4)
    parts = "a: mark b: mark object_read_False { c: mark d: mark }"
    query = f'{{ things(kind: "thing") {{ {parts} }} more: sure_things(kind: "text") {{ mark }} }}'
    way = Way(SCHEMA, is_written=True)
    assert told(way, query, {}) == told(WAYS[2], query, {})
    root = selection_of(way.engine, query)
    kind = SCHEMA.graphql_schema.get_type("Anything")
    written_ = [each.show.__name__ == "show" for each in (root, *(field.below(kind) for field in root.fields))]
    assert written_ == [True, False, True]


def test_no_word_of_a_client_is_written() -> None:
    query = '{ evil_alias: things(kind: "evil literal") { evil_below: mark string_asked_False(times: 666) } }'
    root = selection_of(Engine(SCHEMA), query)
    below = root.fields[0].below(SCHEMA.graphql_schema.get_type("Anything"))
    for selection in (root, below):
        source = Writer(selection).source()
        assert "evil" not in source
        assert "666" not in source


def test_what_a_resolver_looks_at() -> None:
    def inside(thing: Any, info: Any) -> Any:
        return [info for _ in range(2)]

    assert ignores_info(lambda thing, info: thing.value)
    assert ignores_info(lambda thing, info, unit: thing)
    assert not ignores_info(lambda thing, info: info)
    assert not ignores_info(lambda thing, context: (thing, context))
    assert not ignores_info(inside)
    assert not ignores_info(lambda thing, *rest: thing)
    assert not ignores_info(functools.partial(lambda thing, info: thing))


@pytest.mark.parametrize("parse", ["FIELD", "class"])
def test_a_name_that_is_no_identifier_is_read_too(parse: str) -> None:
    """Such names exist where a schema was not made of Python's classes."""
    root = selection_of(Engine(SCHEMA), '{ things(kind: "text") { mark } }')
    below = root.fields[0].below(SCHEMA.graphql_schema.get_type("Anything"))
    field = below.fields[0]
    field.attribute = parse
    lean: Any = SimpleNamespace(spent=0.0, look_at=1.0)
    assert written(below)(lean, SimpleNamespace(**{parse: "found"}), None) == {"mark": "found"}
