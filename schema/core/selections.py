"""What an operation selects, worked out once for all its executions.

graphql-core collects the fields, looks up their definitions and chooses how to complete each value again for every object
of every execution. Here that is done at the first object of a type that an operation meets, and kept beside its document.

    selected = Operations(document).selected(schema, node, variables=coerced, prices=prices)
    selected.root.fields            what `schema.core.lean` goes through, in the order of the answer

A selection hangs on nothing but the document, the schema and the variables of its `@skip` and `@include`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Hashable, Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLID,
    GraphQLInterfaceType,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
    OperationDefinitionNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    is_leaf_type,
    type_from_ast,
    visit,
)
from graphql.execution.collect_fields import collect_fields, collect_sub_fields
from graphql.execution.execute import get_field_def
from graphql.type import GraphQLBoolean

from apps.core.db import Habit
from schema.core.arguments import arguments_reader, value_reader
from schema.core.completing import Complete, Place, completing, nullable_of, serializing
from schema.core.context import Context
from schema.core.costs import Prices, each_time
from schema.core.default_resolvers import attribute_or_item
from schema.core.written import written

if TYPE_CHECKING:
    from schema.core.lean import Execution

# Combinations of the conditions of one operation: clients have few.
MOST_KEPT = 16
# Habits of an operation under one choice of them.
MOST_HABITS = 64
# Objects that a selection has shown when a function is written for it, and fields of one operation that functions are written of.
WRITTEN_AFTER = 100
MOST_WRITTEN = 500
# What no value is an instance of.
NO_CLASS = type("NoClass", (), {})
# Those that show a value of this very class as it is.
PLAIN_CLASSES: dict[GraphQLLeafType, type] = {GraphQLString: str, GraphQLID: str, GraphQLBoolean: bool}
# What a leaf may be handed as it is: neither null, nor an error, nor what has to be waited for.
VALUES = frozenset({int, float, str, bool, datetime, date, time, Decimal})


def is_supported(schema: GraphQLSchema) -> bool:
    """Whether every type of the schema tells by itself what its objects are. Else graphql-core's own executor has to look."""
    return all(
        each.is_type_of is None if isinstance(each, GraphQLObjectType) else each.resolve_type is not None
        for each in schema.type_map.values()
        if isinstance(each, GraphQLObjectType | GraphQLInterfaceType | GraphQLUnionType)
    )


class Field:
    """A response key of a selection, with all that does not change from object to object.

    `attribute` is read from the object where no resolver is to be called. A value of the class `plain` is shown as it is, and
    one of a class in `direct` as `serialize` says; `names` are what it said of the values of an enum.
    """

    __slots__ = (
        "_below",
        "_names_below",
        "_within",
        "arguments",
        "attribute",
        "complete",
        "default",
        "definition",
        "direct",
        "key",
        "name",
        "names",
        "nodes",
        "nullable",
        "parent",
        "plain",
        "resolve",
        "serialize",
    )

    def __init__(self, key: str, nodes: list[FieldNode], definition: GraphQLField, within: Within, parent: Any) -> None:
        self.key = key
        self.nodes = nodes
        self.name = nodes[0].name.value
        self.definition = definition
        self.parent: GraphQLObjectType = parent
        self.resolve = definition.resolve or _read
        self.attribute, self.default = _attribute_of(definition, self.name)
        self.nullable = not isinstance(definition.type, GraphQLNonNull)
        inner = nullable_of(definition.type)
        is_leaf = is_leaf_type(inner)
        self.plain = PLAIN_CLASSES.get(inner, NO_CLASS) if is_leaf else NO_CLASS
        self.direct: frozenset[type] = VALUES if is_leaf else frozenset()
        self.names: dict[str, Any] = {}
        self.serialize: Any = serializing(inner, self.names) if is_leaf else None
        self.arguments = arguments_reader(definition, nodes[0]) if definition.args else None
        self.complete = completing(inner, self, within)
        self._within = within
        self._below: dict[str, Selection] = {}
        self._names_below: frozenset[str] | None = None

    def below(self, parent: GraphQLObjectType) -> Selection:
        """What is asked of an object of the type that the field brings."""
        selection = self._below.get(parent.name)
        if selection is None:
            selection = self._below[parent.name] = self._within.below(parent, self.nodes)
        return selection

    @property
    def names_below(self) -> frozenset[str]:
        """The names of all fields that are asked for below."""
        if self._names_below is None:
            self._names_below = _names_below(self.nodes, self._within.fragments)
        return self._names_below


