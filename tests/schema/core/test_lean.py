"""The lean executor answers as graphql-core's does, by its loop and by the functions that it writes: the same data in the same
order, the same errors, the same cost.
"""

import gc
import json
import warnings
from collections.abc import Mapping
from typing import Any

import pytest
from graphql import GraphQLArgument, get_named_type
from hypothesis import HealthCheck, given, settings

from schema.core.engine import Operation
from schema.core.selections import is_supported
from schema.root import schema as whole_schema
from tests.schema.core import sample
from tests.schema.core.ways import all_ways
from tests.schema.generated import VARIABLES, exactly, queries, told

LOOPED, WRITTEN, PLAIN = WAYS = all_ways(sample.schema)


def literals(name: str, argument: GraphQLArgument) -> list[str]:
    """1 has friends, 13 is nobody, 66 fails when it is loaded; the last id is no id."""
    by_name = {
        "pk": ["1", "2", "13", "66"],
        "count": ["0", "3", "14"],
        "id": ['"U2FtcGxlUGVyc29uOjE="', '"U2FtcGxlRG9nOjI="', '"x"'],
        "ids": ['["U2FtcGxlUGVyc29uOjE=", "x", "U2FtcGxlRG9nOjE="]'],
        "key": ["1"],
    }
    by_type = {"DateTime": ['"2026-11-21T09:30:00Z"'], "Date": ['"2026-02-30"', '"2026-02-28"'], "Float": ["1.5"]}
    return by_name.get(name) or by_type.get(get_named_type(argument.type).name, [])


def same(query: str, variables: Mapping[str, Any] | None = None, name: str | None = None) -> str:
    """What all ways answer."""
    operation = Operation(query, variables or {}, name)
    looped, written, plain = (exactly(each.answer(operation, context=sample.make_context())) for each in WAYS)
    assert looped == plain
    assert written == plain
    return plain


@pytest.fixture(autouse=True)
def _no_forgotten_coroutines(recwarn: pytest.WarningsRecorder) -> Any:
    warnings.simplefilter("always")
    yield
    gc.collect()
    assert [str(warning.message) for warning in recwarn if "never awaited" in str(warning.message)] == []


def test_every_type_of_the_schema_is_supported() -> None:
    assert is_supported(whole_schema.graphql_schema)
    assert LOOPED.engine.is_lean
    assert WRITTEN.engine.is_lean
    assert not PLAIN.engine.is_lean


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
@settings(max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(query=queries(sample.schema.graphql_schema, literals, skipped={"stuck"}))
def test_all_answer_made_up_queries_alike(query: str) -> None:
    """But for what waits for nothing that is delivered: how often it is asked again hangs on what else is loaded."""
    looped, written, plain = (
        told(each.answer(Operation(query, VARIABLES), context=sample.make_context())) for each in WAYS
    )
    assert looped == plain
    assert written == plain


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        # Null that reaches up, at once and late, to a place, to an item and to the root.
        ("{ people(count: 14) { name failsBadly } }", None),
        ("{ person(pk: 1) { name friends { failsBadly } partner { needed { failsBadly } } } }", None),
        ("{ person(pk: 1) { someFriends { needed { failsBadly name } } b: someFriends { name } } }", None),
        ("{ people(count: 3) { needed { needed { failsBadly } } } at }", None),
        ("{ named { name __typename ... on SamplePerson { fails } ... on SampleDog { owner { failsBadly } } } }", None),
        # What was selected beside a part that became null.
        ("{ person(pk: 4) { partner { partner { name } failsBadly } someFriends { name } } }", None),
        # Loads that fail alone and together.
        ("{ a: loaded(pk: 66) { name } b: loaded(pk: 1) { name } broken(key: 1) missing badInt }", None),
        # Variables that are missing, bad, and used in conditions.
        ("query ($n: Int!) { people(count: $n) { name } }", {"n": 3}),
        ("query ($n: Int!) { people(count: $n) { name } }", {"n": "three"}),
        ("query ($n: Int!) { people(count: $n) { name } }", {}),
        ("query ($n: Int = 2) { people(count: $n) { name } }", {}),
        ("query ($b: Boolean!) { at @skip(if: $b) people(count: 1) { name @include(if: $b) } }", {"b": True}),
        ("query ($b: Boolean!) { at @skip(if: $b) people(count: 1) { name @include(if: $b) } }", {"b": False}),
        # Fields under one name are merged.
        ("{ person(pk: 1) { partner { name } } person(pk: 1) { partner { __typename } ... P } } "
         "fragment P on SamplePerson { partner { partner { name } } }", None),
        ('{ __schema { queryType { name fields { name } } } __type(name: "Named") { possibleTypes { name } } }', None),
        ("{ account hosting staffing }", None),
        ('{ echo(day: "2026-02-30") at }', None),
        ("query A { at } query B { missing }", None),
    ],
)  # fmt: skip
def test_all_answer_alike(query: str, variables: dict[str, Any] | None) -> None:
    same(query, variables)


def test_one_document_under_both_choices_of_a_condition() -> None:
    query = "query ($b: Boolean!) { people(count: 1) { name @include(if: $b) partner @skip(if: $b) { name } } }"
    for value in (True, False, True):
        answer = same(query, {"b": value})
        assert ("name" in json.loads(answer)[0]["data"]["people"][0]) is value


def test_an_operation_is_chosen_by_its_name() -> None:
    query = "query A { at } query B { people(count: 1) { name } }"
    for name in ("A", "B", "C"):
        same(query, name=name)


def test_mutations_are_done_one_after_the_other_and_alike() -> None:
    save = 'saveThing(input: {title: "%s"}) { saved person { name friends { name } } errors { code field } }'
    query = f"mutation {{ a: {save % 'one'} b: {save % 'crash'} c: {save % 'taken'} d: {save % 'two'} }}"
    contexts = [sample.make_context() for _ in WAYS]
    looped, written, plain = (
        exactly(each.answer(Operation(query), context=context)) for each, context in zip(WAYS, contexts, strict=True)
    )
    assert looped == plain
    assert written == plain
    assert [each.state["saved"] for each in contexts] == [["one", "two"]] * 3


def test_all_end_where_it_gets_more_than_was_to_be_expected() -> None:
    """They count the same objects, in another order: what is beyond the ceiling is not the same."""
    query = "{ people(count: 14) { name friends { name friends { name } } } }"
    for way in WAYS:
        engine = way.engine
        document = engine.document(query, is_open=True)
        way.answer(Operation(query), context=sample.make_context())
        enough = engine.execute(document, Operation(query), context=sample.make_context(), ceiling=100.0)
        assert not enough.result.errors
        for part in (0.0, 0.1, 0.9):
            done = engine.execute(
                document, Operation(query), context=sample.make_context(), ceiling=part * enough.points
            )
            assert {error.extensions["code"] for error in done.result.errors or [] if error.extensions} == {
                "QUERY_TOO_COMPLEX"
            }
            # The object at which it ends is counted, and none after it.
            assert done.points <= part * enough.points + enough.points / 10
