"""Executes an operation synchronously, with deferred values.

graphql-core runs resolvers synchronously until one returns an awaitable, and then wants an event loop. Here the
awaitables are coroutines over `loaders.Deferred`, which the request's own scheduler drives: no loop, no threads, no
cost where nothing is deferred. Null propagation, error paths and the serial order of mutations are those of the
specification.

    result = execute(schema, document, context=context, variables={}, operation_name=None).result
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, TypeVar, cast

from graphql import (
    DocumentNode,
    ExecutionContext,
    ExecutionResult,
    FieldNode,
    GraphQLError,
    GraphQLField,
    GraphQLList,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
    located_error,
)
from graphql.execution.execute import get_field_def
from graphql.execution.values import get_argument_values, get_variable_values
from graphql.pyutils import Path, Undefined, is_iterable

from apps.core.db import Habit, Reading
from schema.core.context import Context
from schema.core.costs import Prices, each_time
from schema.core.deadlines import TookTooLong
from schema.core.errors import Code, QueryTooComplex
from schema.core.lean import Execution
from schema.core.loaders import gather, is_deferred
from schema.core.selections import Operations

Result = TypeVar("Result")
Container = TypeVar("Container", dict[str, Any], list[Any])


@dataclass(frozen=True, slots=True)
class Executed:
    """What came of an operation: `points` are what the objects cost that were brought."""

    result: ExecutionResult
    began: bool
    points: float = 0.0


def at_once(read: Callable[[], Result], habit: Habit | None = None) -> Result:
    """A reading of whatever there is to read."""
    return read()


class DeferredExecutionContext(ExecutionContext):
    """graphql-core's executor, waiting for loaders instead of an event loop."""

    is_awaitable = staticmethod(is_deferred)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._opened: list[CoroutineType[Any, Any, Any]] = []
        self.reading: Reading = at_once
        self.prices = Prices()
        self.deadline = self.context_value.deadline
        # What a mutation wrote is told, however late it is.
        self.is_reading = self.operation.operation is not OperationType.MUTATION
        # Points: what the objects cost that were brought, and when it is enough.
        self.spent = 0.0
        self.ceiling = math.inf
        # By the identity of a selection, which is kept beside its price lest another takes its place.
        self._prices_of: dict[int, tuple[dict[str, list[FieldNode]], float]] = {}

    def execute_operation(self, operation: OperationDefinitionNode, root_value: Any) -> dict[str, Any] | None:
        """The data of the operation. Raises GraphQLError when null reaches the root."""

        def execute() -> dict[str, Any] | None:
            data: Any = super(DeferredExecutionContext, self).execute_operation(operation, root_value)
            context = self.context_value
            settled: dict[str, Any] | None = context.loaders.run(data, context=context) if is_deferred(data) else data
            return settled

        try:
            # A mutation shows what it has just written; everything else, one moment.
            return execute() if operation.operation is OperationType.MUTATION else self.reading(execute)
        finally:
            # What a failed sibling made needless was never awaited; closing says that this is meant.
            for coroutine in self._opened:
                coroutine.close()

    def execute_fields(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, fields: dict[str, list[FieldNode]]
    ) -> Any:
        self._charge(parent_type, fields)
        results: dict[str, Any] = {}
        deferred: list[str] = []
        for name, nodes in fields.items():
            value = self.execute_field(parent_type, source_value, nodes, Path(path, name, parent_type.name))
            if value is Undefined:
                continue
            results[name] = value
            if is_deferred(value):
                deferred.append(name)
        return self._open(_settled(results, deferred)) if deferred else results

    def execute_fields_serially(
        self, parent_type: GraphQLObjectType, source_value: Any, path: Path | None, fields: dict[str, list[FieldNode]]
    ) -> dict[str, Any]:
        self._charge(parent_type, fields)
        loaders = self.context_value.loaders
        results: dict[str, Any] = {}
        for name, nodes in fields.items():
            # The mutation before this one has written: nothing read until then may be shown as the present state.
            loaders.forget()
            try:
                self.deadline.check()
            except TookTooLong as error:
                # Each of them may be null, so that what the earlier ones did is told.
                self.collected_errors.add(located_error(error, nodes, [name]), Path(path, name, parent_type.name))
                results[name] = None
                continue
            value = self.execute_field(parent_type, source_value, nodes, Path(path, name, parent_type.name))
            if is_deferred(value):
                value = loaders.run(value, context=self.context_value)
            if value is not Undefined:
                results[name] = value
        return results

    def _charge(self, parent_type: GraphQLObjectType, fields: dict[str, list[FieldNode]]) -> None:
        """Count one object with these fields. Raises QueryTooComplex when it is more than was ever to be expected."""
        known = self._prices_of.get(id(fields))
        if known is None:
            known = self._prices_of[id(fields)] = (fields, self._price(parent_type, fields))
        if self.is_reading:
            self.deadline.check()
        self.spent += known[1]
        if self.spent > self.ceiling:
            raise QueryTooComplex

    def _price(self, parent_type: GraphQLObjectType, fields: dict[str, list[FieldNode]]) -> float:
        prices = self.prices
        if parent_type.name.startswith("__"):
            return prices.per_described
        own = sum(
            each_time(prices.of(parent_type, nodes[0].name.value), nodes[0], self.variable_values)
            for nodes in fields.values()
        )
        return prices.per_object + prices.per_field * len(fields) + own

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        field = get_field_def(self.schema, parent_type, field_nodes[0])
        if field is None:
            return Undefined
        resolve = field.resolve or self.field_resolver
        try:
            arguments = self.arguments_of(field, field_nodes[0])
            info = self.build_resolve_info(field, field_nodes, parent_type, path)
            value = resolve(source, info, **arguments)
            if is_deferred(value):
                return self._open(self._completed_later(field.type, field_nodes, info, path, self._open(value)))
            completed = self.complete_value(field.type, field_nodes, info, path, value)
        except Exception as error:  # noqa: BLE001, RUF100 - every failure of a resolver is a field error
            return self._failed(error, field.type, field_nodes, path)
        if is_deferred(completed):
            return self._open(self._guarded(completed, field.type, field_nodes, path))
        return completed

    def complete_list_value(
        self,
        return_type: GraphQLList[GraphQLOutputType],
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        result: Any,
    ) -> Any:
        if not is_iterable(result):
            return super().complete_list_value(return_type, field_nodes, info, path, result)
        item_type = return_type.of_type
        items: list[Any] = []
        deferred: list[int] = []
        for index, item in enumerate(result):
            value = self._complete_item(item_type, field_nodes, info, path.add_key(index, None), item)
            items.append(value)
            if is_deferred(value):
                deferred.append(index)
        return self._open(_settled(items, deferred)) if deferred else items

    def _complete_item(
        self,
        item_type: GraphQLOutputType,
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        item: Any,
    ) -> Any:
        if is_deferred(item):
            return self._open(self._completed_later(item_type, field_nodes, info, path, self._open(item)))
        try:
            completed = self.complete_value(item_type, field_nodes, info, path, item)
        except Exception as error:  # noqa: BLE001, RUF100 - a failed item must not take the others with it
            return self._failed(error, item_type, field_nodes, path)
        if is_deferred(completed):
            return self._open(self._guarded(completed, item_type, field_nodes, path))
        return completed

    async def _completed_later(
        self,
        return_type: GraphQLOutputType,
        field_nodes: list[FieldNode],
        info: GraphQLResolveInfo,
        path: Path,
        awaitable: Awaitable[Any],
    ) -> Any:
        try:
            completed = self.complete_value(return_type, field_nodes, info, path, await awaitable)
            return await completed if is_deferred(completed) else completed
        except Exception as error:  # noqa: BLE001, RUF100
            return self._failed(error, return_type, field_nodes, path)

    async def _guarded(
        self, awaitable: Awaitable[Any], return_type: GraphQLOutputType, field_nodes: list[FieldNode], path: Path
    ) -> Any:
        try:
            return await awaitable
        except Exception as error:  # noqa: BLE001, RUF100
            return self._failed(error, return_type, field_nodes, path)

    def _failed(
        self, error: Exception, return_type: GraphQLOutputType, field_nodes: list[FieldNode], path: Path
    ) -> None:
        """Null with a collected error where the type allows null; else raises, for the parent to become null."""
        self.handle_field_error(located_error(error, field_nodes, path.as_list()), return_type, path)

    def arguments_of(self, field: GraphQLField, node: FieldNode) -> dict[str, Any]:
        """The field's arguments, read. Raises GraphQLError (BAD_USER_INPUT)."""
        try:
            return get_argument_values(field, node, self.variable_values)
        except GraphQLError as error:
            error.extensions = {**(error.extensions or {}), "code": Code.BAD_USER_INPUT}
            raise

    def _open(self, awaitable: Any) -> Any:
        if isinstance(awaitable, CoroutineType):
            self._opened.append(awaitable)
        return awaitable


