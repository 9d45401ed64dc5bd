"""From the text of a query to the answer, for any transport.

    engine = Engine(schema)
    answer = engine.answer(Operation(query="{ me { email } }"), context=context)
    answer.body()           {"data": {"me": None}}

`schema.core.documents` reads the text, `schema.core.execution` executes.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import graphene
import orjson
from django.conf import settings
from graphql import (
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    OperationType,
    get_operation_ast,
)

from apps.core.db import Reading, provided
from apps.core.postgres.session import ProvisoFailed
from schema.core.caching import Opened, open_kept
from schema.core.complexity import NOTHING, Limits, Measure, admit, measure
from schema.core.context import Context
from schema.core.costs import Prices, what_is_given
from schema.core.documents import Document, DocumentRefused, Documents, Plan
from schema.core.errors import BadUserInput, RateLimited, formatted, internal_error
from schema.core.execution import Executed, at_once, execute
from schema.core.permissions import beginning_with_statement
from schema.core.persisted import DocumentName, keep, text_of
from schema.core.selections import is_supported
from schema.core.syntax_limits import check_variables
from schema.core.watching import Watch, entered, recognized, unwatched

# Measures of one operation: by its page sizes and windows, which differ little.
MOST_MEASURED = 50
LONGEST_INSTANT = 64
# Lists that are no pages may be longer than they are taken for; beyond so many times the largest query they end.
CEILING = 4

# Points: of a text that is no valid document.
REFUSAL_POINTS = 10
CHARACTERS_PER_POINT = 40
MOST_REFUSAL_POINTS = 500

# Takes points from a caller and says how many are left, None where they are not counted. Raises GraphQLError.
Charge = Callable[[Context, int], int | None]
# Counts the request itself, where that has not been done. Raises GraphQLError.
Settle = Callable[[Context], None]
# Gives back what was counted against a caller who turned out to be another one.
GiveBack = Callable[[Context], None]


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client sent, already checked for its types. `query` is empty where only the document's name came."""

    query: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None
    document: DocumentName | None = None


@dataclass(slots=True)
class Answer:
    """`executed` is False when the request was refused before execution: then there is no data, not even null. What was kept
    is JSON already: `data` is an `orjson.Fragment` of it.

    `is_public`: anybody without a token gets the same answer to the same query at this moment. `limited` is why the whole
    request was refused, where a rate limit did.
    """

    data: Any
    errors: list[dict[str, Any]]
    extensions: dict[str, Any]
    executed: bool
    is_public: bool = False
    limited: RateLimited | None = None

    def body(self) -> dict[str, Any]:
        """The response as GraphQL defines it."""
        body: dict[str, Any] = {"errors": self.errors} if self.errors else {}
        if self.executed:
            body["data"] = self.data
        if self.extensions:
            body["extensions"] = self.extensions
        return body


class _ToBeAsked(BaseException):
    """Nobody may be assumed for this."""


