"""The helper that finds what a schema leaves undescribed."""

import graphene

from schema.core.descriptions import undescribed
from schema.core.pagination import connection_field, connection_type
from schema.core.permissions import anyone
from tests.schema.core.sample import schema


def test_the_core_describes_all_of_its_own() -> None:
    assert undescribed(schema.graphql_schema) == []


def test_every_gap_is_named() -> None:
    class Colour(graphene.Enum):
        RED = 1

    class Thing(graphene.ObjectType):
        name = graphene.String(description="No full stop")
        colour = graphene.Field(Colour, shade=graphene.Int(), description="Fine.")

    class Query(graphene.ObjectType):
        """Reads."""

        things = connection_field(connection_type(Thing), permission=anyone, description="Things.")

    assert undescribed(graphene.Schema(query=Query).graphql_schema) == [
        "Thing",
        "Thing.name",
        "Thing.colour(shade:)",
        "Colour",
        "Colour.RED",
    ]