def _settled(container: Container, deferred: list[Any]) -> Coroutine[Any, Any, Container]:
    """The container, once its deferred places hold their values."""

    async def settle() -> Container:
        values = await gather([container[key] for key in deferred])
        for key, value in zip(deferred, values, strict=True):
            container[key] = value
        return container

    return settle()


def anew_each_time(run: Callable[[], Result], context: Context) -> Callable[[], Result]:
    """The same, with nothing that an earlier call left in the context."""
    mark = context.mark()
    is_first = True

    def run_anew() -> Result:
        nonlocal is_first
        if not is_first:
            context.go_back(mark)
        is_first = False
        return run()

    return run_anew


def execute(
    schema: GraphQLSchema,
    document: DocumentNode,
    *,
    context: Context,
    variables: Mapping[str, Any] | None = None,
    operation_name: str | None = None,
    root_value: Any = None,
    hide_suggestions: bool = False,
    reading: Reading = at_once,
    prices: Prices | None = None,
    ceiling: float = math.inf,
    operations: Operations | None = None,
) -> Executed:
    """The result; execution does not begin when the operation is unknown or a variable is bad.

    A query, and each event of a subscription, is executed by `reading`; beyond `ceiling` points no more objects are brought.
    With `operations`, which are kept beside the document, `schema.core.lean` executes.
    """
    prices = prices or Prices()
    node = None if operations is None else get_operation_ast(document, operation_name)
    if operations is not None and node is not None:
        given = dict(variables or {})
        coerced: dict[str, Any] | list[GraphQLError] | None = operations.coerced(schema, node, given)
        if coerced is None:
            coerced = get_variable_values(
                schema, node.variable_definitions, given, max_errors=50, hide_suggestions=hide_suggestions
            )
        if isinstance(coerced, list):
            return Executed(ExecutionResult(None, coerced), began=False)
        selected = operations.selected(schema, node, variables=coerced, prices=prices)

        def run() -> Executed:
            lean = Execution(schema, node, selected, context=context, variables=coerced, ceiling=ceiling)
            data = lean.run(root_value)
            return Executed(ExecutionResult(data, lean.errors or None), began=True, points=lean.spent)

        if node.operation is OperationType.MUTATION:
            return run()
        return reading(anew_each_time(run, context), selected.habit(context, coerced))
    execution = DeferredExecutionContext.build(
        schema,
        document,
        root_value,
        context,
        dict(variables or {}),
        operation_name,
        hide_suggestions=hide_suggestions,
    )
    if isinstance(execution, list):
        return Executed(ExecutionResult(None, execution), began=False)
    errors = execution.collected_errors
    deferring = cast(DeferredExecutionContext, execution)
    deferring.reading = reading
    deferring.prices = prices
    deferring.ceiling = ceiling
    try:
        data = deferring.execute_operation(execution.operation, root_value)
    except GraphQLError as error:
        errors.add(error, None)
        data = None
    return Executed(execution.build_response(data, errors.errors), began=True, points=deferring.spent)
