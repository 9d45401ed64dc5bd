"""Limits on the text of a query, before anything that takes long: before its schema is asked and its fields are compared.

Checking a document against the schema takes some thirty times longer than reading it, and comparing its fields with each
other grows with their square. So a document is counted first, in one walk:

    check_text(text, limits)                raises QueryTooComplex
    check_shape(document, limits)           raises QueryTooComplex, BadUserInput for a number that nothing can hold
    check_variables(variables, limits)      raises BadUserInput

and what the walk cannot see, how often fields of the same name meet through fragments, is bounded in the comparison itself
(`bound_validation`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Protocol

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
)
from graphql.language.ast import QUERY_DOCUMENT_KEYS
from graphql.validation import validation_context
from graphql.validation.rules import overlapping_fields_can_be_merged

from schema.core.errors import BadUserInput, QueryTooComplex

# What a text is made of: a string that nobody closes goes on to its end, so that no text is looked at twice.
TOKENS = re.compile(
    r'''"""(?:[^"\\]|\\(?:"""|.)?|"(?!""))*+(?:""")?'''
    r"""|"(?:[^"\\\n\r]|\\[^\n\r]?)*+"?"""
    r"|\#[^\n\r]*+|[_A-Za-z][_0-9A-Za-z]*+|-?[0-9][-+.0-9A-Za-z]*+|\.\.\.|[^\s,\ufeff]",
    re.DOTALL,
)
# No number of the schema needs more digits, and reading many takes the square of their count.
LONGEST_NUMBER = 100
# Of graphql-core's units, two for each pair of fields that are compared: its own are for documents that run for seconds.
COMPARISONS = 4_000
FRAGMENT_WORK = 3_000


class ShapeLimits(Protocol):
    """How many of each kind a document may hold. `values` are those written in it, `variable_values` those sent beside it."""

    @property
    def characters(self) -> int: ...
    @property
    def tokens(self) -> int: ...
    @property
    def operations(self) -> int: ...
    @property
    def root_fields(self) -> int: ...
    @property
    def fields(self) -> int: ...
    @property
    def fragments(self) -> int: ...
    @property
    def spreads(self) -> int: ...
    @property
    def aliases(self) -> int: ...
    @property
    def directives(self) -> int: ...
    @property
    def variables(self) -> int: ...
    @property
    def values(self) -> int: ...
    @property
    def variable_values(self) -> int: ...
    @property
    def variable_depth(self) -> int: ...


COUNTED: dict[type[Node], str] = {
    OperationDefinitionNode: "operations",
    FieldNode: "fields",
    FragmentDefinitionNode: "fragments",
    FragmentSpreadNode: "spreads",
    DirectiveNode: "directives",
    VariableDefinitionNode: "variables",
}
NAMES = {
    "operations": "operations",
    "root_fields": "root fields",
    "fields": "fields",
    "fragments": "fragments",
    "spreads": "spreads of fragments",
    "aliases": "aliases",
    "directives": "directives",
    "variables": "variables",
    "values": "values",
}


def bound_validation() -> None:
    """Let graphql-core give up comparing fields early. It reads these two where they are defined, for the whole process."""
    overlapping_fields_can_be_merged.MAX_COMPLEXITY_BUDGET = COMPARISONS
    validation_context.MAX_FRAGMENT_WORK = FRAGMENT_WORK


def check_text(text: str, limits: ShapeLimits) -> None:
    """Raises QueryTooComplex for a text that is too long, or has too many tokens, comments among them."""
    if len(text) > limits.characters:
        raise QueryTooComplex(f"The query has more than {limits.characters} characters.")
    for count, _token in enumerate(TOKENS.finditer(text), 1):
        if count > limits.tokens:
            raise QueryTooComplex(f"The query has more than {limits.tokens} tokens.")


def check_shape(document: DocumentNode, limits: ShapeLimits) -> int:
    """How many nodes the document has. Raises QueryTooComplex when it has too many of something, BadUserInput for a number of
    too many digits.
    """
    counts = dict.fromkeys(NAMES, 0)

    def count(name: str, more: int = 1) -> None:
        counts[name] += more
        if counts[name] > getattr(limits, name):
            raise QueryTooComplex(f"The query has more than {getattr(limits, name)} {NAMES[name]}.")

    size = 0
    waiting: list[Node] = [document]
    while waiting:
        node = waiting.pop()
        size += 1
        name = COUNTED.get(type(node))
        if name is not None:
            count(name)
        elif isinstance(node, ValueNode) and not isinstance(node, VariableNode):
            count("values")
            if isinstance(node, IntValueNode | FloatValueNode) and len(node.value) > LONGEST_NUMBER:
                raise BadUserInput("The number is too large.")
        if isinstance(node, FieldNode) and node.alias is not None:
            count("aliases")
        elif isinstance(node, OperationDefinitionNode):
            # Of each operation alone: only one of them is executed.
            counts["root_fields"] = 0
            count("root_fields", len(node.selection_set.selections))
        for key in QUERY_DOCUMENT_KEYS.get(node.kind, ()):
            child = getattr(node, key, None)
            if isinstance(child, Node):
                waiting.append(child)
            elif child:
                waiting.extend(child)
    return size


def check_variables(variables: Mapping[str, Any], limits: ShapeLimits) -> None:
    """Raises BadUserInput when the variables hold more values than any operation takes, or nest deeper."""
    count = 0
    level: list[Any] = [variables]
    for _ in range(limits.variable_depth):
        below: list[Any] = []
        for each in level:
            values = each.values() if isinstance(each, Mapping) else each
            count += len(values)
            if count > limits.variable_values:
                raise BadUserInput(f"The variables hold more than {limits.variable_values} values.")
            below.extend(value for value in values if isinstance(value, list | dict))
        if not below:
            return
        level = below
    raise BadUserInput(f"The variables nest deeper than {limits.variable_depth} levels.")
