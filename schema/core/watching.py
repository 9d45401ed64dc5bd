"""Watches what an engine answers: metrics, the operation's name in the logs, a span where traces are on.

    Engine(schema, watch=watch)

An operation is known by its own name where the operator knows it (METRICS_OPERATIONS, or the manifest of
REGISTERED_OPERATIONS), else by the root field that it asks for, else it is "several", or "refused" where it is none: what
clients call their operations can be anything, and each name costs memory for ever.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from graphql import FieldNode, GraphQLError, OperationDefinitionNode, parse

from apps.core import correlation, metrics
from apps.core.correlation import Work
from schema.core.context import Context
from schema.core.errors import Code

if TYPE_CHECKING:
    from schema.core.engine import Answer, Operation

CarryOut = Callable[["Operation", Context], "Answer"]
Watch = Callable[[CarryOut, "Operation", Context], "Answer"]

SEVERAL, REFUSED = "several", "refused"
OK, FAILED = "ok", "failed"
MOST_NAMES = 1000


def unwatched(carry_out: CarryOut, operation: Operation, context: Context) -> Answer:
    return carry_out(operation, context)


@functools.cache
def known_names() -> frozenset[str]:
    """The names of operations that the operator knows, MOST_NAMES at most."""
    names = list(settings.METRICS_OPERATIONS)
    for text in (settings.REGISTERED_OPERATIONS or {}).values():
        try:
            definitions = parse(text).definitions
        except GraphQLError:
            continue
        names += [
            each.name.value
            for each in definitions
            if isinstance(each, OperationDefinitionNode) and each.name is not None
        ]
    return frozenset(sorted(set(names))[:MOST_NAMES])


def name_of(node: OperationDefinitionNode) -> str:
    """What an operation of a valid document is called in metrics, logs and traces."""
    if node.name is not None and node.name.value in known_names():
        return node.name.value
    fields = {each.name.value for each in node.selection_set.selections if isinstance(each, FieldNode)}
    if len(fields) == 1 and all(isinstance(each, FieldNode) for each in node.selection_set.selections):
        return fields.pop()
    return SEVERAL


def entered(context: Context, name: str) -> None:
    """From here on it is known what the request is about."""
    context.operation = name
    present = correlation.current()
    if present is not None:
        present.operation = name


def recognized(context: Context) -> None:
    """From here on it is known that somebody else asks than was assumed."""
    present = correlation.current()
    if present is not None:
        present.user_id = None if context.user is None else context.user.pk


class _Counts:
    """The counters of one operation: looking them up by label takes longer than counting."""

    __slots__ = ("_outcomes", "name", "points", "seconds", "statements")

    def __init__(self, name: str) -> None:
        self.name = name
        self.seconds = metrics.OPERATION_SECONDS.labels(name)
        self.points = metrics.OPERATION_POINTS.labels(name)
        self.statements = metrics.OPERATION_STATEMENTS.labels(name)
        self._outcomes: dict[str, Any] = {}

    def outcome(self, outcome: str) -> Any:
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = metrics.OPERATIONS.labels(self.name, outcome)
        return counter


_counts: dict[str, _Counts] = {}


def watch(carry_out: CarryOut, operation: Operation, context: Context) -> Answer:
    """The answer, counted."""
    present = correlation.current()
    token = None
    if present is None:
        # Not over HTTP, which has begun some work: each operation of a socket is a piece of its own.
        present = Work(request_id=context.request_id)
        token = correlation.begin(present)
    if context.user is not None:
        present.user_id = context.user.pk
    statements = present.statements
    started = perf_counter()
    try:
        answer = carry_out(operation, context) if tracer is None else _traced(carry_out, operation, context)
    finally:
        if token is not None:
            correlation.end(token)
    _count(answer, context, perf_counter() - started, present.statements - statements)
    present.points += context.points
    return answer


def _count(answer: Answer, context: Context, seconds: float, statements: int) -> None:
    name = context.operation or REFUSED
    counts = _counts.get(name)
    if counts is None:
        counts = _counts[name] = _Counts(name)
    outcome = OK
    if answer.errors:
        codes = [error["extensions"]["code"] for error in answer.errors]
        outcome = FAILED if Code.INTERNAL in codes else REFUSED
        for code in codes:
            metrics.REQUEST_ERRORS.labels(str(code)).inc()
    counts.outcome(outcome).inc()
    counts.seconds.observe(seconds)
    if statements:
        counts.statements.inc(statements)
    if context.points:
        counts.points.inc(context.points)


# Makes a span of each operation; set where traces are on (`booking.watching.traces`).
tracer: Any = None


def _traced(carry_out: CarryOut, operation: Operation, context: Context) -> Answer:
    with tracer.start_as_current_span("graphql") as span:
        answer = carry_out(operation, context)
        name = context.operation or REFUSED
        span.update_name(f"graphql {name}")
        span.set_attribute("graphql.operation.name", name)
        span.set_attribute("holdfast.points", context.points)
        if answer.errors:
            span.set_attribute(
                "holdfast.error_codes", sorted({str(each["extensions"]["code"]) for each in answer.errors})
            )
        return answer