class Selection:
    """The fields of one object type at one place. `price` is in points, None where it hangs on variables.

    `show(execution, source, place)` is the object as the answer has it. Raises what makes it null.
    """

    __slots__ = ("_fixed", "_is_settled", "_shown", "_varying", "fields", "parent", "price", "room", "show")

    def __init__(self, parent: GraphQLObjectType, selected: dict[str, list[FieldNode]], within: Within) -> None:
        self.parent = parent
        self.fields: list[Field] = []
        for key, nodes in selected.items():
            definition = get_field_def(within.schema, parent, nodes[0])
            if definition is not None:
                self.fields.append(Field(key, nodes, definition, within, parent))
        prices = within.prices
        costs = [(prices.of(parent, nodes[0].name.value), nodes[0]) for nodes in selected.values()]
        # Only what hangs on a window of days costs otherwise with other variables.
        self._varying = [(cost, node) for cost, node in costs if cost.per_day]
        self._fixed = prices.per_object + prices.per_field * len(selected)
        self._fixed += sum(cost.each for cost, _ in costs if not cost.per_day)
        if parent.name.startswith("__"):
            self._varying, self._fixed = [], prices.per_described
        self.price = None if self._varying else self._fixed
        self.room = within.room
        self.show: Complete = self._show
        self._shown = 0
        self._is_settled = False

    def priced(self, variables: Mapping[str, Any]) -> float:
        """What one object with these fields costs, in points."""
        return self._fixed + sum(each_time(cost, node, variables) for cost, node in self._varying)

    def _show(self, execution: Execution, source: Any, place: Place | None) -> dict[str, Any]:
        """As long as no function is written: writing one takes as long as showing many objects without."""
        self._shown += 1
        if self._shown > WRITTEN_AFTER:
            self.write()
        return execution.shown(self, source, place)

    def write(self) -> None:
        """Let a function written for this selection show it from now on, if its operation has room for it."""
        if not self._is_settled:
            self._is_settled = True
            self.show = written(self) if self.room.take(len(self.fields)) else _in_a_loop(self)


def _in_a_loop(selection: Selection) -> Complete:
    return lambda execution, source, place: execution.shown(selection, source, place)


