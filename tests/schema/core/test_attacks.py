"""What is meant to bring the endpoint down is refused before it has cost 50 ms of processor time.

Times are those of this process's own work, on the schema that is served; the best of a few, as a busy machine makes
any of them longer. The text is another one each time, lest something be remembered.
"""

import json
import time
from collections.abc import Callable

import pytest
from django.http import HttpResponseBase
from django.test import RequestFactory
from graphql import Lexer, Source, TokenKind, parse, validate
from graphql.validation import validation_context
from graphql.validation.rules import overlapping_fields_can_be_merged
from pytest_django.fixtures import Settings

from schema.core.complexity import Limits
from schema.core.engine import Answer, Engine, Operation
from schema.core.errors import BadUserInput, QueryTooComplex, RateLimited
from schema.core.http import LARGEST_JSON_BODY
from schema.core.syntax_limits import COMPARISONS, FRAGMENT_WORK, TOKENS, check_shape, check_text, check_variables
from schema.root import schema as served
from schema.views import engine, graphql_view
from tests.schema.core.attacks import FAMOUS, FITTED, VARIABLES
from tests.schema.core.sample import make_context

LONGEST_REFUSAL = 0.050
TRIES = 12
LIST_OF_IDS = "query($ids:[ID!]!){nodes(ids:$ids){id}}"
LIMITS = Limits()


