"""How much a query asks for, measured on the document before anything is executed.

Six figures, each with a limit: how deep it nests, how many root fields it has, in how many places it asks for a list,
how many objects it can bring at most, how long their texts may be, and what all that costs (`schema.core.costs`). A
connection brings `first` or `last` objects, 20 when neither is given and 100 at most; any other list is taken for 10,
but where an argument says how long it is.
Fragments on different object types exclude each other, so only the dearest of them counts.

    asked = measure(schema, document, operation, variables={"n": 50}, limits=limits, prices=prices)
    admit(asked, limits)            raises QueryTooComplex

A whole page of 100 listings with their images and reviews, or 50 bookings with lines, payments and history, stays
below; three connections of 100 inside each other, or 200 lists under 200 names, do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    value_from_ast_untyped,
)
from graphql.execution.execute import get_field_def

from schema.core.costs import Prices, each_time, entries, given_variables, seldom_points, window_variables
from schema.core.errors import QueryTooComplex
from schema.core.pagination import DEFAULT_PAGE, LARGEST_PAGE

ASSUMED_LIST = 10


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest query that is answered: its text, what stands in it (`schema.core.syntax_limits`), and what it asks for."""

    characters: int = 60_000
    tokens: int = 2_000
    operations: int = 20
    fields: int = 600
    fragments: int = 60
    spreads: int = 200
    aliases: int = 200
    directives: int = 100
    variables: int = 100
    values: int = 500
    variable_values: int = 5_000
    variable_depth: int = 40
    depth: int = 18
    root_fields: int = 100
    lists: int = 120
    objects: int = 60_000
    size: int = 5_000_000
    points: int = 2_500


@dataclass(frozen=True, slots=True)
class Measure:
    depth: int = 0
    lists: int = 0
    objects: int = 0
    # Characters of the answer, where texts are as long as long ones usually are.
    size: int = 0
    # Points: for the places, however many objects they are asked for, and for the objects.
    once: float = 0.0
    each: float = 0.0
    # Points beside, of what a search takes at worst and most do not: held against the limit and charged to nobody.
    seldom: float = 0.0
    # The variables that page sizes and windows came from: the figures hold for these values only.
    varies: frozenset[str] = frozenset()
    # Those of which only counts what is given in them (`costs.what_is_given`).
    given: frozenset[str] = frozenset()

    @property
    def points(self) -> int:
        """What it costs at most."""
        return math.ceil(self.once + self.each + self.seldom)

    @property
    def charged(self) -> int:
        """What its caller pays."""
        return math.ceil(self.once + self.each)

    def beside(self, other: Measure) -> Measure:
        """Both are selected."""
        return Measure(
            max(self.depth, other.depth),
            self.lists + other.lists,
            self.objects + other.objects,
            self.size + other.size,
            self.once + other.once,
            self.each + other.each,
            self.seldom + other.seldom,
            self.varies | other.varies,
            self.given | other.given,
        )

    def instead(self, other: Measure) -> Measure:
        """Only one of them can apply."""
        return Measure(
            max(self.depth, other.depth),
            max(self.lists, other.lists),
            max(self.objects, other.objects),
            max(self.size, other.size),
            max(self.once, other.once),
            max(self.each, other.each),
            max(self.seldom, other.seldom),
            self.varies | other.varies,
            self.given | other.given,
        )


NOTHING = Measure()


