"""What a query costs, who pays for it, and where it ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import graphene
import pytest
from graphql import (
    GraphQLInterfaceType,
    GraphQLObjectType,
    OperationDefinitionNode,
    get_named_type,
    is_leaf_type,
    is_required_argument,
    parse,
    validate,
)
from pytest_django.fixtures import Settings

from schema.core.complexity import Limits, admit, measure
from schema.core.context import Context
from schema.core.costs import FieldCost, Prices
from schema.core.engine import Answer, Engine, Operation
from schema.core.errors import BadUserInput, QueryTooComplex, RateLimited
from schema.core.limits import Budget
from schema.core.permissions import RootField, anyone
from schema.core.scalars import DateTime
from schema.costs import PRICES
from schema.root import schema as served
from tests.schema.core.sample import make_context

START = datetime(2027, 1, 1, tzinfo=UTC)


class Named(graphene.Interface):
    """Has a name."""

    name = graphene.String(description="Its name.")


class Item(graphene.ObjectType):
    """An item."""

    class Meta:
        interfaces = (Named,)

    days = graphene.Int(
        description="Looks at days.",
        from_=graphene.Argument(DateTime, required=True, name="from", description="From."),
        to=graphene.Argument(DateTime, required=True, description="To."),
    )

    def resolve_days(root: Any, info: Any, from_: datetime, to: datetime) -> int:
        return (to - from_).days


class Wanted(graphene.InputObjectType):
    """What is looked for."""

    far = graphene.Int(description="That far away.")
    near = graphene.Int(description="That near.")


class Order(graphene.Enum):
    """An order."""

    QUICK = "quick"
    SLOW = "slow"


class Query(graphene.ObjectType):
    """Reads."""

    items = RootField(
        graphene.List(graphene.NonNull(Item)),
        permission=anyone,
        description="So many.",
        count=graphene.Argument(graphene.Int, required=True, description="How many."),
    )

    found = RootField(
        graphene.List(graphene.NonNull(Item)),
        permission=anyone,
        description="Looks for them.",
        wanted=graphene.Argument(Wanted, description="What they are like."),
        order=graphene.Argument(Order, description="In which order."),
        ids=graphene.Argument(graphene.List(graphene.NonNull(graphene.ID)), description="Which."),
    )
    nothing = RootField(graphene.String, permission=anyone, description="Nothing.")
    broken = RootField(graphene.String, permission=anyone, description="Fails.")

    def resolve_found(root: None, info: Any, ids: list[str] | None = None, **_asked: Any) -> list[Item]:
        return [Item(name=each) for each in ids or ()]

    def resolve_broken(root: None, info: Any) -> str:
        raise BadUserInput("Wrong.")

    def resolve_items(root: None, info: Any, count: int) -> list[Item]:
        return [Item(name=f"item {number}") for number in range(count)]


ITEM_PRICES = Prices(
    per_request=1, per_place=10, per_object=2, per_field=1,
    fields={
        "Named.name": FieldCost(once=5, each=3),
        "Item.days": FieldCost(per_day=4, longest=100),
        "Query.found": FieldCost(
            by_argument={"wanted.far": 70, "wanted.near": 30, "order=SLOW": 50}, as_long_as="ids", longest=20, per_entry=6,
        ),
    },
)  # fmt: skip


def ask(query: str, variables: dict[str, Any] | None = None, *, limits: Limits | None = None) -> Answer:
    engine = Engine(graphene.Schema(query=Query), prices=ITEM_PRICES, limits=limits)
    return engine.answer(Operation(query, variables or {}), context=make_context())


def test_places_objects_and_fields_have_prices_and_what_came_is_told() -> None:
    cost = ask("{ items(count: 3) { name } }").extensions["cost"]
    # The request and its field, the place, the name once; then ten assumed objects of 2 + 1 + 3.
    assert cost["requested"] == 1 + 1 + 10 + 5 + 10 * 6
    # The root object with its field, and three items.
    assert cost["actual"] == 1 + 10 + 5 + (2 + 1) + 3 * 6
    assert cost["limit"] == Limits().points
    assert "remaining" not in cost


@pytest.mark.parametrize("query", ["{ items(count: 0) { name } none: nothing }", "{ nothing }", "{ broken }"])
def test_what_is_absent_or_wrong_has_one_answer_without_figures(query: str) -> None:
    extensions = ask(query).extensions
    assert ("cost" in extensions) == ("items" in query)


@pytest.mark.parametrize(
    ("days", "counted"), [(0, 0), (2, 2), (-5, 0), (100, 100), (300, 100)]
)  # fmt: skip
def test_a_window_costs_by_its_days(days: int, counted: int) -> None:
    end = START + timedelta(days=days)
    literal = f'{{ items(count: 1) {{ days(from: "{START.isoformat()}", to: "{end.isoformat()}") }} }}'
    named = "query ($a: DateTime!, $b: DateTime!) { items(count: 1) { days(from: $a, to: $b) } }"
    for cost in (
        ask(literal, limits=Limits(points=9_000)).extensions["cost"],
        ask(named, {"a": START.isoformat(), "b": end.isoformat()}, limits=Limits(points=9_000)).extensions["cost"],
    ):
        assert cost["requested"] == 1 + 1 + 10 + 10 * (2 + 1 + 4 * counted)
        assert cost["actual"] == 1 + 10 + (2 + 1) + (2 + 1 + 4 * counted)


def test_windows_of_one_text_are_measured_each_for_itself() -> None:
    engine = Engine(graphene.Schema(query=Query), prices=ITEM_PRICES)
    query = "query ($a: DateTime!, $b: DateTime!) { items(count: 1) { days(from: $a, to: $b) } }"
    codes = []
    for days in (1, 99, 1):
        variables = {"a": START.isoformat(), "b": (START + timedelta(days=days)).isoformat()}
        answer = engine.answer(Operation(query, variables), context=make_context())
        codes.append(answer.errors[0]["extensions"]["code"] if answer.errors else None)
    assert codes == [None, "QUERY_TOO_COMPLEX", None]


# The request, the field, the place, and a list that nothing says the length of: 20 at most, each of them with its name and price.
UNLIMITED = 1 + 1 + 10 + 5 + 20 * (2 + 1 + 3) + 20 * 6
DECLARED = {"$wanted": "Wanted", "$order": "Order", "$far": "Int"}


@pytest.mark.parametrize(
    ("arguments", "variables", "seldom"),
    [
        ("order: QUICK", {}, 0),
        ("wanted: {near: 1}", {}, 30),
        ("wanted: {near: 1, far: 2}, order: SLOW", {}, 120),
        ("wanted: {near: 1, far: null}, order: SLOW", {}, 80),
        ("wanted: $wanted", {"wanted": {"far": 1}}, 70),
        ("wanted: $wanted", {"wanted": {"far": None, "near": 1}}, 30),
        ("wanted: $wanted, order: $order", {"wanted": None, "order": "SLOW"}, 50),
        ("wanted: $wanted, order: $order", {}, 0),
        ("wanted: {far: $far, near: 1}", {"far": 1}, 70),
        ("wanted: {far: $far, near: 1}", {}, 30),
    ],
)
def test_what_makes_a_search_look_far_counts_for_the_limit_and_is_not_charged(
    arguments: str, variables: dict[str, Any], seldom: int
) -> None:
    charged: list[int] = []

    def charge(_context: Context, points: int) -> None:
        charged.append(points)

    engine = Engine(graphene.Schema(query=Query), prices=ITEM_PRICES, charge=charge)
    declared = ", ".join(f"{name}: {kind}" for name, kind in DECLARED.items() if name in arguments)
    head = f"query ({declared})" if declared else ""
    answer = engine.answer(Operation(f"{head} {{ found({arguments}) {{ name }} }}", variables), context=make_context())
    assert (charged, answer.errors) == ([UNLIMITED], [])
    assert answer.extensions["cost"]["requested"] == UNLIMITED + seldom


def test_one_text_is_measured_anew_for_what_is_given_in_its_variables() -> None:
    engine = Engine(graphene.Schema(query=Query), prices=ITEM_PRICES)
    query = "query ($wanted: Wanted = {far: 1}) { found(wanted: $wanted) { name } }"
    requested = []
    for variables in ({"wanted": None}, {}, {"wanted": {"near": 1}}, {"wanted": None}):
        answer = engine.answer(Operation(query, variables), context=make_context())
        requested.append(answer.extensions["cost"]["requested"] - UNLIMITED)
    assert requested == [0, 70, 30, 0]


@pytest.mark.parametrize("count", [1, 7, 20])
def test_a_list_costs_by_the_length_of_the_argument_that_makes_it(count: int) -> None:
    ids = [str(number) for number in range(count)]
    literal = f"{{ found(ids: [{', '.join(ids)}]) {{ name }} }}"
    for cost in (
        ask(literal).extensions["cost"],
        ask("query ($ids: [ID!]) { found(ids: $ids) { name } }", {"ids": ids}).extensions["cost"],
    ):
        assert cost["requested"] == 1 + 1 + 10 + 5 + count * (2 + 1 + 3) + count * 6


def test_a_page_size_that_comes_as_a_float_is_that_size() -> None:
    query = "query ($first: Int) { listings(first: $first) { edges { node { id title } } } }"
    document = parse(query)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    asked = [
        measure(
            served.graphql_schema, document, operation, variables={"first": first}, limits=Limits(), prices=PRICES
        ).points
        for first in (100, 100.0, 1e300, 20)
    ]
    assert asked[0] == asked[1] == asked[2] > asked[3]


def many(field: str, times: int) -> str:
    return " ".join(f"a{number}: {field}" for number in range(times))


DEAR_IDS = ", ".join(['"x"'] * 95)
DEAR_SEARCH = 'listings(filter: {checkIn: "2027-01-01", checkOut: "2027-01-09"}) { edges { node { id } } }'
COUNTED_SEARCH = DEAR_SEARCH.replace("{ edges", "{ totalCount edges")
SORTED_SEARCH = DEAR_SEARCH.replace("})", "}, orderBy: STARTS_AT)")


@pytest.mark.parametrize(
    "selected",
    [
        many("me { export }", 7),
        f'me {{ {many("""hostStats(from: "2026-01-01", to: "2027-01-01") { bookings }""", 6)} }}',
        many('booking(id: "x") { id }', 50),
        many(f"nodes(ids: [{DEAR_IDS}]) {{ id }}", 40),
        many(DEAR_SEARCH, 5),
        many(COUNTED_SEARCH, 2),
        many(SORTED_SEARCH, 3),
    ],
)
def test_what_is_dear_by_itself_cannot_be_had_many_times_at_once(selected: str) -> None:
    document = parse(f"{{ {selected} }}")
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    with pytest.raises(QueryTooComplex, match="points"):
        admit(
            measure(served.graphql_schema, document, operation, variables={}, limits=Limits(), prices=PRICES), Limits()
        )


def test_a_page_may_show_what_is_free_of_each_kind() -> None:
    free = {
        "PROPERTY": 'checkIn: "2027-01-01", checkOut: "2027-01-09"',
        "SERVICE": 'availableFrom: "2027-01-01T08:00:00Z", availableTo: "2027-01-09T18:00:00Z"',
        "PARKING_SPOT": 'availableFrom: "2027-01-01T08:00:00Z", availableTo: "2027-01-01T18:00:00Z"',
        "EVENT": 'startsAfter: "2027-01-01T00:00:00Z"',
    }
    shown = "edges { node { id title price { amount currency } location { city } images { url } } }"
    orders = {"EVENT": "STARTS_AT"}
    searches = " ".join(
        f"{kind}: listings(filter: {{kind: {kind}, {given}}}, orderBy: {orders.get(kind, 'PRICE_ASC')}) {{ {shown} }}"
        for kind, given in free.items()
    )
    document = parse(f"{{ {searches} }}")
    assert validate(served.graphql_schema, document) == []
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    admit(measure(served.graphql_schema, document, operation, variables={}, limits=Limits(), prices=PRICES), Limits())


def test_a_list_that_is_far_longer_than_expected_ends() -> None:
    limits = Limits(points=100)
    assert ask("{ items(count: 60) { name } }", limits=limits).errors == []
    answer = ask("{ items(count: 100) { name } }", limits=limits)
    assert answer.executed
    assert answer.errors[0]["extensions"]["code"] == "QUERY_TOO_COMPLEX"
    assert answer.data == {"items": None}


def test_points_are_taken_from_the_caller_before_anything_is_executed(settings: Settings) -> None:
    settings.RATE_LIMITS_ENABLED = True
    budget = Budget("test-points", "200/minute")
    key = f"ip:{START}-{datetime.now(UTC)}"
    ran: list[int] = []

    class Counting(graphene.ObjectType):
        """Reads."""

        item = RootField(Item, permission=anyone, description="One.")

        def resolve_item(root: None, info: Any) -> Item:
            ran.append(1)
            return Item(name="one")

    def charge(context: Context, points: int) -> int | None:
        return budget.spend(key, points)

    engine = Engine(graphene.Schema(query=Counting), prices=Prices(per_request=80), charge=charge)
    answers = [engine.answer(Operation("{ item { name } }"), context=make_context()) for _ in range(3)]
    asked = answers[0].extensions["cost"]["requested"]
    assert [answer.extensions["cost"]["remaining"] for answer in answers[:2]] == [200 - asked, 200 - 2 * asked]
    (error,) = answers[2].errors
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfter"] >= 1
    assert (len(ran), answers[2].executed) == (2, False)


def test_without_redis_queries_are_answered(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.RATE_LIMITS_ENABLED = True
    settings.LIMITS_REDIS_URL = "redis://127.0.0.1:1/0"
    outages: list[int] = []
    monkeypatch.setattr("schema.core.limits._outage.begin", lambda: outages.append(1))
    monkeypatch.setattr("schema.core.limits._outage.lasts", lambda: False)
    assert Budget("test-points", "1/minute").spend("ip:198.51.100.7", 100) is None
    assert outages == [1]


def test_limits_of_points_are_told_as_a_limit() -> None:
    with pytest.raises(RateLimited) as raised:
        _spend_twice()
    assert raised.value.retry_after >= 1


def _spend_twice() -> None:
    budget = Budget("test-points", "10/minute")
    key = f"ip:{datetime.now(UTC)}"
    assert budget.spend(key, 6) == 4
    budget.spend(key, 6)


def test_every_price_is_that_of_a_field_which_is_served() -> None:
    for name in PRICES.fields:
        type_name, _, field = name.partition(".")
        kind = served.graphql_schema.type_map[type_name]
        assert isinstance(kind, GraphQLObjectType | GraphQLInterfaceType)
        assert field in kind.fields, name


def everything_of(kind: Any, *, depth: int, connections: bool) -> str:
    """All fields that need no arguments, with those of the objects in them."""
    parts = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if any(is_required_argument(argument) for argument in field.args.values()):
            continue
        if is_leaf_type(inner):
            parts.append(name)
        elif "first" in field.args and connections:
            node = served.graphql_schema.type_map[inner.name.removesuffix("Connection")]
            parts.append(f"{name} {{ edges {{ node {{ {everything_of(node, depth=0, connections=False)} }} }} }}")
        elif "first" not in field.args and depth:
            selected = everything_of(inner, depth=depth - 1, connections=False)
            parts.append(f"{name} {{ {selected} }}" if selected else "")
    return " ".join(parts)


@pytest.mark.parametrize(
    ("path", "kind"), [("listings(first: 100)", "Listing"), ("me { hostedBookings(first: 50)", "Booking")]
)
def test_a_whole_page_with_everything_in_it_is_answered(path: str, kind: str) -> None:
    everything = everything_of(served.graphql_schema.type_map[kind], depth=2, connections=True)
    query = f"{{ {path} {{ edges {{ node {{ {everything} }} }} }} {'}' * path.count('{')} }}"
    document = parse(query)
    assert validate(served.graphql_schema, document) == []
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    asked = measure(served.graphql_schema, document, operation, variables=None, limits=Limits(), prices=PRICES)
    admit(asked, Limits())
    assert asked.points > Limits().points / 2


@pytest.mark.parametrize(
    "query",
    [
        "{ listings(first: 100) { edges { node { host { listings(first: 100) { edges { node { id } } } } } } } }",
        "{ listings(first: 100) { edges { node { reviews(first: 100) { edges { node { comment } } } } } } }",
    ],
)
def test_a_page_of_pages_is_refused(query: str) -> None:
    document = parse(query)
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    with pytest.raises(QueryTooComplex):
        admit(
            measure(served.graphql_schema, document, operation, variables=None, limits=Limits(), prices=PRICES),
            Limits(),
        )
