"""Documents: a client's text, read and checked against the schema.

    documents = Documents(graphql_schema, limits=limits)
    document = documents.of("{ me { email } }", is_open=False)

They are kept per process by their text, since clients send the same few again and again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    FloatValueNode,
    GraphQLError,
    GraphQLSchema,
    IntValueNode,
    NoSchemaIntrospectionCustomRule,
    ObjectFieldNode,
    OperationDefinitionNode,
    OperationType,
    ValidationRule,
    Visitor,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.validation.validate import ValidationAbortedError

from schema.core.caching import keeps_field
from schema.core.complexity import Limits, Measure
from schema.core.errors import QueryTooComplex
from schema.core.selections import Operations
from schema.core.syntax_limits import bound_validation, check_shape, check_text
from schema.core.watching import name_of

KEPT_DOCUMENTS = 512
# A longer text is rarely sent twice and would crowd out many short ones.
LONGEST_KEPT = 20_000
# Points: of reading and checking each node of a long text that is not kept yet, and of a text that is no valid document.
POINTS_PER_NODE = 0.3
FREE_NODES = 400
# Of one document: each may cost a search for what was meant.
MOST_ERRORS = 10
# What graphql-core says when it gives up comparing fields.
GAVE_UP = "Validation aborted."

# What opens something to whoever knows it; it may also come in a variable of an input type, so such inputs are named too.
SECRET_ARGUMENTS = {"accessToken", "input"}


class FiniteNumbersRule(ValidationRule):
    """A number that is too large for a Float is no number: graphql-core would read it as infinity."""

    def enter_float_value(self, node: FloatValueNode, *_: Any) -> None:
        self._check(node)

    def enter_int_value(self, node: IntValueNode, *_: Any) -> None:
        self._check(node)

    def _check(self, node: FloatValueNode | IntValueNode) -> None:
        if math.isinf(float(node.value)):
            self.report_error(GraphQLError("The number is too large.", node))


OPEN_RULES = [*specified_rules, FiniteNumbersRule]
CLOSED_RULES = [*OPEN_RULES, NoSchemaIntrospectionCustomRule]


class DocumentRefused(Exception):
    """The text is no valid document of this schema."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


@dataclass(slots=True)
class Plan:
    """What an operation asks for, by the values of the variables that it hangs on, and by what is given in others."""

    varies: tuple[str, ...]
    given: tuple[str, ...]
    measured: dict[tuple[str, ...], Measure]


class Document:
    """A valid document, with a plan of each of its operations that was asked for.

    `is_public`: it only reads, and with nothing that opens what is not everybody's. `has_kept_fields`: it may ask for a field
    that has a policy of `schema.core.caching`.
    """

    __slots__ = ("ast", "has_kept_fields", "is_public", "names", "operations", "plans", "reading")

    def __init__(self, ast: DocumentNode, *, reading: int = 0) -> None:
        self.ast = ast
        # Points: what it took to read and check it, until somebody paid.
        self.reading = reading
        self.operations = Operations(ast)
        self.plans: dict[str | None, Plan] = {}
        self.names: dict[str | None, str] = {}
        seen = _Visitor()
        visit(ast, seen)
        self.is_public = seen.is_public
        self.has_kept_fields = seen.has_kept_fields

    def take_reading(self) -> int:
        """The points of reading it, once."""
        points, self.reading = self.reading, 0
        return points

    def name_of(self, operation_name: str | None, node: OperationDefinitionNode) -> str:
        """What the operation is called where it is watched."""
        name = self.names.get(operation_name)
        if name is None:
            name = self.names[operation_name] = name_of(node)
        return name


class _Visitor(Visitor):
    """Whether a document only reads what everybody may, and whether some field of it may be kept."""

    def __init__(self) -> None:
        super().__init__()
        self.is_public = True
        self.has_kept_fields = False

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        self.is_public = self.is_public and node.operation is OperationType.QUERY

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.has_kept_fields = self.has_kept_fields or keeps_field(node.name.value)

    def enter_argument(self, node: ArgumentNode, *_: Any) -> None:
        self.is_public = self.is_public and node.name.value not in SECRET_ARGUMENTS

    def enter_object_field(self, node: ObjectFieldNode, *_: Any) -> None:
        self.is_public = self.is_public and node.name.value not in SECRET_ARGUMENTS


class _Place:
    """Where a document is kept, or what is wrong with it; empty until somebody has read it."""

    __slots__ = ("document",)

    def __init__(self, query: str, is_open: bool) -> None:
        self.document: Document | list[GraphQLError] | None = None


class Documents:
    """The documents of one schema, within the limits."""

    def __init__(self, schema: GraphQLSchema, *, limits: Limits) -> None:
        self._schema = schema
        self._limits = limits
        bound_validation()
        # Longer ones are read each time.
        self.longest_kept = LONGEST_KEPT
        self._kept = functools.lru_cache(maxsize=KEPT_DOCUMENTS)(_Place)

    def of(self, query: str, *, is_open: bool, before_reading: Callable[[], None] = lambda: None) -> Document:
        """The parsed and validated document. Raises DocumentRefused. Without `is_open` it may not look at the schema
        itself. `before_reading` is called where it is not known yet, and may raise.
        """
        place = self._kept(query, is_open) if len(query) <= self.longest_kept else _Place(query, is_open)
        document = place.document
        if document is None:
            before_reading()
            document = place.document = self._read(query, is_open)
        if isinstance(document, Document):
            return document
        raise DocumentRefused(document)

    def _read(self, query: str, is_open: bool) -> Document | list[GraphQLError]:
        """The document or what is wrong with it: who asks twice, as sockets do, is not let do the work twice."""
        limits = self._limits
        try:
            check_text(query, limits)
            ast = parse(query, max_lexical_tokens=limits.tokens, max_comments=limits.tokens)
            size = check_shape(ast, limits)
        except GraphQLError as error:
            return [error.with_traceback(None)]
        rules = OPEN_RULES if is_open else CLOSED_RULES
        errors = validate(self._schema, ast, rules, max_errors=MOST_ERRORS, hide_suggestions=not is_open)
        if errors:
            return [_told(error) for error in errors]
        return Document(ast, reading=math.ceil(max(0, size - FREE_NODES) * POINTS_PER_NODE))


def _told(error: GraphQLError) -> GraphQLError:
    """The error of a validation; giving up says so in words that help."""
    if isinstance(error, ValidationAbortedError) and error.message == GAVE_UP:
        return QueryTooComplex("The query repeats and spreads the same fields too often.")
    return error