class Engine:
    """Answers operations on one schema. Each query, and each event of a subscription, is executed by `reading`.

    Without `is_lean` graphql-core's executor answers, slower and the same. With `keeps`, queries are answered from what
    `schema.core.caching` keeps, where it holds.

    `charge` counts the request itself too, where it is still owed. `settle` does that before anything that takes long is begun, and
    where nothing is charged; without it the engine is given requests that are counted.

    A caller may be assumed (`Context.assumed`). Then the first statement asks on the way whether it is they, and an answer that
    took none does by itself in the end. If it is not, `give_back` undoes what was counted, and all is done anew as who they are.
    Nobody is assumed for a mutation, unless it begins with a statement (`RootField.begins_with_statement`).
    """

    def __init__(
        self,
        schema: graphene.Schema,
        *,
        limits: Limits | None = None,
        prices: Prices | None = None,
        reading: Reading = at_once,
        charge: Charge = lambda _context, _points: None,
        settle: Settle | None = None,
        give_back: GiveBack = lambda _context: None,
        is_lean: bool = True,
        keeps: bool = False,
        watch: Watch = unwatched,
    ) -> None:
        self.schema = schema
        self.keeps = keeps
        self.is_lean = is_lean and is_supported(schema.graphql_schema)
        self.charge = charge
        self.settles = settle is not None
        self.settle: Settle = settle or (lambda _context: None)
        self.give_back = give_back
        self._beginning_with_statement = beginning_with_statement(schema)
        self.watch = watch
        self.prices = prices or Prices()
        self.reading = reading
        self.limits = limits or Limits()
        self._documents = Documents(schema.graphql_schema, limits=self.limits)

    def document(self, query: str, *, is_open: bool) -> Document:
        """The parsed and validated document. Raises DocumentRefused. Without `is_open` it may not look at the schema
        itself.
        """
        return self._documents.of(query, is_open=is_open)

    def resolved(self, operation: Operation, *, context: Context) -> Operation:
        """The operation with its text, where only the name of its document came. Raises GraphQLError for what is not answered.

        `answer` and `admitted` do it themselves; who asks for the type of an operation does it first.
        """
        text = text_of(operation.query, operation.document, context=context)
        return operation if text == operation.query else replace(operation, query=text)

    def operation_type(self, operation: Operation, *, is_open: bool) -> OperationType | None:
        """Query, mutation or subscription; None when the document has no such operation. Raises DocumentRefused."""
        node = get_operation_ast(self.document(operation.query, is_open=is_open).ast, operation.name)
        return node.operation if node else None

    def answer(self, operation: Operation, *, context: Context) -> Answer:
        """Executes a query or a mutation. A bug becomes an INTERNAL error; raises only what keeps the database from saying who an
        assumed caller is.
        """
        return self.watch(self._as_caller if context.assumed else self._safely, operation, context)

    def _as_caller(self, operation: Operation, context: Context) -> Answer:
        """The answer to the assumed caller if that is who they are, else to the one who was found out."""
        assumed, mark = context.assumed, context.mark()
        assert assumed is not None, "nobody is assumed"
        try:
            with provided(assumed.proviso):
                return self._safely(operation, context)
        except (ProvisoFailed, _ToBeAsked):
            pass
        self.give_back(context)
        context.become(assumed.ask(), since=mark)
        recognized(context)
        return self._safely(operation, context)

    def _safely(self, operation: Operation, context: Context) -> Answer:
        try:
            answer = self._answer(operation, context)
        except Exception as error:  # noqa: BLE001, RUF100 - the last door: nothing of it may reach the caller
            with contextlib.suppress(RateLimited):
                self.settle(context)
            answer = Answer(None, [internal_error(error, request_id=context.request_id)], {}, executed=True)
        if context.token_state:
            answer.extensions["token"] = context.token_state
        return answer

    def execute(
        self,
        document: Document,
        operation: Operation,
        *,
        context: Context,
        root_value: Any = None,
        ceiling: float = math.inf,
    ) -> Executed:
        """What comes of an operation that was admitted. Raises what no field is to blame for."""
        return execute(
            self.schema.graphql_schema,
            document.ast,
            context=context,
            variables=operation.variables,
            operation_name=operation.name,
            root_value=root_value,
            hide_suggestions=not may_look_inside(context),
            reading=self.reading,
            prices=self.prices,
            ceiling=ceiling,
            operations=document.operations if self.is_lean else None,
        )

    def admitted(self, operation: Operation, *, context: Context) -> tuple[Document, OperationDefinitionNode]:
        """The document of a subscription and its operation, within the limits. Raises DocumentRefused and GraphQLError."""
        check_variables(operation.variables, self.limits)
        document = self._paid_document(self.resolved(operation, context=context), context)
        node = get_operation_ast(document.ast, operation.name)
        if node is None or node.operation is not OperationType.SUBSCRIPTION:
            raise BadUserInput("The document has no such subscription.")
        self._measure(document, node, operation, context)
        return document, node

    def _answer(self, operation: Operation, context: Context) -> Answer:
        asked, remaining = NOTHING, None
        try:
            check_variables(operation.variables, self.limits)
            operation = self.resolved(operation, context=context)
            document = self._paid_document(operation, context)
            node = get_operation_ast(document.ast, operation.name)
            if node is not None:
                entered(context, document.name_of(operation.name, node))
                if context.assumed is not None and not self._may_assume(node):
                    raise _ToBeAsked
                asked = self._admit(document, node, operation, context)
                remaining = self.charge(context, asked.charged)
            else:
                self.settle(context)
            keep(operation.query, operation.document, context=context)
        except (DocumentRefused, GraphQLError) as error:
            refused = self._refusal(error, context)
            errors = refused.errors if isinstance(refused, DocumentRefused) else [refused]
            limited = refused if isinstance(refused, RateLimited) else None
            return Answer(None, formatted(errors, request_id=context.request_id), {}, executed=False, limited=limited)
        is_query = node is not None and node.operation is OperationType.QUERY
        opened = self._opened(operation, document, context) if self.keeps and is_query else None
        if opened is not None and opened.answer is not None:
            # What making it took: told, logged and counted alike, whoever makes it.
            context.points, is_told = opened.answer.note
            extensions = self._cost(asked, context.points if is_told else None, remaining)
            return Answer(orjson.Fragment(opened.answer.content), [], extensions, executed=True, is_public=True)
        try:
            with opened.reading() if opened is not None else contextlib.nullcontext():
                done = self.execute(document, operation, context=context, ceiling=self.limits.points * CEILING)
            context.points = math.ceil(asked.once + done.points)
            data, errors = done.result.data, done.result.errors or []
            # Only beside what was found: what is absent, forbidden or wrong has one answer, the same each time.
            has_cost = not errors and is_query and _has_found(data)
            actual = context.points if has_cost else None
            is_public = done.began and not errors and document.is_public and _is_nobody(context)
            if opened is not None and is_public:
                opened.keep_answer(data, note=(context.points, has_cost))
        finally:
            if opened is not None:
                opened.close()
        return Answer(
            data,
            formatted(errors, request_id=context.request_id),
            self._cost(asked, actual, remaining),
            done.began,
            is_public=is_public,
        )

    def _refusal(self, error: DocumentRefused | GraphQLError, context: Context) -> DocumentRefused | GraphQLError:
        """The error, or that there were too many requests: that is told first, whatever else is wrong."""
        try:
            self.settle(context)
        except RateLimited as limited:
            return limited
        return error

    def _cost(self, asked: Measure, actual: int | None, remaining: int | None) -> dict[str, Any]:
        """The extensions that tell what the query cost; none where that is not told."""
        if actual is None:
            return {}
        cost = {"requested": asked.points, "actual": actual, "limit": self.limits.points}
        return {"cost": cost if remaining is None else {**cost, "remaining": remaining}}

    def _opened(self, operation: Operation, document: Document, context: Context) -> Opened | None:
        """What is kept for a query: all of it where nobody in particular asks for what everybody may have."""
        is_whole = document.is_public and _is_nobody(context)
        return open_kept(
            context,
            whole=(operation.query, operation.name) if is_whole else None,
            has_fields=document.has_kept_fields,
            variables=operation.variables,
        )

    def _paid_document(self, operation: Operation, context: Context) -> Document:
        """The document; who sends a long new text, or one that is no document, pays for its reading. Raises DocumentRefused and
        RateLimited.
        """
        try:
            document = self._documents.of(
                operation.query, is_open=may_look_inside(context), before_reading=lambda: self.settle(context)
            )
        except DocumentRefused:
            self.charge(
                context, min(MOST_REFUSAL_POINTS, REFUSAL_POINTS + len(operation.query) // CHARACTERS_PER_POINT)
            )
            raise
        if document.reading:
            self.charge(context, document.take_reading())
        return document

    def _admit(
        self, document: Document, node: OperationDefinitionNode, operation: Operation, context: Context
    ) -> Measure:
        """Raises QueryTooComplex, and BadUserInput for a subscription, which needs a transport that stays open."""
        if node.operation is OperationType.SUBSCRIPTION:
            raise BadUserInput("Subscriptions are served over WebSocket and server-sent events, not here.")
        return self._measure(document, node, operation, context)

    def _measure(
        self, document: Document, node: OperationDefinitionNode, operation: Operation, context: Context
    ) -> Measure:
        """What the operation asks for. Raises QueryTooComplex."""
        plan = document.plans.get(operation.name)
        if plan is None:
            self.settle(context)
            worst = self._measured(document, node, None)
            plan = document.plans[operation.name] = Plan(
                tuple(sorted(worst.varies)),
                tuple(sorted(worst.given)),
                {} if worst.varies or worst.given else {(): worst},
            )
        variables = operation.variables
        # One that is not there has its default; null is none.
        values = tuple(_value(variables[name]) if name in variables else "" for name in plan.varies)
        if plan.given:
            values += tuple(what_is_given(variables[name]) if name in variables else "" for name in plan.given)
        asked = plan.measured.get(values)
        if asked is None:
            self.settle(context)
            asked = self._measured(document, node, operation.variables)
            if len(plan.measured) < MOST_MEASURED:
                plan.measured[values] = asked
        admit(asked, self.limits)
        return asked

    def _may_assume(self, node: OperationDefinitionNode) -> bool:
        """Whether the operation reads, or each of its fields begins with a statement, in words that leave no doubt."""
        if node.operation is OperationType.QUERY:
            return True
        known = self._beginning_with_statement
        return all(isinstance(each, FieldNode) and each.name.value in known for each in node.selection_set.selections)

    def _measured(
        self, document: Document, node: OperationDefinitionNode, variables: Mapping[str, Any] | None
    ) -> Measure:
        schema = self.schema.graphql_schema
        return measure(schema, document.ast, node, variables=variables, limits=self.limits, prices=self.prices)


def _value(given: Any) -> str:
    """A variable as the key of a measure: page sizes and instants are short, and nothing else has an effect."""
    if given is None or isinstance(given, int | float) or (isinstance(given, str) and len(given) < LONGEST_INSTANT):
        return repr(given)
    return ""


def _has_found(data: dict[str, Any] | None) -> bool:
    return data is not None and any(value is not None for value in data.values())


def _is_nobody(context: Context) -> bool:
    return context.user is None and not context.token_state


def may_look_inside(context: Context) -> bool:
    """Whether the caller may introspect the schema and is helped with suggestions: staff, and everybody outside
    production.
    """
    return settings.INTROSPECTION_OPEN or context.is_staff