def measure(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    *,
    variables: Mapping[str, Any] | None,
    limits: Limits,
    prices: Prices,
) -> Measure:
    """What the operation asks for. Raises QueryTooComplex for too many root fields; `admit` knows the other limits.

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
        return NOTHING
    if variables is not None:
        variables = {**_defaults(operation), **variables}
    meter = _Meter(schema, fragments, variables, prices)
    roots = meter.field_count(operation.selection_set)
    if roots > limits.root_fields:
        raise QueryTooComplex(f"The query has {roots} root fields; at most {limits.root_fields} are answered.")
    return Measure(once=prices.per_request).beside(meter.selections(operation.selection_set, root, page=1))


def admit(asked: Measure, limits: Limits) -> None:
    """Raises QueryTooComplex beyond a limit."""
    for name, value, limit in (
        ("nests {} levels deep", asked.depth, limits.depth),
        ("asks for lists in {} places", asked.lists, limits.lists),
        ("may bring {} objects", asked.objects, limits.objects),
        ("may bring {} characters", asked.size, limits.size),
        ("may cost {} points", asked.points, limits.points),
    ):
        if value > limit:
            raise QueryTooComplex(f"The query {name.format(value)}; the limit is {limit}.")


def _defaults(operation: OperationDefinitionNode) -> dict[str, Any]:
    """What variables are that are not given."""
    return {
        definition.variable.name.value: value_from_ast_untyped(definition.default_value)
        for definition in operation.variable_definitions
        if definition.default_value is not None
    }


class _Meter:
    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        variables: Mapping[str, Any] | None,
        prices: Prices,
    ) -> None:
        self._schema = schema
        self._prices = prices
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
        asked = self._priced(node, parent, page)
        if node.name.value in {"__schema", "__type"}:
            # Its lists are far longer than others, and all of it lies in memory.
            return replace(asked, size=0, once=self._prices.introspection, each=0.0)
        return asked

    def _priced(self, node: FieldNode, parent: Any, page: int) -> Measure:
        field = get_field_def(self._schema, parent, node)
        prices = self._prices
        if field is None:
            return Measure(depth=1, each=prices.per_field)
        own = prices.of(parent, node.name.value)
        length = entries(own, node, self._variables) if own.as_long_as else ASSUMED_LIST
        values, given = given_variables(own, node)
        if own.per_day:
            values += window_variables(node)
        here = Measure(
            depth=1,
            size=len(node.alias.value if node.alias else node.name.value) + prices.text(parent, node.name.value),
            once=own.once + own.per_entry * length,
            each=prices.per_field + each_time(own, node, self._variables),
            seldom=seldom_points(own, node, self._variables),
            varies=frozenset(values),
            given=frozenset(given),
        )
        kind = get_named_type(field.type)
        if node.selection_set is None or not is_composite_type(kind):
            return here
        nullable = field.type.of_type if isinstance(field.type, GraphQLNonNull) else field.type
        if "first" in field.args and "last" in field.args:
            size, variables = self._page_size(node, field)
            inner = self.selections(node.selection_set, kind, page=size)
            place = Measure(lists=1, objects=1, once=prices.per_place, each=prices.per_object, varies=variables)
            return _below(here, inner, place)
        inner = self.selections(node.selection_set, kind, page=1)
        if is_list_type(nullable):
            if node.name.value == "edges" and page > 1:
                return _below(here, _times(inner, page, prices.per_object), NOTHING)
            place = Measure(lists=1, objects=length, once=prices.per_place)
            return _below(here, _times(inner, length, prices.per_object), place)
        return _below(here, inner, Measure(objects=1, each=prices.per_object))

    def _page_size(self, node: FieldNode, field: GraphQLField) -> tuple[int, frozenset[str]]:
        size, variables = DEFAULT_PAGE, set()
        for argument in node.arguments:
            if argument.name.value not in {"first", "last"}:
                continue
            value: Any = None
            if isinstance(argument.value, IntValueNode):
                value = int(argument.value.value) if len(argument.value.value) < 6 else LARGEST_PAGE
            elif isinstance(argument.value, VariableNode):
                variables.add(argument.value.name.value)
                value = LARGEST_PAGE if self._variables is None else self._variables.get(argument.value.name.value)
            # 100.0 is a whole number too, where it comes in a variable.
            if isinstance(value, int | float):
                size = max(1, int(min(value, LARGEST_PAGE)))
        return size, frozenset(variables)


def _times(inner: Measure, count: int, price: float) -> Measure:
    """So many objects, each of which brings what is inside. The places inside are filled for all of them together."""
    return replace(inner, objects=inner.objects * count, size=inner.size * count, each=(inner.each + price) * count)


def _below(here: Measure, inner: Measure, place: Measure) -> Measure:
    """A field with what is selected of it, which is one level deeper."""
    return replace(here.beside(inner).beside(place), depth=inner.depth + 1)
