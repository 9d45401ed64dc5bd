"""Value completion, chosen once for each field of an operation: what graphql-core looks up for each value.

What completes a value is never handed null, nor an exception, nor what has to be waited for.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from graphene import ObjectType
from graphene.types.schema import TypeMap
from graphql import (
    GraphQLAbstractType,
    GraphQLEnumType,
    GraphQLLeafType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
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
# The place of the root is None.
Complete = Callable[["Execution", Any, Any], Any]


def nullable_of(wanted: GraphQLOutputType) -> Any:
    """The type without its `!`."""
    return wanted.of_type if isinstance(wanted, GraphQLNonNull) else wanted


def completing(wanted: Any, field: Field, within: Within) -> Complete:
    """How a value of the nullable type becomes what the answer shows."""
    if is_leaf_type(wanted):
        serialize = serializing(wanted, field.names)
        return lambda _execution, value, _place: serialize(value)
    if is_list_type(wanted):
        return _list(wanted.of_type, field, within)
    if is_object_type(wanted):
        return _object(wanted, field)
    assert is_abstract_type(wanted)
    return _abstract(wanted, field, within)


def serializing(wanted: GraphQLLeafType, names: dict[str, Any]) -> Callable[[Any], Any]:
    """How a value becomes what the answer shows. Raises what graphql-core raises.

    `names` is filled with those of an enum's values, by what resolvers return for them.
    """
    serialize = wanted.serialize
    is_enum = isinstance(wanted, GraphQLEnumType)

    def serialized(value: Any) -> Any:
        if is_enum and value.__class__ is str and value in names:
            return names[value]
        shown = serialize(value)
        if shown is None:
            raise TypeError(f"{wanted} has no way to show {type(value).__name__}.")
        if is_enum and value.__class__ is str:
            names[value] = shown
        return shown

    return serialized


def _object(wanted: GraphQLObjectType, field: Field) -> Complete:
    def complete(execution: Execution, value: Any, place: Place) -> Any:
        return field.below(wanted).show(execution, value, place)

    return complete


def _abstract(wanted: GraphQLAbstractType, field: Field, within: Within) -> Complete:
    name_of = _naming(wanted)
    type_of = _type_of(wanted)
    below: dict[str, Selection] = {}
    # By what is told of the object alone, once it has turned out which type that is.
    told: dict[Any, Selection] = {}

    def complete(execution: Execution, value: Any, place: Place) -> Any:
        known = None if type_of is None else told.get(type_of(value))
        if known is not None:
            return known.show(execution, value, place)
        name = name_of(value, execution.info(field))
        selection = below.get(name)
        if selection is None:
            runtime = within.schema.get_type(name) if isinstance(name, str) else None
            if not is_object_type(runtime) or not within.schema.is_sub_type(wanted, runtime):  # type: ignore[arg-type]
                raise TypeError(f"{name!r} is no type of {wanted.name}.")
            selection = below[name] = field.below(runtime)  # type: ignore[arg-type]
        if type_of is not None:
            told[type_of(value)] = selection
        return selection.show(execution, value, place)

    return complete


def _type_of(wanted: GraphQLAbstractType) -> Callable[[Any], Any] | None:
    """What tells the type of an object by that alone, where the type says so: `default_resolvers.told_by`."""
    resolve_type: Any = wanted.resolve_type
    tell = resolve_type.args[0] if isinstance(resolve_type, functools.partial) and resolve_type.args else resolve_type
    type_of: Callable[[Any], Any] | None = getattr(tell, "type_of", None)
    return type_of


def _naming(wanted: GraphQLAbstractType) -> Callable[[Any, Any], Any]:
    """Tells the name of a value's type. The one of a class that graphene is told is looked up once."""
    resolve_type: Any = wanted.resolve_type
    assert resolve_type is not None, "the schema is supported"
    if not isinstance(resolve_type, functools.partial) or (
        getattr(resolve_type.func, "__func__", None) is not TypeMap.resolve_type
    ):
        return lambda value, info: resolve_type(value, info, wanted)
    tell, own_name = resolve_type.args
    names: dict[type, str] = {}

    def name_of(value: Any, info: Any) -> Any:
        told = tell(value, info)
        name = names.get(told) if isinstance(told, type) else None
        if name is not None:
            return name
        if inspect.isclass(told) and issubclass(told, ObjectType):
            names[told] = str(told._meta.name)  # type: ignore[attr-defined]
            return names[told]
        return resolve_type.func(lambda *_: told, own_name, value, info, wanted)

    return name_of


def _list(of_type: Any, field: Field, within: Within) -> Complete:
    nullable = not isinstance(of_type, GraphQLNonNull)
    complete_item = completing(nullable_of(of_type), field, within)

    def complete(execution: Execution, value: Any, place: Place) -> Any:
        return execution.listed(field, value, place, complete_item, nullable)

    return complete
