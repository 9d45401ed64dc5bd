"""How variables and the arguments of fields are read, worked out once.

What is wrong, and what hangs on more than one variable, graphql-core reads and tells.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    GraphQLArgument,
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    IntValueNode,
    StringValueNode,
    VariableNode,
    is_leaf_type,
    value_from_ast,
)
from graphql.execution.values import get_argument_values
from graphql.pyutils import Undefined, is_iterable
from graphql.utilities import coerce_input_value

from schema.core.errors import Code

# What is written in a document and can be handed out again and again: nobody can change what it becomes.
SCALARS = (IntValueNode, FloatValueNode, StringValueNode, BooleanValueNode, EnumValueNode)

# Reads the arguments of a field with variables that have been coerced. Raises GraphQLError (BAD_USER_INPUT).
Reader = Callable[[Mapping[str, Any]], dict[str, Any]]


class Refused(ValueError):
    """What a client sent is no value of its type."""


class _Unplanned(Exception):
    """An argument hangs on more than one variable, or is wrong: graphql-core reads it each time."""


def read_arguments(definition: GraphQLField, node: FieldNode, variables: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as graphql-core reads them. Raises GraphQLError (BAD_USER_INPUT)."""
    try:
        return get_argument_values(definition, node, dict(variables))
    except GraphQLError as error:
        error.extensions = {**(error.extensions or {}), "code": Code.BAD_USER_INPUT}
        raise


def arguments_reader(definition: GraphQLField, node: FieldNode) -> Reader:
    """A function that gives what `read_arguments` gives, with the least work."""
    given = {each.name.value: each for each in node.arguments}
    try:
        planned = [_plan(name, each, given.get(name)) for name, each in definition.args.items()]
    except _Unplanned:
        return lambda variables: read_arguments(definition, node, variables)
    steps = [step for step in planned if step is not None]

    def read(variables: Mapping[str, Any]) -> dict[str, Any]:
        arguments = {}
        for name, variable, value in steps:
            if variable is not None:
                value = variables.get(variable)
                if value is None:
                    # Null or left out: what stands for it, and whether it may be, graphql-core knows.
                    return read_arguments(definition, node, variables)
            arguments[name] = value
        return arguments

    return read


def _plan(name: str, argument: GraphQLArgument, given: ArgumentNode | None) -> tuple[str, str | None, Any] | None:
    """Under which name the resolver gets it, of which variable, or which value; None where it gets nothing."""
    name = argument.out_name or name
    if given is None:
        if argument.default_value is not Undefined:
            return name, None, argument.default_value
        if isinstance(argument.type, GraphQLNonNull):
            raise _Unplanned
        return None
    if isinstance(given.value, VariableNode):
        return name, given.value.name.value, None
    inner = argument.type.of_type if isinstance(argument.type, GraphQLNonNull) else argument.type
    if not is_leaf_type(inner) or not isinstance(given.value, SCALARS):
        raise _Unplanned
    value = value_from_ast(given.value, argument.type)
    if value is Undefined:
        raise _Unplanned
    return name, None, value


@functools.lru_cache(maxsize=1024)
def value_reader(wanted: Any) -> Callable[[Any], Any]:
    """A function that gives what `coerce_input_value` gives for the type, with the least work. Raises for what is refused, without
    saying why.
    """
    if isinstance(wanted, GraphQLNonNull):
        return _required(value_reader(wanted.of_type))
    if isinstance(wanted, GraphQLList):
        return _list(value_reader(wanted.of_type))
    if isinstance(wanted, GraphQLInputObjectType):
        return functools.partial(coerce_input_value, type_=wanted) if wanted.is_one_of else _object(wanted)
    return _leaf(wanted.parse_value)


def _required(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def required(value: Any) -> Any:
        if value is None:
            raise Refused
        return read(value)

    return required


def _leaf(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def leaf(value: Any) -> Any:
        if value is None:
            return None
        parsed = parse(value)
        if parsed is Undefined:
            raise Refused
        return parsed

    return leaf


def _list(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def items(value: Any) -> Any:
        if value is None:
            return None
        # One value stands for a list of it.
        return [read(each) for each in value] if is_iterable(value) else [read(value)]

    return items


def _object(wanted: GraphQLInputObjectType) -> Callable[[Any], Any]:
    steps: list[tuple[str, str, bool, Any, Callable[[Any], Any]]] = []

    def fields(value: Any) -> Any:
        if value is None:
            return None
        if not isinstance(value, dict) or not value.keys() <= wanted.fields.keys():
            raise Refused
        if not steps:
            # Not before: a type may hold itself.
            steps.extend(
                (name, field.out_name or name, isinstance(field.type, GraphQLNonNull), field.default_value, reader)
                for name, field in wanted.fields.items()
                for reader in [value_reader(field.type)]
            )
        found = {}
        for name, out_name, is_required, default, read in steps:
            if name in value:
                found[out_name] = read(value[name])
            elif default is not Undefined:
                found[out_name] = default
            elif is_required:
                raise Refused
        return wanted.out_type(found)

    return fields
