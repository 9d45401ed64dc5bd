"""Valid queries of a schema, made up by hypothesis: nested, aliased, repeated, in fragments, under conditions."""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_required_argument,
)
from graphql.pyutils import Undefined
from hypothesis import strategies as st

from schema.core.engine import Answer

# The literals that an argument may be given; none: it is left out.
Literals = Callable[[str, GraphQLArgument], list[str]]

CONDITIONS = ["", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)", " @skip(if: false)"]
HEAD = "query ($yes: Boolean!, $no: Boolean!)"
VARIABLES = {"yes": True, "no": False}


class _Writer:
    """Writes one query, drawing each choice."""

    def __init__(self, schema: GraphQLSchema, draw: Callable[..., Any], literals: Literals, skipped: Set[str]) -> None:
        self.schema = schema
        self.skipped = skipped
        self.draw = draw
        self.literals = literals
        self.fragments: list[str] = []
        self.aliases = 0

    def choose(self, options: list[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def selection(self, parent: Any, depth: int) -> str:
        fields = self.fields(parent, depth)
        parts = [self.field(parent, self.choose(fields), depth) for _ in range(self.draw(st.integers(1, 4)))]
        if depth > 0 and is_abstract_type(parent) and self.draw(st.booleans()):
            concrete = self.choose(list(self.schema.get_possible_types(parent)))
            parts.append(f"... on {concrete.name}{self.choose(CONDITIONS)} {self.selection(concrete, depth - 1)}")
        if depth > 0 and self.draw(st.integers(0, 5)) == 0:
            parts.append(self.fragment(parent, depth - 1))
        return f"{{ __typename {' '.join(parts)} }}"

    def fields(self, parent: Any, depth: int) -> list[str]:
        usable = [name for name, field in parent.fields.items() if name not in self.skipped and self.is_usable(field)]
        leaves = [name for name in usable if is_leaf_type(get_named_type(parent.fields[name].type))]
        return (leaves if depth <= 0 else usable) or ["__typename"]

    def is_usable(self, field: Any) -> bool:
        return all(self.literals(name, each) for name, each in field.args.items() if is_required_argument(each))

    def field(self, parent: Any, name: str, depth: int) -> str:
        # Everything has a name of its own: what is selected twice under one name must be the same both times.
        self.aliases += 1
        written = f"f{self.aliases}: {name}"
        if name == "__typename":
            return written
        field = parent.fields[name]
        given = [f"{arg}: {text}" for arg, each in field.args.items() for text in self.argument(arg, each)]
        written += f"({', '.join(given)})" if given else ""
        written += self.choose(CONDITIONS)
        inner = get_named_type(field.type)
        return written if is_leaf_type(inner) else f"{written} {self.selection(inner, depth - 1)}"

    def argument(self, name: str, argument: GraphQLArgument) -> list[str]:
        literals = self.literals(name, argument)
        is_required = isinstance(argument.type, GraphQLNonNull) and argument.default_value is Undefined
        if not literals or (not is_required and self.draw(st.booleans())):
            return []
        return [self.choose(literals)]

    def fragment(self, parent: Any, depth: int) -> str:
        name = f"Part{len(self.fragments)}"
        self.fragments.append("")
        place = len(self.fragments) - 1
        self.fragments[place] = f"fragment {name} on {parent.name} {self.selection(parent, depth)}"
        return f"...{name}"


def exactly(answer: Answer) -> str:
    """The answer as it is sent, without the ids under which bugs are logged."""
    body = answer.body()
    for error in body.get("errors", []):
        error["extensions"].pop("id", None)
    return json.dumps([body, answer.executed, answer.is_public])


def told(answer: Answer) -> tuple[Any, ...]:
    """What an answer tells, for two executors to be compared by: all but which of several failures inside one thing that
    became null is named, as they may be found in any order, and but the ids under which bugs are logged.
    """
    body = answer.body()
    errors = set()
    for error in body.pop("errors", []):
        place = _nulled(body.get("data"), error.get("path", []))
        named = error["message"] if place == tuple(error.get("path", [])) else ""
        errors.add((place, named))
    return json.dumps(body), frozenset(errors), answer.executed, answer.is_public


def _nulled(data: Any, path: list[Any]) -> tuple[Any, ...]:
    """The place of the null that an error at this path is the reason of."""
    for depth, key in enumerate(path):
        if data is None:
            return tuple(path[:depth])
        data = data[key]
    return tuple(path)


@st.composite
def queries(
    draw: Callable[..., Any],
    schema: GraphQLSchema,
    literals: Literals,
    *,
    depth: int = 4,
    skipped: Set[str] = frozenset(),
) -> str:
    """The text of a query with the variables of VARIABLES, without the fields of the `skipped` names."""
    writer = _Writer(schema, draw, literals, skipped)
    root = schema.query_type
    assert isinstance(root, GraphQLObjectType)
    body = writer.selection(root, depth)
    return "\n".join([f"{HEAD} {body}", *writer.fragments])