@pytest.fixture(autouse=True)
def _no_counts(settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = False


def least_time(work: Callable[[int], object]) -> float:
    """Seconds of processor time of the quickest try."""
    times = []
    for number in range(TRIES):
        begun = time.process_time()
        work(number)
        times.append(time.process_time() - begun)
        if times[-1] < LONGEST_REFUSAL:
            break
    return min(times)


def refused(query: str) -> tuple[str, float]:
    """The code of the first error, and how long it took."""
    answers: list[Answer] = []

    def send(number: int) -> None:
        answers.append(engine().answer(Operation(query + " " * number, name=None), context=make_context()))

    send(0)
    least = least_time(lambda number: send(number + 1))
    assert not answers[0].executed, "it was executed"
    assert answers[0].errors
    return answers[0].errors[0]["extensions"]["code"], least


@pytest.mark.parametrize("query", [*FAMOUS.values(), *FITTED.values()], ids=[*FAMOUS, *FITTED])
def test_an_attack_is_refused_quickly(query: str, settings: Settings) -> None:
    """Also of those who are helped with suggestions, which takes longer."""
    settings.INTROSPECTION_OPEN = True
    code, seconds = refused(query)
    assert code in {"QUERY_TOO_COMPLEX", "BAD_USER_INPUT"}
    assert seconds < LONGEST_REFUSAL


def post(body: str, number: int = 0) -> HttpResponseBase:
    request = RequestFactory().post("/graphql", body + " " * number, content_type="application/json")
    return graphql_view(request)


def read(response: HttpResponseBase) -> dict[str, object]:
    content: dict[str, object] = json.loads(getattr(response, "content", b""))
    return content


@pytest.mark.parametrize("variables", VARIABLES.values(), ids=VARIABLES)
def test_variables_that_are_too_much_are_refused_quickly(variables: str) -> None:
    body = f'{{"query":"{LIST_OF_IDS}","variables":{variables}}}'
    assert len(body) <= LARGEST_JSON_BODY
    response = post(body)
    assert read(response)["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"  # type: ignore[index]
    assert least_time(lambda number: post(body, number)) < LONGEST_REFUSAL


@pytest.mark.parametrize(
    "body",
    ["[" + '{"query":"{__typename}"},' * 30_000 + "{}]", "[" + "{}," * 300_000 + "{}]", "[" * 900_000],
    ids=["operations", "objects", "nothing"],
)
def test_a_batch_is_refused_unread(body: str) -> None:
    response = post(body)
    assert response.status_code == 400
    assert "One operation is wanted" in json.dumps(read(response))
    assert least_time(lambda number: post(body, number)) < LONGEST_REFUSAL


def test_a_body_of_nothing_but_lists_is_refused_unread() -> None:
    """Each byte would become an object of some sixty."""
    body = '{"query":"{__typename}","variables":{"a":[' + "[]," * 320_000 + "[]]}}"
    assert read(post(body))["errors"][0]["message"] == "The body holds too many lists and objects."  # type: ignore[index]


PLENTY: dict[str, Callable[[int], str]] = {
    "operations": lambda number: " ".join(f"query Q{n}{{__typename}}" for n in range(number)),
    "root fields": lambda number: "{" + "__typename " * number + "}",
    "fields": lambda number: "{me{" + "id " * (number - 1) + "}}",
    "fragments": lambda number: (
        "{__typename}" + " ".join(f"fragment F{n} on Query{{__typename}}" for n in range(number))
    ),
    "spreads of fragments": lambda number: "{me{" + "...F " * number + "}}",
    "aliases": lambda number: "{me{" + "a:id " * number + "}}",
    "directives": lambda number: "{__typename " + "@a " * number + "}",
    "variables": lambda number: "query(" + "$a:Int " * number + "){__typename}",
    "values": lambda number: "{a(b:[" + "1 " * (number - 1) + "])}",
}
NAMES = {"root fields": "root_fields", "spreads of fragments": "spreads"}


@pytest.mark.parametrize("name", PLENTY)
def test_so_many_of_each_and_no_more(name: str) -> None:
    most = getattr(LIMITS, NAMES.get(name, name))
    check_shape(parse(PLENTY[name](most)), LIMITS)
    with pytest.raises(QueryTooComplex, match=f"more than {most} {name}"):
        check_shape(parse(PLENTY[name](most + 1)), LIMITS)


def test_so_many_tokens_and_no_more() -> None:
    check_text("{" + "a " * (LIMITS.tokens - 2) + "}", LIMITS)
    with pytest.raises(QueryTooComplex, match="tokens"):
        check_text("{" + "a " * (LIMITS.tokens - 1) + "}", LIMITS)
    with pytest.raises(QueryTooComplex, match="characters"):
        check_text("#" * (LIMITS.characters + 1), LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        '{a(b:"x\\"y", c:"""q " "" \\""" z""", d:-1.5e+3)@x(y:$z){...on B{c}}}',
        "query Q($a:[Int!]! = [1 2] @b){a b: c ...F} fragment F on A{b}",
        '{a(s:"\\u{1F600}" t:"" u:"""""")b}',
        "{\ufeffa,b,,c}",
        '{a(b:"""\n  x\n  "y" \n""")}',
        "{a(b:-0 c:1.5 d:1e9 e:[] f:{} g:X h:true)}",
    ],
)
def test_tokens_are_counted_as_graphql_counts_them(text: str) -> None:
    """One more would refuse what is within the limits, one less is left to the parser."""
    lexer, count = Lexer(Source(text)), 0
    while lexer.advance().kind is not TokenKind.EOF:
        count += 1
    assert len(TOKENS.findall(text)) == count


@pytest.mark.parametrize("piece", ['"', '""', '"""', '"\\', '"""\\"', '\\"""', '""""', '"\n'])
def test_counting_tokens_takes_no_longer_than_the_text_is_long(piece: str) -> None:
    text = piece * (LIMITS.characters // len(piece))
    assert least_time(lambda _: sum(1 for _token in TOKENS.finditer(text))) < LONGEST_REFUSAL


@pytest.mark.parametrize(
    ("variables", "is_refused"),
    [
        ({}, False),
        ({"a": [1] * (LIMITS.variable_values - 1)}, False),
        ({"a": [1] * LIMITS.variable_values}, True),
        ({"a": {"b": [{"c": 1}] * (LIMITS.variable_values // 2)}}, True),
        ({str(number): 1 for number in range(LIMITS.variable_values + 1)}, True),
    ],
)
def test_variables_hold_so_many_values(variables: dict[str, object], is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(BadUserInput, match="values"):
            check_variables(variables, LIMITS)
    else:
        check_variables(variables, LIMITS)


def test_variables_nest_so_deep() -> None:
    deepest: object = 1
    for _ in range(LIMITS.variable_depth - 1):
        deepest = [deepest]
    check_variables({"a": deepest}, LIMITS)
    with pytest.raises(BadUserInput, match="levels"):
        check_variables({"a": [deepest]}, LIMITS)


def test_graphql_core_gives_up_comparing_when_it_is_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without our bounds one document of the size that is let through takes far longer than a refusal may."""
    schema = served.graphql_schema
    document = parse(FITTED["fields that differ"])
    assert overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET == COMPARISONS
    assert validation_context.MAX_FRAGMENT_WORK == FRAGMENT_WORK
    bounded = least_time(lambda _: validate(schema, document))
    monkeypatch.setattr(overlapping_fields_can_be_merged, "MAX_COMPLEXITY_BUDGET", 100 * COMPARISONS)
    begun = time.process_time()
    validate(schema, document)
    assert time.process_time() - begun > 2 * bounded


def test_a_large_number_is_no_bug_of_ours() -> None:
    for number in ("9" * 101, "9" * 5_000, "-" + "9" * 5_000, "9" * 5_000 + ".5"):
        answer = engine().answer(Operation(f"{{listings(first:{number}){{totalCount}}}}"), context=make_context())
        assert [error["extensions"]["code"] for error in answer.errors] == ["BAD_USER_INPUT"]


def test_who_sends_a_long_new_text_pays_for_its_reading_once() -> None:
    charged: list[int] = []

    def charge(_context: object, points: int) -> int:
        charged.append(points)
        return 1_000

    own = Engine(served, charge=charge)
    long = "{" + " ".join(f"a{number}:__typename@include(if:true)" for number in range(80)) + "}"
    for query in ("{ __typename }", long, long):
        own.answer(Operation(query), context=make_context())
    (short, reading, first, second) = charged
    assert reading > short
    assert first == second


@pytest.mark.parametrize("query", ["{ nothing }", "{", FITTED["fields that nobody knows"], "{" + "a " * 5_000 + "}"])
def test_who_sends_what_is_no_document_pays_for_each_try(query: str, settings: Settings) -> None:
    charged: list[int] = []

    def charge(_context: object, points: int) -> int:
        charged.append(points)
        return 1_000

    own = Engine(served, charge=charge)
    for _ in range(2):
        assert not own.answer(Operation(query), context=make_context()).executed
    assert charged == [10 + min(490, len(query) // 40)] * 2


def test_whoever_has_no_points_left_is_told_so(settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = True

    def charge(_context: object, points: int) -> int:
        raise RateLimited(retry_after=7)

    own = Engine(served, charge=charge)
    for query in ("{ nothing }", "{ __typename }"):
        answer = own.answer(Operation(query), context=make_context())
        assert [error["extensions"] for error in answer.errors] == [{"code": "RATE_LIMITED", "retryAfter": 7}]
        assert not answer.executed
