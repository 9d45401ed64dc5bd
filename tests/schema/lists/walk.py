"""A query for every list that the schema has, made from the schema itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_required_argument,
)

# Below what is in a list: its own fields, and those of what it leads to.
DEPTH = 1
# Asked with, by the name of the argument and its type.
GIVEN = {
    ("from", "DateTime!"): "$from",
    ("to", "DateTime!"): "$to",
    ("from", "Date!"): '"2026-01-01"',
    ("to", "Date!"): '"2026-01-02"',
    ("listingId", "ID!"): "$listing",
}
# What a quote of each kind is asked for with.
QUOTED = {
    "Property": "checkIn: $arrival, checkOut: $departure",
    "Service": "startsAt: $from",
    "Event": "tickets: 1",
    "ParkingSpot": "startsAt: $from, endsAt: $to",
}
# All of a person's data in one document, which is told in a job of its own.
LEFT_OUT = {"Viewer.export"}
VARIABLES = {
    "ids": "[ID!]!", "from": "DateTime!", "to": "DateTime!", "listing": "ID!", "arrival": "Date!", "departure": "Date!",
    "first": "Int",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ListField:
    """A list, and a way to it from Query: the types and the fields on the way, through a list where there is one."""

    owner: str
    name: str
    way: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"{self.owner}.{self.name}"


def is_list(field: GraphQLField) -> bool:
    """Whether the field shows many: a list of objects or a connection."""
    return is_composite_type(get_named_type(field.type)) and (
        is_list_type(without_null(field.type)) or get_named_type(field.type).name.endswith("Connection")
    )


def without_null(type_: Any) -> Any:
    return get_nullable_type(type_)


def shown(schema: GraphQLSchema, field: GraphQLField) -> list[GraphQLObjectType]:
    """The types of the objects that a field leads to; of a connection, those of its nodes."""
    type_: Any = get_named_type(field.type)
    if type_.name.endswith("Connection"):
        node: Any = get_named_type(type_.fields["edges"].type)
        type_ = get_named_type(node.fields["node"].type)
    if isinstance(type_, GraphQLInterfaceType):
        return list(schema.get_possible_types(type_))
    return [type_] if isinstance(type_, GraphQLObjectType) else []


def ways_from_query(schema: GraphQLSchema) -> dict[tuple[str, bool], tuple[tuple[str, str], ...]]:
    """The shortest way to each type that queries lead to: on which it stands in a list, True, or just to it, False."""
    assert schema.query_type is not None
    start = (schema.query_type.name, False)
    ways: dict[tuple[str, bool], tuple[tuple[str, str], ...]] = {start: ()}
    waiting = deque([start])
    while waiting:
        name, is_many = waiting.popleft()
        # What has an id is shown to everybody who may see it, in a list of any length.
        for field_name, field in sorted(fields_of(schema, name), key=lambda each: each[0] != "nodes"):
            for type_ in shown(schema, field):
                reached = (type_.name, is_many or is_list(field))
                if reached not in ways:
                    ways[reached] = (*ways[name, is_many], (name, field_name))
                    waiting.append(reached)
    return ways


def list_fields(schema: GraphQLSchema) -> list[ListField]:
    """Every list that queries lead to, by a way on which its owner stands in a list itself, if there is one."""
    ways = ways_from_query(schema)
    return [
        ListField(owner, name, ways.get((owner, True)) or ways[owner, False])
        for owner in sorted({name for name, _ in ways})
        for name, field in fields_of(schema, owner)
        if is_list(field)
    ]


def fields_of(schema: GraphQLSchema, owner: str) -> Iterator[tuple[str, GraphQLField]]:
    """The fields of a type that can be asked for."""
    type_: Any = schema.type_map[owner]
    for name, field in type_.fields.items():
        if f"{owner}.{name}" not in LEFT_OUT and arguments_of(owner, field) is not None:
            yield name, field


def arguments_of(owner: str, field: GraphQLField) -> str | None:
    """What the field is asked with; None when it wants something that nobody knows here."""
    if get_named_type(field.type).name == "Quote" and owner in QUOTED:
        return f"({QUOTED[owner]})"
    parts = ["first: $first"] if "first" in field.args else []
    for name, argument in field.args.items():
        if (name, str(argument.type)) in GIVEN:
            parts.append(f"{name}: {GIVEN[name, str(argument.type)]}")
        elif name == "ids":
            parts.append("ids: $ids")
        elif is_required_argument(argument):
            return None
    return "(" + ", ".join(parts) + ")" if parts else ""


def query_for(schema: GraphQLSchema, wanted: ListField) -> str:
    """A query that reads the list, all that is in it, and what that leads to."""
    return along(schema, wanted.owner, wanted.way, asked(schema, wanted.owner, wanted.name, DEPTH))


def along(schema: GraphQLSchema, owner: str, way: tuple[tuple[str, str], ...], text: str, **variables: str) -> str:
    """A query that goes that way to the owner and asks it for the text; `variables` are the types of more variables."""
    below = owner
    for above, name in reversed(way):
        field: GraphQLField = schema.type_map[above].fields[name]  # type: ignore[attr-defined]
        inner = f"__typename ... on {below} {{ {text} }}"
        text = f"{name}{arguments_of(above, field)} {{ {_in_edges(field, inner)} }}"
        below = above
    known = {name: type_ for name, type_ in {**VARIABLES, **variables}.items() if f"${name}" in text}
    declared = ", ".join(f"${name}: {type_}" for name, type_ in known.items())
    return f"query({declared}) {{ {text} }}" if known else f"{{ {text} }}"


def asked(schema: GraphQLSchema, owner: str, name: str, depth: int) -> str:
    """The field with all below it, under a name that holds its type's: two types may have the same field otherwise."""
    field: GraphQLField = schema.type_map[owner].fields[name]  # type: ignore[attr-defined]
    text = f"{owner}_{name}: {name}{arguments_of(owner, field)}"
    types = shown(schema, field)
    if not types:
        return text
    parts = []
    for type_ in types:
        inner = [
            asked(schema, type_.name, each, depth - 1)
            for each, below in fields_of(schema, type_.name)
            if depth or not is_composite_type(get_named_type(below.type))
        ]
        parts.append(f"... on {type_.name} {{ __typename {' '.join(inner)} }}")
    return f"{text} {{ {_in_edges(field, ' '.join(parts))} }}"


def _in_edges(field: GraphQLField, inner: str) -> str:
    if get_named_type(field.type).name.endswith("Connection"):
        page = "pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount"
        return f"{page} edges {{ cursor node {{ {inner} }} }}"
    return inner
