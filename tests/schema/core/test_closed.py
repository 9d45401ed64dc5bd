"""In production strangers learn nothing of the schema that they do not know: no introspection, and no hints."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from schema.core.documents import DocumentRefused
from schema.core.engine import Operation
from schema.views import engine
from tests.recipes import make_guest, make_staff
from tests.schema.core.sample import make_context
from tests.schema.listings.api import ask

pytestmark = pytest.mark.django_db

LOOKS = {
    "schema": "{ __schema { queryType { name } } }",
    "type": '{ __type(name: "User") { name } }',
    "alias": "{ nothing: __schema { types { name } } }",
    "fragment": "{ ...F } fragment F on Query { __schema { types { name } } }",
    "fragments": '{ ...F } fragment F on Query { ...G } fragment G on Query { a: __type(name: "User") { fields { name } } }',
    "inline": "{ ... on Query { ... { __schema { types { name } } } } }",
    "skipped": "query($a: Boolean = true) { __schema @skip(if: $a) { types { name } } }",
    "another operation": "query A { __typename } query B { __schema { types { name } } }",
    "mutation": "mutation { __schema { types { name } } }",
}
MISTAKES: dict[str, tuple[str, dict[str, Any]]] = {
    "field": ("{ listingz { totalCount } }", {}),
    "field below": ("{ listings { totalCountt } }", {}),
    "argument": ("{ listings(frst: 1) { totalCount } }", {}),
    "type": ("query($a: ListingFiltr) { listings(filter: $a) { totalCount } }", {}),
    "fragment's type": ("{ ...F } fragment F on Quer { __typename }", {}),
    "directive's argument": ("{ __typename @skip(iff: true) }", {}),
    "enum": ("{ listings(orderBy: PRICE_AS) { totalCount } }", {}),
    "enum in a list": ("{ listings(filter: {kind: [PROPERT]}) { totalCount } }", {}),
    "input field": ("{ listings(filter: {cty: 1}) { totalCount } }", {}),
    "enum in a variable": ("query($a: ListingOrder) { listings(orderBy: $a) { totalCount } }", {"a": "PRICE_AS"}),
    "input field in a variable": ("query($a: ListingFilter) { listings(filter: $a) { totalCount } }", {"a": {"cty": 1}}),
    "enum deep in a variable": (
        "query($a: ListingFilter) { listings(filter: $a) { totalCount } }", {"a": {"kind": ["PROPERT"]}},
    ),
    "subscription": ("subscription { bookingUpdatd(id: \"x\") { id } }", {}),
}  # fmt: skip


@pytest.mark.parametrize("query", LOOKS.values(), ids=LOOKS)
def test_strangers_and_guests_do_not_see_the_schema(query: str, settings: Settings) -> None:
    settings.INTROSPECTION_OPEN = False
    for viewer in (None, make_guest()):
        answer = ask(query, viewer=viewer)
        assert "data" not in answer
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"BAD_USER_INPUT"}


def test_staff_sees_it_and_so_does_everybody_outside_production(settings: Settings) -> None:
    settings.INTROSPECTION_OPEN = False
    assert "errors" not in ask(LOOKS["type"], viewer=make_staff())
    settings.INTROSPECTION_OPEN = True
    assert "errors" not in ask(LOOKS["type"], viewer=None)


@pytest.mark.parametrize(("query", "variables"), MISTAKES.values(), ids=MISTAKES)
def test_strangers_are_not_told_what_they_may_have_meant(
    query: str, variables: dict[str, Any], settings: Settings
) -> None:
    settings.INTROSPECTION_OPEN = False
    said = str(ask(query, variables, viewer=None)["errors"])
    assert "did you mean" not in said.lower()
    assert "perhaps" not in said.lower()


@pytest.mark.parametrize(("query", "variables"), MISTAKES.values(), ids=MISTAKES)
def test_developers_are_helped(query: str, variables: dict[str, Any], settings: Settings) -> None:
    """Each of the mistakes above is one that would be hinted at."""
    settings.INTROSPECTION_OPEN = True
    assert "Did you mean" in str(ask(query, variables, viewer=None)["errors"])


def test_subscriptions_are_no_way_around(settings: Settings) -> None:
    settings.INTROSPECTION_OPEN = False
    for query in (MISTAKES["subscription"][0], "subscription { __schema { types { name } } }"):
        with pytest.raises(DocumentRefused) as refused:
            engine().admitted(Operation(query), context=make_context())
        assert "Did you mean" not in str(refused.value)
