"""Fields without a resolver show attributes: what is missing as null, what fails as a failure."""

from typing import Any

import graphene
import pytest

from apps.listings.models import Listing
from schema.core.default_resolvers import attribute_or_item
from schema.core.engine import Engine, Operation
from tests.schema.core import sample


class Ticket:
    number = 7

    @property
    def code(self) -> str:
        return str(self._secret)  # type: ignore[attr-defined]


class Thing(graphene.ObjectType):
    number = graphene.Int()
    code = graphene.String()
    colour = graphene.String(default_value="grey")


class Query(graphene.ObjectType):
    ticket = graphene.Field(Thing)
    mapping = graphene.Field(Thing)

    def resolve_ticket(self, info: Any) -> Ticket:
        return Ticket()

    def resolve_mapping(self, info: Any) -> dict[str, Any]:
        return {"number": 8}


SCHEMA = graphene.Schema(query=Query)


@pytest.mark.parametrize("is_lean", [True, False])
def test_a_property_that_fails_is_not_null(is_lean: bool) -> None:
    query = "{ ticket { number code colour } mapping { number code colour } }"
    answer = Engine(SCHEMA, is_lean=is_lean).answer(Operation(query, {}), context=sample.make_context())
    assert answer.data == {
        "ticket": {"number": 7, "code": None, "colour": "grey"},
        "mapping": {"number": 8, "code": None, "colour": "grey"},
    }
    (error,) = answer.errors
    assert (error["path"], error["extensions"]["code"]) == (["ticket", "code"], "INTERNAL")


def test_a_relation_to_nothing_is_null() -> None:
    assert attribute_or_item("property", None, Listing(), None) is None