class Room:
    """How many fields of an operation may still be written into functions."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MOST_WRITTEN

    def take(self, fields: int) -> bool:
        """Whether there was room for so many, which is taken then."""
        has_room = fields <= self._left
        self._left -= fields if has_room else 0
        return has_room


class Selected:
    """An operation under one choice of its conditions."""

    __slots__ = ("_habits", "root")

    def __init__(self, node: OperationDefinitionNode, within: Within) -> None:
        self._habits: dict[Hashable, Habit] = {}
        root = within.schema.get_root_type(node.operation)
        assert root is not None, "the document is valid"
        fields = collect_fields(within.schema, within.fragments, within.conditions, root, node.selection_set)
        self.root = Selection(root, fields, within)

    def habit(self, context: Context, variables: Mapping[str, Any]) -> Habit:
        """How many statements it takes: by what the caller is, and by which variables were given."""
        role = None if context.user is None else context.user.role
        key = (role, *(name for name, value in variables.items() if value is not None))
        found = self._habits.get(key)
        if found is None:
            found = Habit()
            if len(self._habits) < MOST_HABITS:
                self._habits[key] = found
        return found


def asked_below(info: Any) -> frozenset[str]:
    """The names of all fields that are asked for below the one that is resolved, at any depth, with those that a condition
    leaves out.
    """
    known: frozenset[str] | None = getattr(info, "names_below", None)
    return _names_below(info.field_nodes, info.fragments) if known is None else known


def asked_of(info: Any, type_name: str, names: Container[str]) -> list[tuple[Any, dict[str, Any]]]:
    """Which fields of these names are asked of an object of this type, where that is what the field shows that is resolved.

    Of each what its resolver will be called with beside the object: its info and its arguments. One whose arguments cannot be
    read is left out, and so are all where graphql-core executes, which does not tell beforehand.
    """
    ask = getattr(info, "asked_of", None)
    return [] if ask is None else cast("list[tuple[Any, dict[str, Any]]]", ask(type_name, names))


def asked_of_nodes(info: Any, type_name: str, names: Container[str]) -> list[tuple[Any, dict[str, Any]]]:
    """The same of the nodes of a connection."""
    return [
        asked
        for edges, _ in asked_of(info, f"{type_name}Connection", ("edges",))
        for node, _ in asked_of(edges, f"{type_name}Edge", ("node",))
        for asked in asked_of(node, type_name, names)
    ]


def _names_below(nodes: Iterable[FieldNode], fragments: Mapping[str, FragmentDefinitionNode]) -> frozenset[str]:
    names: set[str] = set()
    spread: set[str] = set()
    waiting = [each.selection_set for each in nodes]
    while waiting:
        selections = waiting.pop()
        for each in selections.selections if selections is not None else ():
            if isinstance(each, FragmentSpreadNode):
                if each.name.value not in spread:
                    spread.add(each.name.value)
                    waiting.append(fragments[each.name.value].selection_set)
                continue
            if isinstance(each, FieldNode):
                names.add(each.name.value)
            waiting.append(each.selection_set)  # type: ignore[attr-defined]
    return frozenset(names)


class Operations:
    """What the operations of one valid document select."""

    def __init__(self, document: DocumentNode) -> None:
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        conditions = _ConditionVisitor()
        visit(document, conditions)
        self._conditions = tuple(sorted(conditions.names))
        self._kept: dict[tuple[Any, ...], Selected] = {}
        self._readers: dict[int, list[tuple[str, Callable[[Any], Any]]]] = {}

    def coerced(
        self, schema: GraphQLSchema, node: OperationDefinitionNode, given: Mapping[str, Any]
    ) -> dict[str, Any] | None:
        """The variables as their types read them; None where graphql-core has to look closer: one is null, missing or refused."""
        readers = self._readers.get(id(node))
        if readers is None:
            readers = self._readers[id(node)] = [_reader(schema, each) for each in node.variable_definitions]
        coerced: dict[str, Any] = {}
        for name, read in readers:
            value = given.get(name)
            if value is None:
                return None
            try:
                coerced[name] = value = read(value)
            except Exception:  # noqa: BLE001, RUF100 - graphql-core says in its own words what is wrong
                return None
        return coerced

    def selected(
        self,
        schema: GraphQLSchema,
        node: OperationDefinitionNode,
        *,
        variables: Mapping[str, Any],
        prices: Prices,
    ) -> Selected:
        """What the operation selects with these variables, which have been coerced."""
        conditions = {name: variables[name] for name in self._conditions if name in variables}
        key = (id(node), *conditions.items())
        found = self._kept.get(key)
        if found is None:
            found = Selected(node, Within(schema, self._fragments, conditions, prices))
            if len(self._kept) < MOST_KEPT:
                self._kept[key] = found
        return found


def _reader(schema: GraphQLSchema, definition: VariableDefinitionNode) -> tuple[str, Callable[[Any], Any]]:
    """A variable's name, and how a value of it that is not null is read."""
    wanted = type_from_ast(schema, definition.type)
    assert wanted is not None, "the document is valid"
    return definition.variable.name.value, value_reader(wanted)


class _ConditionVisitor(Visitor):
    """The variables that say whether something is selected."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        for argument in node.arguments:
            if isinstance(argument.value, VariableNode):
                self.names.add(argument.value.name.value)


class Within:
    """What all selections of one operation share."""

    __slots__ = ("conditions", "fragments", "prices", "room", "schema")

    def __init__(
        self,
        schema: GraphQLSchema,
        fragments: dict[str, FragmentDefinitionNode],
        conditions: dict[str, Any],
        prices: Prices,
    ) -> None:
        self.schema = schema
        self.fragments = fragments
        self.conditions = conditions
        self.prices = prices
        self.room = Room()

    def below(self, parent: GraphQLObjectType, nodes: list[FieldNode]) -> Selection:
        fields = collect_sub_fields(self.schema, self.fragments, self.conditions, parent, nodes)
        return Selection(parent, fields, self)


def _read(source: Any, info: Any, **_arguments: Any) -> Any:
    return attribute_or_item(info.field_name, None, source, info)


def _attribute_of(definition: GraphQLField, name: str) -> tuple[str | None, Any]:
    """The attribute that the resolver would read, and what stands for it where it is missing; None for any other resolver.

    A default resolver of a type may say so of the fields that it only reads: `resolver.reads_attribute(name)`.
    """
    resolve = definition.resolve
    if resolve is None:
        return name, None
    if isinstance(resolve, functools.partial) and len(resolve.args) == 2 and not resolve.keywords:
        reads = getattr(resolve.func, "reads_attribute", None)
        if resolve.func is attribute_or_item or (reads is not None and reads(resolve.args[0])):
            return resolve.args
    return None, None
