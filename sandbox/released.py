"""Whether clients of the last release can go on: nothing that its schema promised is gone or has become stricter.

`schema/released.graphql` is the schema of the last release; a release replaces it by `schema/schema.graphql`.
"""

from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    find_breaking_changes,
    is_required_argument,
)

from sandbox.folder import ROOT

RELEASED = ROOT / "schema" / "released.graphql"
PRINTED = ROOT / "schema" / "schema.graphql"


def broken_promises(released: str, printed: str) -> list[str]:
    """What breaks clients of the first schema when they meet the second one, in sentences."""
    before, after = build_schema(released), build_schema(printed)
    changes = [change.description for change in find_breaking_changes(before, after)]
    # A default that is taken away makes whoever left the argument to it wrong; to graphql-core that is no break.
    return changes + [f"{name} has lost its default." for name in sorted(_optional(before) & _required(after))]


def _optional(schema: GraphQLSchema) -> set[str]:
    return {name for name, argument in _arguments(schema) if not is_required_argument(argument)}


def _required(schema: GraphQLSchema) -> set[str]:
    return {name for name, argument in _arguments(schema) if is_required_argument(argument)}


def _arguments(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLArgument]]:
    """The arguments of all fields, by their coordinates."""
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in type_.fields.items():
                for argument_name, argument in field.args.items():
                    yield f"{type_.name}.{name}({argument_name}:)", argument


def compare_with_release(released: Path = RELEASED, printed: Path = PRINTED) -> tuple[bool, str]:
    """Passed or not, and what to say about it."""
    try:
        broken = broken_promises(released.read_text(), printed.read_text())
    except FileNotFoundError as error:
        return False, f"{error.filename} is missing."
    if not broken:
        return True, ""
    advice = "Deprecate it first (deprecation_reason) and take it away with a release of its own."
    return False, "\n".join([*broken, advice])
