"""How values become what an answer shows, chosen once for each field of an operation: what graphql-core looks up for each value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_object_type,
)

if TYPE_CHECKING:
    from schema.core.lean import Execution
    from schema.core.selections import Field, Selection, Within

# Where a value lies: below what, under which key, in which container, and whether null may stand there.
Place = tuple[Any, str | int, Any, bool]
Complete = Callable[["Execution", Any, Place], Any]


def nullable_of(wanted: GraphQLOutputType) -> Any:
    """The type without its `!`."""
    return wanted.of_type if isinstance(wanted, GraphQLNonNull) else wanted


def completing(wanted: Any, field: Field, within: Within) -> Complete:
    """How a value of the nullable type becomes what the answer shows. None stays None."""
    if is_leaf_type(wanted):
        return _leaf(wanted)
    if is_list_type(wanted):
        return _list(wanted.of_type, field, within)
    if is_object_type(wanted):
        return _object(wanted, field)
    assert is_abstract_type(wanted)
    return _abstract(wanted, field, within)


def serializing(wanted: GraphQLLeafType) -> Callable[[Any], Any]:
    """How a value becomes what the answer shows, where it is neither null nor an error. Raises what graphql-core raises."""
    serialize = wanted.serialize
    # The names of an enum's values, by what resolvers return for them.
    names: dict[str, Any] | None = {} if isinstance(wanted, GraphQLEnumType) else None

    def serialized(value: Any) -> Any:
        if names is not None and value.__class__ is str and value in names:
            return names[value]
        shown = serialize(value)
        if shown is None:
            raise TypeError(f"{wanted} has no way to show {type(value).__name__}.")
        if names is not None and value.__class__ is str:
            names[value] = shown
        return shown

    return serialized


def _leaf(wanted: GraphQLLeafType) -> Complete:
    serialize = serializing(wanted)

    def complete(_execution: Execution, value: Any, _place: Place) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise value
        return serialize(value)

    return complete


def _object(wanted: GraphQLObjectType, field: Field) -> Complete:
    below: list[Selection] = []

    def complete(execution: Execution, value: Any, place: Place) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise value
        if not below:
            below.append(field.below(wanted))
        return execution.shown(below[0], value, place)

    return complete


def _abstract(wanted: GraphQLAbstractType, field: Field, within: Within) -> Complete:
    below: dict[str, Selection] = {}
    resolve_type = wanted.resolve_type
    assert resolve_type is not None, "the schema is supported"

    def complete(execution: Execution, value: Any, place: Place) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise value
        name: Any = resolve_type(value, cast(GraphQLResolveInfo, execution.info(field)), wanted)
        selection = below.get(name)
        if selection is None:
            runtime = within.schema.get_type(name) if isinstance(name, str) else None
            if not is_object_type(runtime) or not within.schema.is_sub_type(wanted, runtime):  # type: ignore[arg-type]
                raise TypeError(f"{name!r} is no type of {wanted.name}.")
            selection = below[name] = field.below(runtime)  # type: ignore[arg-type]
        return execution.shown(selection, value, place)

    return complete


def _list(of_type: Any, field: Field, within: Within) -> Complete:
    nullable = not isinstance(of_type, GraphQLNonNull)
    complete_item = completing(nullable_of(of_type), field, within)

    def complete(execution: Execution, value: Any, place: Place) -> Any:
        if value is None:
            return None
        if isinstance(value, Exception):
            raise value
        return execution.listed(field, value, place, complete_item, nullable)

    return complete
