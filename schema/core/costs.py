"""What a query costs, in points: one is a tenth of a millisecond of processor time, here and in the database together.

    once for each place that brings objects (a statement and its batch), then for each object, and each field of it;
    some fields have prices of their own: what they compute, and for each day of a window that they look at.

The prices are measured (`python -m bench.cost`), those of single fields stand in `schema.costs`. A query is charged before it is
executed for the most that it may bring; what it did bring is told beside it in `extensions.cost`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from graphql import FieldNode, GraphQLInterfaceType, GraphQLObjectType, StringValueNode, VariableNode

SECONDS_A_DAY = 86_400
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class FieldCost:
    """Points beside those of every field: `once` however many objects have the field, `each` for each of them.

    `per_day` is for each day between the arguments `from` and `to`, `longest` days at most, and for each object.
    """

    once: float = 0.0
    each: float = 0.0
    per_day: float = 0.0
    longest: int = 0


PLAIN = FieldCost()


@dataclass(frozen=True, slots=True)
class Prices:
    """Points, and in `texts` characters: how long the long ones of a text usually are, where they are longer than `text_size`.

    `fields` and `texts` are by "Type.field", where Type may be an interface that the type implements.
    """

    per_request: float = 2.0
    per_place: float = 7.0
    per_object: float = 0.08
    per_field: float = 0.035
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
