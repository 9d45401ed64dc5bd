"""What metrics, logs and ids are called: from bounded sets, whatever clients send."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse
from prometheus_client import REGISTRY
from pytest_django.fixtures import Settings

from apps.core import correlation
from apps.core.correlation import Work, working_on
from booking.watching.logs import JsonFormatter, LineFormatter, redacted
from schema.core.context import Context
from schema.core.engine import Answer, Engine, Operation
from schema.core.watching import known_names, name_of, watch
from schema.root import schema


def node(text: str) -> OperationDefinitionNode:
    found = parse(text).definitions[0]
    assert isinstance(found, OperationDefinitionNode)
    return found


@pytest.fixture
def names(settings: Settings) -> Iterator[Settings]:
    known_names.cache_clear()
    yield settings
    known_names.cache_clear()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{ listings { totalCount } }", "listings"),
        ("query Mine { me { id } }", "me"),
        ("query Known { me { id } }", "Known"),
        ("query Registered { me { id } }", "Registered"),
        ("{ a: me { id } b: me { email } }", "me"),
        ("{ me { id } listings { totalCount } }", "several"),
        ("{ ... on Query { me { id } } }", "several"),
        ("mutation M { bookEvent(input: {}) { errors { code } } }", "bookEvent"),
    ],
)
def test_an_operation_is_called_by_what_is_known(text: str, name: str, names: Settings) -> None:
    names.METRICS_OPERATIONS = ("Known",)
    names.REGISTERED_OPERATIONS = {"1": "query Registered { me { id } }", "2": "not GraphQL"}
    assert name_of(node(text)) == name


def operations() -> set[str]:
    return {
        sample.labels["operation"]
        for family in REGISTRY.collect()
        if family.name == "holdfast_operations"
        for sample in family.samples
    }


def new_context() -> Context:
    return Context(now=datetime(2030, 1, 1, tzinfo=UTC))


def test_a_client_cannot_make_names(names: Settings) -> None:
    engine = Engine(schema, watch=watch)
    engine.answer(Operation(query="{ __typename }"), context=new_context())
    engine.answer(Operation(query="{ broken"), context=new_context())
    before = operations()
    for number in range(50):
        engine.answer(Operation(query=f"query Made{number} {{ a{number}: __typename }}"), context=new_context())
        engine.answer(
            Operation(query=f"query Made{number} {{ made{number} }}", name=f"Made{number}"), context=new_context()
        )
    assert operations() == before
    assert {"__typename", "refused"} <= before


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0


def test_an_answer_is_counted_once_with_what_went_wrong() -> None:
    context = new_context()
    context.operation, context.points = "listings", 7
    errors = [{"message": "", "extensions": {"code": "INTERNAL"}}]
    before = [
        counted("holdfast_operations_total", operation="listings", outcome="failed"),
        counted("holdfast_operation_points_total", operation="listings"),
        counted("holdfast_request_errors_total", code="INTERNAL"),
        counted("holdfast_operation_seconds_count", operation="listings"),
        counted("holdfast_operation_statements_total", operation="listings"),
    ]

    def carry_out(operation: Operation, context: Context) -> Answer:
        present = correlation.current()
        assert present is not None
        present.statements += 3
        return Answer(None, errors, {}, executed=True)

    watch(carry_out, Operation(query=""), context)
    assert correlation.current() is None
    after = [
        counted("holdfast_operations_total", operation="listings", outcome="failed"),
        counted("holdfast_operation_points_total", operation="listings"),
        counted("holdfast_request_errors_total", code="INTERNAL"),
        counted("holdfast_operation_seconds_count", operation="listings"),
        counted("holdfast_operation_statements_total", operation="listings"),
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [1, 7, 1, 1, 3]


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with space", "line\nbreak", "<script>", "ünïcode-id"])
def test_a_name_that_is_not_sane_is_replaced(given: str) -> None:
    made = correlation.sane_id(given)
    assert made != given
    assert correlation.SANE.fullmatch(made)


def test_a_sane_name_is_kept() -> None:
    assert correlation.sane_id("order-4711.a_B") == "order-4711.a_B"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("to ada.b+c@mail.example.com now", "to [email] now"),
        ("Authorization: Bearer eyJh.eyJi.c", "Authorization: Bearer [token]"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
        ("the token eyJhbGciOi.eyJzdWIi.c-_1 came", "the token [token] came"),
        ("sk_test_holdfast and whsec_abc", "[key] and [key]"),
        ("pi_1_secret_xyz", "[key]"),
        ("postgresql://booker:hunter2@db:5432/x", "postgresql://[hidden]@db:5432/x"),
        (f"/calendars/{'0af7' * 16}.ics", "/calendars/[secret].ics"),
        (
            "duplicate key\nDETAIL:  Failing row contains (1, Ada\nLovelace, x).\n\nThe above exception",
            "duplicate key\nDETAIL: [hidden]\n\nThe above exception",
        ),
        ("DETAIL:  Key (name)=(Ada) already exists.", "DETAIL: [hidden]"),
        ("booking 7 is CONFIRMED", "booking 7 is CONFIRMED"),
    ],
)
def test_what_is_personal_or_secret_is_taken_out(text: str, left: str) -> None:
    assert redacted(text) == left


def record(message: str, *arguments: Any, fails: bool = False) -> logging.LogRecord:
    info = None
    if fails:
        try:
            raise ValueError("ada@example.com is wrong")
        except ValueError as error:
            info = (type(error), error, error.__traceback__)
    return logging.LogRecord("apps.x", logging.ERROR, __file__, 1, message, arguments, info)


def test_a_line_of_json_holds_the_ids_and_the_trace() -> None:
    with working_on(Work(request_id="order-4711", operation="me")) as trip:
        trip.user_id = 5
        line = JsonFormatter().format(record("mail to %s", "ada@example.com", fails=True))
    entry = json.loads(line)
    assert "\n" not in line
    assert (entry["message"], entry["level"], entry["logger"]) == ("mail to [email]", "error", "apps.x")
    assert (entry["request"], entry["operation"], entry["user"]) == ("order-4711", "me", 5)
    assert entry["exception"].endswith("ValueError: [email] is wrong")


def test_a_line_for_people_names_the_request() -> None:
    with working_on(Work(request_id="order-4711")):
        line = LineFormatter().format(record("mail to %s", "ada@example.com", fails=True))
    assert "ERROR apps.x [order-4711] mail to [email]\nTraceback" in line
    assert "example.com" not in line
