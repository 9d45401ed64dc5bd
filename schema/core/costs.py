"""What a query costs, in points: one is a tenth of a millisecond of processor time, here and in the database together.

    once for each place that brings objects (a statement and its batch), then for each object, and each field of it;
    some fields have prices of their own: what they compute, for each day of a window that they look at, for each entry of a
    list that they are given, and for what makes a search look far.

The prices are measured (`python -m bench.cost`), those of single fields stand in `schema.costs`. A query is charged before it is
executed for the most that it may bring; what it did bring is told beside it in `extensions.cost`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from graphql import (
    EnumValueNode,
    FieldNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    ListValueNode,
    NullValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)

SECONDS_A_DAY = 86_400
# Of an object in a variable, which may be none that the schema knows.
MOST_KEYS = 50
LONGEST_KEY = 50
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class FieldCost:
    """Points beside those of every field: `once` however many objects have the field, `each` for each of them.

    `per_day` is for each day between the arguments `from` and `to`, `longest` days at most, and for each object.
    `seldom` is what it may take beside `once`, and seldom does: held against the limit and not charged. So is `by_argument`, for
    what is given: a key of an argument (`filter.text`), or the value of one (`orderBy=PRICE_ASC`); of each argument the dearest.
    A list `as_long_as` one of its arguments, `longest` at most, costs `per_entry` once for each.
    """

    once: float = 0.0
    each: float = 0.0
    per_day: float = 0.0
    longest: int = 0
    seldom: float = 0.0
    by_argument: Mapping[str, float] = field(default_factory=dict)
    as_long_as: str = ""
    per_entry: float = 0.0


PLAIN = FieldCost()


@dataclass(frozen=True, slots=True)
class Prices:
    """Points, and in `texts` characters: how long the long ones of a text usually are, where they are longer than `text_size`.

    `fields` and `texts` are by "Type.field", where Type may be an interface that the type implements.
    """

    per_request: float = 2.0
    per_place: float = 10.0
    per_object: float = 0.06
    per_field: float = 0.03
    # Looking at the schema: at most, and for each object of its description.
    introspection: float = 1_500.0
    per_described: float = 0.05
    fields: Mapping[str, FieldCost] = field(default_factory=dict)
    text_size: int = 25
    texts: Mapping[str, int] = field(default_factory=dict)

    def of(self, parent: Any, name: str) -> FieldCost:
        """What this field costs beside the price of every field."""
        return _by_field(self.fields, parent, name) or PLAIN

    def text(self, parent: Any, name: str) -> int:
        """How many characters the field may well bring, in each object."""
        return _by_field(self.texts, parent, name) or self.text_size


def _by_field(table: Mapping[str, Value], parent: Any, name: str) -> Value | None:
    found = table.get(f"{parent.name}.{name}")
    if found is None and isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        for interface in parent.interfaces:
            found = found or table.get(f"{interface.name}.{name}")
    return found


def each_time(cost: FieldCost, node: FieldNode, variables: Mapping[str, Any] | None) -> float:
    """What the field adds for each object that has it, with these arguments; the longest window where they are not known."""
    if not cost.per_day:
        return cost.each
    return cost.each + cost.per_day * min(_days(node, variables), cost.longest)


def window_variables(node: FieldNode) -> list[str]:
    """The variables that a window hangs on."""
    return [
        argument.value.name.value
        for argument in node.arguments
        if argument.name.value in {"from", "to"} and isinstance(argument.value, VariableNode)
    ]


def _days(node: FieldNode, variables: Mapping[str, Any] | None) -> float:
    ends: dict[str, datetime] = {}
    for argument in node.arguments:
        value: Any = None
        if isinstance(argument.value, StringValueNode):
            value = argument.value.value
        elif isinstance(argument.value, VariableNode) and variables is not None:
            value = variables.get(argument.value.name.value)
        try:
            ends[argument.name.value] = datetime.fromisoformat(str(value))
        except ValueError:
            continue
    try:
        return max(0.0, (ends["to"] - ends["from"]).total_seconds() / SECONDS_A_DAY)
    except (KeyError, TypeError):
        # Not known, or one of them without a time zone: its own error will say so.
        return float("inf")


def entries(cost: FieldCost, node: FieldNode, variables: Mapping[str, Any] | None) -> int:
    """How long the list is that the argument `as_long_as` makes."""
    for argument in node.arguments:
        if argument.name.value == cost.as_long_as:
            if isinstance(argument.value, ListValueNode):
                return min(len(argument.value.values), cost.longest)
            if isinstance(argument.value, VariableNode) and variables is not None:
                value = variables.get(argument.value.name.value)
                # A value by itself is a list of one.
                return min(len(value), cost.longest) if isinstance(value, list) else 1
    return cost.longest


def seldom_points(cost: FieldCost, node: FieldNode, variables: Mapping[str, Any] | None) -> float:
    """What it may add once, and seldom does. Without variables whatever comes in one counts as the dearest."""
    if not cost.by_argument:
        return cost.seldom
    given = {name for argument in node.arguments for name in _given(argument.name.value, argument.value, variables)}
    dearest: dict[str, float] = {}
    for name, price in cost.by_argument.items():
        argument = re.split("[.=]", name, maxsplit=1)[0]
        if name in given or argument in given:
            dearest[argument] = max(price, dearest.get(argument, 0.0))
    return cost.seldom + sum(dearest.values())


def _given(name: str, value: ValueNode, variables: Mapping[str, Any] | None) -> Iterator[str]:
    """What is given in an argument, as `by_argument` has it; its bare name where that is not known."""
    if isinstance(value, EnumValueNode):
        yield f"{name}={value.value}"
    elif isinstance(value, ObjectValueNode):
        for each in value.fields:
            if not _is_null(each.value, variables):
                yield f"{name}.{each.name.value}"
    elif isinstance(value, VariableNode):
        found = None if variables is None else variables.get(value.name.value)
        if variables is None:
            yield name
        elif isinstance(found, Mapping):
            yield from (f"{name}.{key}" for key, inner in found.items() if inner is not None)
        elif isinstance(found, str):
            yield f"{name}={found}"


def _is_null(value: ValueNode, variables: Mapping[str, Any] | None) -> bool:
    if isinstance(value, VariableNode):
        return variables is not None and variables.get(value.name.value) is None
    return isinstance(value, NullValueNode)


def given_variables(cost: FieldCost, node: FieldNode) -> tuple[list[str], list[str]]:
    """The variables whose values the price hangs on, and those of which only counts what is given in them."""
    values: list[str] = []
    given: list[str] = []
    for argument in node.arguments:
        name, value = argument.name.value, argument.value
        inside = [each.value for each in value.fields] if isinstance(value, ObjectValueNode) else []
        variables = [each.name.value for each in (value, *inside) if isinstance(each, VariableNode)]
        if any(each.startswith(f"{name}=") for each in cost.by_argument):
            values += variables
        elif name == cost.as_long_as or any(each.startswith(f"{name}.") for each in cost.by_argument):
            given += variables
    return values, given


def what_is_given(value: Any) -> str:
    """All of a variable that counts where only that does: whether it is there, the keys in it, or how many entries."""
    if isinstance(value, Mapping):
        return ",".join(
            sorted(str(key)[:LONGEST_KEY] for key, inner in list(value.items())[:MOST_KEYS] if inner is not None)
        )
    if isinstance(value, list):
        return str(len(value))
    return "null" if value is None else "1"
