"""The compiled executor: executes an operation whose selections were worked out before, with deferred values.

It answers as `schema.core.execution` does, which stays for what is not supported here and is compared with it by tests:
the same data, the same errors in the same order, null where null reaches, mutations one after the other. What makes it
cheaper: nothing about a field is looked up twice, a field that only reads an attribute calls nothing, and what waits for a
loader waits in a list and not in a coroutine.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from contextlib import suppress
from types import CoroutineType
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    located_error,
)
from graphql.pyutils import is_iterable

from schema.core.completing import Complete, Place
from schema.core.context import Context
from schema.core.deadlines import ENDLESS, TookTooLong
from schema.core.default_resolvers import MISSING, absent
from schema.core.errors import QueryTooComplex
from schema.core.loaders import Deferred, StuckError
from schema.core.selections import Field, Selected, Selection

# Points between two looks at the clock.
LOOK_EVERY = 10.0

# What a resolver is called with beside its object.
Call = tuple["FieldInfo", dict[str, Any]]


class FieldInfo:
    """What a resolver is told beside its object: one for all objects that have the field, so it knows no path."""

    __slots__ = ("_execution", "_field", "context", "field_name", "parent_type")

    def __init__(self, execution: Execution, field: Field) -> None:
        self._execution = execution
        self._field = field
        self.context = execution.context
        self.field_name = field.name
        self.parent_type = field.parent

    @property
    def names_below(self) -> frozenset[str]:
        return self._field.names_below

    def asked_of(self, type_name: str, names: Container[str]) -> list[Call]:
        """Of what is asked of an object of the type, the fields of these names: see `schema.core.selections.asked_of`."""
        return self._execution.asked_of(self._field, type_name, names)

    @property
    def return_type(self) -> Any:
        return self._field.definition.type

    @property
    def schema(self) -> GraphQLSchema:
        return self._execution.schema

    @property
    def variable_values(self) -> Mapping[str, Any]:
        return self._execution.variables


class _NothingLeft(Exception):
    """Null has reached the root: there is no data."""


class Execution:
    """One execution of an operation. `variables` have been coerced; `ceiling` is in points."""

    def __init__(
        self,
        schema: GraphQLSchema,
        operation: OperationDefinitionNode,
        selected: Selected,
        *,
        context: Context,
        variables: dict[str, Any],
        ceiling: float = math.inf,
    ) -> None:
        self.schema = schema
        self.context = context
        self.variables = variables
        self.errors: list[GraphQLError] = []
        # Points: what the objects cost that were brought, and when it is enough.
        self.spent = 0.0
        self.ceiling = ceiling
        # What a mutation wrote is told, however late it is.
        self._deadline = ENDLESS if operation.operation is OperationType.MUTATION else context.deadline
        self.look_at = 0.0
        self._operation = operation
        self._root = selected.root
        self._infos: dict[Field, FieldInfo] = {}
        self._calls: dict[Field, Call] = {}
        # What the resolvers of a selection are called with, in the order of its function.
        self.ready: dict[Selection, tuple[Any, ...]] = {}
        self._prices: dict[Selection, float] = {}
        # Places that became null because of an error, by their identity: what comes for below is not wanted any more.
        self._nulled: dict[int, Place] = {}
        self._waiting: list[tuple[Any, Field, Complete, bool, Place]] = []

    def run(self, root_value: Any) -> dict[str, Any] | None:
        """The data; None when null reached the root. The errors are in `errors`, in graphql-core's order."""
        try:
            if self._operation.operation is OperationType.MUTATION:
                data = self._one_by_one(root_value)
            else:
                data = self._root.show(self, root_value, None)
                self._settle()
        except _NothingLeft:
            data = None
        except GraphQLError as error:
            self.errors.append(error)
            data = None
        finally:
            # What a failed sibling made needless was never awaited; closing says that this is meant.
            for waiting in self._waiting:
                _close(waiting[0])
            # They hold this execution: without them it is gone at once, with all that was read, and not when a collector comes.
            self._infos.clear()
            self._calls.clear()
            self.ready.clear()
        self.errors.sort(key=lambda error: (error.locations or [], error.path or [], error.message))
        return data

    def _one_by_one(self, root_value: Any) -> dict[str, Any]:
        data: dict[str, Any] = {}
        self.charge(self._root)
        for field in self._root.fields:
            # The mutation before this one has written: nothing read until then may be shown as the present state.
            self.context.loaders.forget()
            if self.context.deadline.is_over():
                # Each of them may be null, so that what the earlier ones did is told.
                data[field.key] = None
                self.errors.append(located_error(TookTooLong(), field.nodes, [field.key]))
                continue
            self.put(field, self._read(field, root_value), data, None)
            self._settle()
        return data

    def shown(self, selection: Selection, source: Any, place: Place | None) -> dict[str, Any]:
        """The object with the fields of the selection. Raises what makes it null."""
        self.charge(selection)
        return self.looped(selection, source, place)

    def looped(self, selection: Selection, source: Any, place: Place | None) -> dict[str, Any]:
        """The same of an object that was counted."""
        shown: dict[str, Any] = {}
        is_mapping = isinstance(source, dict)
        # Most of the time of an answer goes by in this loop, so that nothing in it calls what it can do itself.
        for field in selection.fields:
            try:
                attribute = field.attribute
                if attribute is None:
                    info, arguments = self._calls.get(field) or self._call(field)
                    value = field.resolve(source, info, **arguments)
                elif is_mapping:
                    value = source.get(attribute, field.default)
                else:
                    value = getattr(source, attribute, MISSING)
                    if value is MISSING:
                        value = absent(source, attribute, field.default)
                kind = value.__class__
                if kind is field.plain:
                    shown[field.key] = value
                    continue
                if kind in field.direct:
                    shown[field.key] = field.serialize(value)
                    continue
            except Exception as error:  # noqa: BLE001, RUF100 - every failure of a resolver is a field error
                value = error
            self.put(field, value, shown, place)
        return shown

    def _read(self, field: Field, source: Any) -> Any:
        """What the resolver of a mutation returns, or the exception that it raises."""
        try:
            info, arguments = self._calls.get(field) or self._call(field)
            return field.resolve(source, info, **arguments)
        except Exception as error:  # noqa: BLE001, RUF100 - every failure of a resolver is a field error
            return error

    def put(self, field: Field, value: Any, shown: dict[str, Any], above: Place | None) -> None:
        """What the field shows, under its key: of any value, also of an exception and of what has to be waited for.

        Raises what makes the object null.
        """
        place = (above, field.key, shown, field.nullable)
        kind = value.__class__
        if kind is Deferred or kind is CoroutineType:
            shown[field.key] = None
            self._waiting.append((value, field, field.complete, field.nullable, place))
            return
        try:
            shown[field.key] = self._completed(field, value, place, field.complete, field.nullable)
        except Exception as error:  # noqa: BLE001, RUF100 - a failed field must not take the others with it
            shown[field.key] = None
            self.fail(error, field, place)

    def _completed(self, field: Field, value: Any, place: Place, complete: Complete, nullable: bool) -> Any:
        if value is None:
            if nullable:
                return None
            raise _missing(field)
        if isinstance(value, Exception):
            raise value
        return complete(self, value, place)

    def listed(self, field: Field, values: Any, place: Place, complete: Complete, nullable: bool) -> list[Any]:
        """The list with each item completed. Raises what makes it null."""
        if values.__class__ is not list and not is_iterable(values):
            raise TypeError(f"A list is needed for {field.parent.name}.{field.name}.")
        items: list[Any] = []
        for index, value in enumerate(values):
            its = (place, index, items, nullable)
            kind = value.__class__
            if kind is Deferred or kind is CoroutineType:
                items.append(None)
                self._waiting.append((value, field, complete, nullable, its))
                continue
            try:
                if value is None or isinstance(value, Exception):
                    done = self._completed(field, value, its, complete, nullable)
                else:
                    done = complete(self, value, its)
            except Exception as error:  # noqa: BLE001, RUF100 - a failed item must not take the others with it
                done = None
                self.fail(error, field, its)
            items.append(done)
        return items

    def info(self, field: Field) -> FieldInfo:
        """What the field's resolvers are told."""
        found = self._infos.get(field)
        if found is None:
            found = self._infos[field] = FieldInfo(self, field)
        return found

    def asked_of(self, field: Field, type_name: str, names: Container[str]) -> list[Call]:
        """How fields of these names will be resolved on an object of the type that the field shows."""
        type_ = self.schema.get_type(type_name)
        assert isinstance(type_, GraphQLObjectType), type_name
        calls = []
        for each in field.below(type_).fields:
            if each.name in names:
                # One that cannot be read is an error at its own place, once that is come to.
                with suppress(GraphQLError):
                    calls.append(self._calls.get(each) or self._call(each))
        return calls

    def _call(self, field: Field) -> Call:
        """Raises GraphQLError (BAD_USER_INPUT) for an argument that cannot be read."""
        arguments = {} if field.arguments is None else field.arguments(self.variables)
        call = self._calls[field] = (self.info(field), arguments)
        return call

    def prepare(self, selection: Selection, fields: list[Field]) -> tuple[Any, ...] | None:
        """What the resolvers of these fields are called with, and None where an argument of one cannot be read."""
        ready: list[Any] = []
        try:
            for field in fields:
                ready += self._calls.get(field) or self._call(field)
        except Exception:  # noqa: BLE001, RUF100 - its field will say so
            return None
        return self.ready.setdefault(selection, tuple(ready))

    def charge(self, selection: Selection) -> None:
        """Count one object with these fields. Raises QueryTooComplex when it is more than was ever to be expected."""
        price = selection.price
        if price is None:
            price = self._prices.get(selection)
            if price is None:
                price = self._prices[selection] = selection.priced(self.variables)
        self.spent += price
        if self.spent > self.look_at:
            self.look()

    def look(self) -> None:
        """Raises QueryTooComplex beyond the ceiling, TookTooLong when nobody waits any more."""
        if self.spent > self.ceiling:
            raise QueryTooComplex
        self._deadline.check()
        self.look_at = min(self.ceiling, self.spent + LOOK_EVERY)

    def _settle(self) -> None:
        """Completes all that waits, dispatching the loaders each time everything waits for them.

        Raises StuckError when something waits for what no loader delivers.
        """
        while self._waiting:
            if self._advance():
                continue
            self._deadline.check()
            if not self.context.loaders.dispatch(self.context):
                raise StuckError("The execution waits for something that no loader delivers.")

    def _advance(self) -> bool:
        """Goes as far as it gets without a loader. Returns whether anything was completed or came to wait."""
        waiting, self._waiting = self._waiting, []
        is_moved = False
        for index, each in enumerate(waiting):
            awaited, field, complete, nullable, place = each
            try:
                if self._nulled and self._is_nulled(place):
                    _close(awaited)
                    is_moved = True
                    continue
                if awaited.__class__ is Deferred:
                    if not awaited.is_settled:
                        self._waiting.append(each)
                        continue
                    value = awaited.value()
                else:
                    try:
                        awaited.send(None)
                    except StopIteration as stop:
                        value = stop.value
                    else:
                        self._waiting.append(each)
                        continue
                is_moved = True
                place[2][place[1]] = self._completed(field, value, place, complete, nullable)
            except Exception as error:  # noqa: BLE001, RUF100 - every failure of a resolver is a field error
                is_moved = True
                try:
                    self._fail_late(error, field, place)
                except _NothingLeft:
                    self._waiting.extend(waiting[index + 1 :])
                    raise
            except BaseException:
                # Whatever ends the whole execution: what still waits is closed.
                self._waiting.extend(waiting[index + 1 :])
                raise
        return is_moved

    def fail(self, error: Exception, field: Field, place: Place) -> None:
        """Keeps the error where null is allowed; else raises it, for what holds the value to become null."""
        located = located_error(error, field.nodes, _keys(place))
        if not place[3]:
            raise located
        self._keep(located, place)

    def _fail_late(self, error: Exception, field: Field, place: Place) -> None:
        """The same for a value that came after what holds it was shown. Raises _NothingLeft."""
        located = located_error(error, field.nodes, _keys(place))
        at: Place | None = place
        while at is not None and not at[3]:
            at = at[0]
        if at is None:
            self.errors.append(located)
            raise _NothingLeft
        self._keep(located, at)
        at[2][at[1]] = None

    def _keep(self, error: GraphQLError, place: Place) -> None:
        """One error for what became null, and none for what lies below it."""
        if not self._nulled or not self._is_nulled(place):
            self._nulled[id(place)] = place
            self.errors.append(error)

    def _is_nulled(self, place: Place) -> bool:
        at: Place | None = place
        while at is not None:
            if id(at) in self._nulled:
                return True
            at = at[0]
        return False


def _missing(field: Field) -> TypeError:
    return TypeError(f"Cannot return null for non-nullable field {field.parent.name}.{field.name}.")


def _close(awaited: Any) -> None:
    if isinstance(awaited, CoroutineType):
        awaited.close()


def _keys(place: Place | None) -> list[str | int]:
    keys: list[str | int] = []
    while place is not None:
        keys.append(place[1])
        place = place[0]
    return keys[::-1]
