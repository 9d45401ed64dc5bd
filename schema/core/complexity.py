"""How much a query asks for, measured on the document before anything is executed.

Four figures, each with a limit: how deep it nests, how many root fields it has, in how many places it asks for a list,
and how many objects it can bring at most. A connection brings `first` or `last` objects, 20 when neither is given and
100 at most; any other list is taken for 10. Fragments on different object types exclude each other, so only the dearest
of them counts.

    check(schema, document, operation, variables={"n": 50}, limits=Limits())      raises QueryTooComplex

A whole page of 100 listings with their images and reviews, or 50 bookings with lines, payments and history, stays
below; three connections of 100 inside each other, or 200 lists under 200 names, do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_composite_type,
    is_list_type,
)
from graphql.execution.execute import get_field_def

from schema.core.errors import QueryTooComplex
from schema.core.pagination import DEFAULT_PAGE, LARGEST_PAGE

ASSUMED_LIST = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest query that is answered. `tokens` and `characters` are those of its text."""

    characters: int = 100_000
    tokens: int = 8_000
    depth: int = 18
    root_fields: int = 100
    lists: int = 120
    objects: int = 60_000


@dataclass(frozen=True, slots=True)
class Measure:
    depth: int = 0
    lists: int = 0
    objects: int = 0
    # Whether a page size came from a variable, so that the figures hold for these variables only.
    varies: bool = False

    def beside(self, other: Measure) -> Measure:
        """Both are selected."""
        return Measure(
            max(self.depth, other.depth),
            self.lists + other.lists,
            self.objects + other.objects,
            self.varies or other.varies,
        )

    def instead(self, other: Measure) -> Measure:
        """Only one of them can apply."""
        return Measure(
            max(self.depth, other.depth),
            max(self.lists, other.lists),
            max(self.objects, other.objects),
            self.varies or other.varies,
        )


NOTHING = Measure()


def check(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    *,
    variables: Mapping[str, Any] | None,
    limits: Limits,
) -> bool:
    """Whether the answer depends on the variables. Raises QueryTooComplex beyond a limit.

    The document must be valid: fragments that contain themselves would never end. Without variables (None) every page
    size in a variable counts as the largest.
    """
    fragments = {
        definition.name.value: definition
        for definition in document.definitions
        if isinstance(definition, FragmentDefinitionNode)
    }
    root = schema.get_root_type(operation.operation)
    if root is None:
        return False
    measure = _Meter(schema, fragments, variables)
    roots = measure.field_count(operation.selection_set)
    if roots > limits.root_fields:
        raise QueryTooComplex(f"The query has {roots} root fields; at most {limits.root_fields} are answered.")
    total = measure.selections(operation.selection_set, root, page=1)
    for name, value, limit in (
        ("nests {} levels deep", total.depth, limits.depth),
        ("asks for lists in {} places", total.lists, limits.lists),
        ("may bring {} objects", total.objects, limits.objects),
    ):
        if value > limit:
            raise QueryTooComplex(f"The query {name.format(value)}; the limit is {limit}.")
    return total.varies


class _Meter:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: Mapping[str, Any] | None,
    ) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._measured: dict[tuple[str, str, int], Measure] = {}
        self._counted: dict[str, int] = {}

    def field_count(self, selections: SelectionSetNode) -> int:
        """How many fields are directly selected, through fragments too."""
        count = 0
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                count += 1
            elif isinstance(selection, InlineFragmentNode):
                count += self.field_count(selection.selection_set)
            elif isinstance(selection, FragmentSpreadNode):
                name = selection.name.value
                if name not in self._counted:
                    self._counted[name] = self.field_count(self._fragments[name].selection_set)
                count += self._counted[name]
        return count

    def selections(self, selections: SelectionSetNode, parent: Any, *, page: int) -> Measure:
        """What one object of the parent type brings. `page` is the size of the connection whose `edges` are in here."""
        common = NOTHING
        by_type: dict[str, Measure] = {}
        for selection in selections.selections:
            if isinstance(selection, FieldNode):
                common = common.beside(self._field(selection, parent, page))
                continue
            if isinstance(selection, FragmentSpreadNode):
                condition, measure = self._fragment(selection.name.value, page)
            elif isinstance(selection, InlineFragmentNode):
                named = selection.type_condition
                condition = self._schema.type_map[named.name.value] if named else parent
                measure = self.selections(selection.selection_set, condition, page=page)
            if isinstance(condition, GraphQLObjectType) and condition is not parent:
                by_type[condition.name] = by_type.get(condition.name, NOTHING).beside(measure)
            else:
                common = common.beside(measure)
        dearest = NOTHING
        for measure in by_type.values():
            dearest = dearest.instead(measure)
        return common.beside(dearest)

    def _fragment(self, name: str, page: int) -> tuple[Any, Measure]:
        fragment = self._fragments[name]
        condition = self._schema.type_map[fragment.type_condition.name.value]
        key = (name, condition.name, page)
        if key not in self._measured:
            self._measured[key] = self.selections(fragment.selection_set, condition, page=page)
        return condition, self._measured[key]

    def _field(self, node: FieldNode, parent: Any, page: int) -> Measure:
        field = get_field_def(self._schema, parent, node)
        if field is None or node.selection_set is None:
            return Measure(depth=1)
        kind = get_named_type(field.type)
        if not is_composite_type(kind):
            return Measure(depth=1)
        nullable = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        if "first" in field.args and "last" in field.args:
            size, varies = self._page_size(node, field)
            inner = self.selections(node.selection_set, kind, page=size)
            return Measure(inner.depth + 1, inner.lists + 1, inner.objects + 1, inner.varies or varies)
        inner = self.selections(node.selection_set, kind, page=1)
        if is_list_type(nullable):
            if node.name.value == "edges" and page > 1:
                return Measure(inner.depth + 1, inner.lists, inner.objects * page, inner.varies)
            return Measure(inner.depth + 1, inner.lists + 1, (inner.objects + 1) * ASSUMED_LIST, inner.varies)
        return Measure(inner.depth + 1, inner.lists, inner.objects + 1, inner.varies)

    def _page_size(self, node: FieldNode, field: GraphQLField) -> tuple[int, bool]:
        size, varies = DEFAULT_PAGE, False
        for argument in node.arguments:
            if argument.name.value not in {"first", "last"}:
                continue
            value: Any = None
            if isinstance(argument.value, IntValueNode):
                value = int(argument.value.value) if len(argument.value.value) < 6 else LARGEST_PAGE
            elif isinstance(argument.value, VariableNode):
                varies = True
                value = LARGEST_PAGE if self._variables is None else self._variables.get(argument.value.name.value)
            if isinstance(value, int):
                size = max(1, min(value, LARGEST_PAGE))
        return size, varies
