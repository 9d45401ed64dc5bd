"""Keyset pages: every row once, in order, in both directions, at a constant number of queries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import graphene
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.keyset import Key, key_of, keys, read_slice
from apps.users.models import User
from schema.core.context import Context
from schema.core.engine import Engine, Operation
from schema.core.pagination import (
    Page,
    connection_field,
    connection_type,
    paginate,
    paginate_many,
    read_page,
)
from schema.core.permissions import RootField, anyone
from tests.schema.core.sample import make_context

pytestmark = pytest.mark.django_db

START = datetime(2026, 1, 1, tzinfo=UTC)
NEWEST = keys("-joined_at", "-id")
ORDERS = {
    "NEWEST": NEWEST,
    "OLDEST": keys("joined_at", "id"),
    "MIXED": keys("last_name", "-joined_at", "id"),
    "VERIFIED": (Key("email_verified_at", nullable=True), Key("id")),
    "VERIFIED_DESC": (
        Key("email_verified_at", descending=True, nullable=True),
        Key("last_name"),
        Key("id", descending=True),
    ),
}


@pytest.fixture
def people() -> list[User]:
    """23 accounts with ties in every column and nulls in one."""
    User.objects.all().delete()
    return User.objects.bulk_create(
        User(
            email=f"p{number}@example.com",
            last_name="ABC"[number % 3],
            first_name="XY"[number % 2],
            joined_at=START + timedelta(days=number % 5, microseconds=number % 2),
            email_verified_at=None if number % 3 == 0 else START + timedelta(days=number % 4),
        )
        for number in range(23)
    )


class Account(graphene.ObjectType):
    """An account."""

    email = graphene.String(description="Its email.")


AccountConnection = connection_type(Account)


class Family(graphene.ObjectType):
    """All with one last name."""

    members = connection_field(AccountConnection, description="Its members.")

    def resolve_members(parent: str, info: Any, **arguments: Any) -> Any:
        return info.context.load(family_pages, (parent, read_page(info, arguments)))


def family_pages(context: Context, wanted: list[tuple[str, Page]]) -> Any:
    return paginate_many(User.objects.all(), NEWEST, wanted, parent="last_name")


class Query(graphene.ObjectType):
    """Reads."""

    people = connection_field(
        AccountConnection,
        permission=anyone,
        description="All.",
        order=graphene.String(default_value="NEWEST", description="In which order."),
        first_name=graphene.String(description="Only these."),
    )
    others = connection_field(AccountConnection, permission=anyone, description="All, elsewhere.")
    families = RootField(
        graphene.List(Family),
        names=graphene.List(graphene.String, required=True, description="Which."),
        permission=anyone,
        description="Families.",
    )

    def resolve_people(root: None, info: Any, order: str, **arguments: Any) -> Any:
        rows = User.objects.all()
        if "first_name" in arguments:
            rows = rows.filter(first_name=arguments["first_name"])
        return paginate(rows, ORDERS[order], read_page(info, {"order": order, **arguments}))

    def resolve_others(root: None, info: Any, **arguments: Any) -> Any:
        return paginate(User.objects.all(), NEWEST, read_page(info, arguments))

    def resolve_families(root: None, info: Any, names: list[str]) -> Any:
        return names


engine = Engine(graphene.Schema(query=Query))
PAGE = "edges { cursor node { email } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


def ask(query: str, **variables: Any) -> Any:
    return engine.answer(Operation(query, variables), context=make_context())


def page_of(field: str = "people", **arguments: Any) -> Any:
    written = ", ".join(f"{name}: {graphql(value)}" for name, value in arguments.items())
    answer = ask(f"{{ {field}{f'({written})' if written else ''} {{ {PAGE} }} }}")
    assert answer.errors == []
    return answer.data[field]


def graphql(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def emails(page: Any) -> list[str]:
    return [edge["node"]["email"] for edge in page["edges"]]


def refusal(arguments: str, field: str = "people") -> str:
    answer = ask(f"{{ {field}({arguments}) {{ totalCount }} }}")
    (error,) = answer.errors
    return str(error["extensions"]["code"])


def expected(order: str) -> list[str]:
    """The emails as Python sorts them, nulls last."""
    rows = list(User.objects.all())
    for key in reversed(ORDERS[order]):
        present = [row for row in rows if getattr(row, key.name) is not None]
        absent = [row for row in rows if getattr(row, key.name) is None]
        present.sort(key=lambda row, name=key.name: getattr(row, name), reverse=key.descending)
        rows = present + absent
    return [row.email for row in rows]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 7, 23, 100])
def test_walking_forwards_meets_every_row_once(people: list[User], order: str, size: int) -> None:
    met: list[str] = []
    arguments: dict[str, Any] = {"order": order, "first": size}
    for number in range(30):
        page = page_of(**arguments)
        met += emails(page)
        assert page["pageInfo"]["hasPreviousPage"] is (number > 0)
        assert page["pageInfo"]["hasNextPage"] is (len(met) < 23)
        assert page["pageInfo"]["startCursor"] == page["edges"][0]["cursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
        arguments["after"] = page["pageInfo"]["endCursor"]
    assert met == expected(order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1, 2, 7, 23, 100])
def test_walking_backwards_meets_every_row_once(people: list[User], order: str, size: int) -> None:
    met: list[str] = []
    arguments: dict[str, Any] = {"order": order, "last": size}
    for number in range(30):
        page = page_of(**arguments)
        met = emails(page) + met
        assert page["pageInfo"]["hasNextPage"] is (number > 0)
        assert page["pageInfo"]["hasPreviousPage"] is (len(met) < 23)
        if not page["pageInfo"]["hasPreviousPage"]:
            break
        arguments["before"] = page["pageInfo"]["startCursor"]
    assert met == expected(order)


def test_rows_that_come_and_go_move_nobody_to_another_page(people: list[User]) -> None:
    first = page_of(first=5)
    User.objects.create(email="new@example.com", joined_at=START + timedelta(days=99))
    gone = User.objects.get(email=emails(first)[-1])
    wanted = [email for email in expected("NEWEST") if email not in {*emails(first), "new@example.com"}][:5]
    gone.delete()
    second = page_of(first=5, after=first["pageInfo"]["endCursor"])
    assert emails(second) == wanted
    assert second["pageInfo"]["hasPreviousPage"] is True


def test_the_far_side_is_true_only_when_something_is_there(people: list[User]) -> None:
    first = page_of(first=3)
    User.objects.filter(email__in=emails(first)).delete()
    second = page_of(first=3, after=first["pageInfo"]["endCursor"])
    assert second["pageInfo"]["hasPreviousPage"] is False


def test_sizes(people: list[User]) -> None:
    User.objects.bulk_create(User(email=f"more{number}@example.com", joined_at=START) for number in range(100))
    assert len(page_of()["edges"]) == 20
    assert len(page_of(first=1000)["edges"]) == 100
    assert len(page_of(last=1000)["edges"]) == 100
    empty = page_of(first=0)
    assert empty["edges"] == []
    assert empty["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": None,
        "endCursor": None,
    }
    User.objects.all().delete()
    assert page_of()["pageInfo"]["hasNextPage"] is False


def test_after_the_last_row_there_is_an_empty_page(people: list[User]) -> None:
    last = page_of(last=1)["pageInfo"]["endCursor"]
    page = page_of(first=5, after=last)
    assert (page["edges"], page["pageInfo"]["hasNextPage"], page["pageInfo"]["hasPreviousPage"]) == ([], False, True)


@pytest.mark.parametrize(
    "arguments",
    [
        "first: -1",
        "last: -1",
        "first: 1, last: 1",
        'after: "", first: 1',
        'after: "x", first: 1',
        'after: "é", first: 1',
        'after: "\\u0000", first: 1',
        'before: "AAAA", last: 1',
    ],
)
def test_nonsense_is_bad_user_input(people: list[User], arguments: str) -> None:
    assert refusal(arguments) == "BAD_USER_INPUT"


def test_cursors_of_other_lists_and_changed_ones_are_bad_user_input(people: list[User]) -> None:
    cursor = page_of(first=2)["pageInfo"]["endCursor"]
    assert refusal(f'first: 2, after: "{cursor}", order: "OLDEST"') == "BAD_USER_INPUT"
    assert refusal(f'first: 2, after: "{cursor}", firstName: "X"') == "BAD_USER_INPUT"
    assert refusal(f'first: 2, after: "{cursor}"', field="others") == "BAD_USER_INPUT"
    assert refusal(f'last: 2, after: "{cursor}"') == "BAD_USER_INPUT"
    assert refusal(f'first: 2, before: "{cursor}"') == "BAD_USER_INPUT"
    for place in range(len(cursor)):
        letter = "A" if cursor[place] != "A" else "B"
        changed = cursor[:place] + letter + cursor[place + 1 :]
        assert refusal(f'first: 2, after: "{changed}"') == "BAD_USER_INPUT"
    for changed in (cursor + "=", cursor + "\\n", " " + cursor, cursor[:-1], cursor + "A", cursor + "!"):
        assert refusal(f'first: 2, after: "{changed}"') == "BAD_USER_INPUT"
    assert emails(page_of(first=2, after=cursor)) == expected("NEWEST")[2:4]


def test_only_what_is_asked_for_is_queried(people: list[User]) -> None:
    cursor = page_of(first=5)["pageInfo"]["endCursor"]
    for fields, queries in [
        ("edges { node { email } }", 1),
        ("edges { node { email } } pageInfo { hasNextPage endCursor }", 1),
        ("pageInfo { hasNextPage hasPreviousPage }", 2),
        ("pageInfo { hasPreviousPage } totalCount", 3),
    ]:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            answer = ask(f'{{ people(first: 5, after: "{cursor}") {{ {fields} }} }}')
        assert answer.errors == []
        assert len(captured) == queries, [query["sql"] for query in captured]
        assert not any("OFFSET" in query["sql"] for query in captured)


def test_the_count_is_of_the_whole_list(people: list[User]) -> None:
    answer = ask('{ people(first: 2, firstName: "X") { totalCount } }')
    assert answer.data == {"people": {"totalCount": 12}}


@pytest.mark.parametrize("arguments", ["first: 2", "last: 2"])
@pytest.mark.parametrize("names", [["A"], ["A", "B", "C", "none"]])
def test_pages_of_many_parents_cost_one_query(people: list[User], arguments: str, names: list[str]) -> None:
    query = f"query ($names: [String]!) {{ families(names: $names) {{ members({arguments}) {{ {PAGE} }} }} }}"
    with CaptureQueriesContext(connection) as captured:
        answer = ask(query, names=names)
    assert answer.errors == []
    assert len(captured) == 1
    for name, family in zip(names, answer.data["families"], strict=True):
        own = [row.email for row in User.objects.filter(last_name=name).order_by("-joined_at", "-id")]
        assert emails(family["members"]) == (own[:2] if "first" in arguments else own[-2:])
        more = family["members"]["pageInfo"]
        assert more["hasNextPage" if "first" in arguments else "hasPreviousPage"] is (len(own) > 2)
    counts = f"query ($names: [String]!) {{ families(names: $names) {{ members({arguments}) {{ totalCount }} }} }}"
    with CaptureQueriesContext(connection) as captured:
        answer = ask(counts, names=names)
    assert len(captured) == 2
    totals = {"A": 8, "B": 8, "C": 7, "none": 0}
    assert [family["members"]["totalCount"] for family in answer.data["families"]] == [totals[name] for name in names]


def test_a_page_of_many_parents_continues(people: list[User]) -> None:
    query = f'query ($after: String) {{ families(names: ["A"]) {{ members(first: 3, after: $after) {{ {PAGE} }} }} }}'
    met: list[str] = []
    after = None
    for _ in range(5):
        members = ask(query, after=after).data["families"][0]["members"]
        met += emails(members)
        after = members["pageInfo"]["endCursor"]
        if not members["pageInfo"]["hasNextPage"]:
            break
    assert met == [row.email for row in User.objects.filter(last_name="A").order_by("-joined_at", "-id")]


def test_a_slice_can_use_the_index_from_its_first_key(people: list[User]) -> None:
    row = people[3]
    with CaptureQueriesContext(connection) as captured:
        read_slice(User.objects.all(), NEWEST, limit=2, place=key_of(row, NEWEST))
    assert '("users_user"."joined_at", "users_user"."id") < (' in captured[0]["sql"]
    assert captured[0]["sql"].endswith("LIMIT 3")
