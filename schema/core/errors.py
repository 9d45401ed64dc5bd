"""What went wrong, as GraphQL tells it.

Two kinds, never mixed. What a user can cause and mend in a mutation is data: `UserError` in the payload, made from
`apps.core.errors.DomainError`. What is wrong with the request itself, or with us, is a top-level error with
`extensions.code`:

    raise BadUserInput("minRating must be between 1 and 5.")
    raise RateLimited(retry_after=12)

A DomainError that leaves a *query* field becomes a top-level error too (`TOP_LEVEL_CODES`). Everything else is a bug:
logged with an id, and answered with nothing but that id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from enum import StrEnum
from typing import Any

import graphene
from graphene.utils.str_converters import to_camel_case
from graphql import GraphQLError

from apps.core import correlation, metrics
from apps.core.errors import CodeNeeded, DomainError, ErrorCode, InputErrors
from apps.core.timeouts import waited_in_vain

logger = logging.getLogger(__name__)

# After which time it is worth to try again.
BUSY_SECONDS = 2
INTERNAL_MESSAGE = "Something went wrong on our side."


class Code(StrEnum):
    """Every value that `extensions.code` of a top-level error can have."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    QUERY_TOO_COMPLEX = "QUERY_TOO_COMPLEX"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105
    PERSISTED_QUERY_NOT_FOUND = "PERSISTED_QUERY_NOT_FOUND"
    INTERNAL = "INTERNAL"


TOP_LEVEL_CODES = {
    ErrorCode.NOT_FOUND: Code.NOT_FOUND,
    ErrorCode.NOT_ALLOWED: Code.FORBIDDEN,
    ErrorCode.INVALID_CREDENTIALS: Code.INVALID_CREDENTIALS,
    ErrorCode.INVALID_TOKEN: Code.INVALID_TOKEN,
}


class RequestError(GraphQLError):
    """A top-level error with a code. Its message is shown to the caller."""

    code = Code.BAD_USER_INPUT
    default_message = "The request is not right."

    def __init__(self, message: str | None = None, **extensions: Any) -> None:
        super().__init__(message or self.default_message, extensions={"code": self.code, **extensions})


class Unauthenticated(RequestError):
    code = Code.UNAUTHENTICATED
    default_message = "Sign in to do this."


class Forbidden(RequestError):
    code = Code.FORBIDDEN
    default_message = "Your account may not do this."


class BadUserInput(RequestError):
    code = Code.BAD_USER_INPUT


class QueryTooComplex(RequestError):
    code = Code.QUERY_TOO_COMPLEX
    default_message = "The query asks for too much at once."


class RateLimited(RequestError):
    """`retry_after` is in whole seconds, at least 1; `limit` names what there was too much of."""

    code = Code.RATE_LIMITED

    def __init__(self, *, retry_after: int, limit: str = "requests") -> None:
        self.retry_after = max(1, retry_after)
        self.limit = limit
        super().__init__("Too many requests. Try again later.", retryAfter=self.retry_after)


class Busy(RateLimited):
    """The database waited in vain, for somebody else or at all. Nothing was written, and trying again may work."""

    def __init__(self) -> None:
        super().__init__(retry_after=BUSY_SECONDS)
        self.message = "The server is busy with this. Try again."


def _describe_code(value: ErrorCode | None) -> str:
    return "Why an input was refused." if value is None else ERROR_CODE_DESCRIPTIONS[ErrorCode(value.value)]


ERROR_CODE_DESCRIPTIONS = {
    ErrorCode.INVALID: "The value is wrong for everything of this kind.",
    ErrorCode.REQUIRED: "A value is missing or blank.",
    ErrorCode.NOT_FOUND: "Nothing that you may see has this id.",
    ErrorCode.DUPLICATE: "Something that must be unique is taken.",
    ErrorCode.UNAVAILABLE: "The period or the tickets are taken.",
    ErrorCode.OUTSIDE_RULES: "The listing or the moment does not allow it: opening hours, length of stay, capacity, horizon.",
    ErrorCode.WRONG_STATE: "The booking or payment is in a state that does not allow this step.",
    ErrorCode.HOLD_EXPIRED: "The hold ran out before it was paid.",
    ErrorCode.INVALID_CREDENTIALS: "The password is wrong.",
    ErrorCode.INVALID_TOKEN: "The token is unknown, used or expired.",
    ErrorCode.WEAK_PASSWORD: "The password is too easy to guess.",
    ErrorCode.NOT_ALLOWED: "You see the object, but this step is not yours to take.",
}

ErrorCodeEnum = graphene.Enum.from_enum(ErrorCode, description=_describe_code, name="ErrorCode")


class UserError(graphene.ObjectType):
    """Something in the input of a mutation that the user can mend."""

    code = graphene.Field(ErrorCodeEnum, required=True, description="Why it was refused, for programs.")
    message = graphene.String(required=True, description="Why it was refused, in a sentence for people.")
    field = graphene.List(
        graphene.NonNull(graphene.String),
        required=True,
        description="The path below `input` to what was refused; empty when it is the input as a whole.",
    )


def user_errors(error: DomainError) -> list[dict[str, Any]]:
    """The domain error, or each of several, as `UserError` shows it."""
    errors = error.errors if isinstance(error, InputErrors) else [error]
    for each in errors:
        metrics.USER_ERRORS.labels(str(each.code)).inc()
    return [
        {"code": each.code, "message": each.message, "field": [to_camel_case(str(part)) for part in each.field]}
        for each in errors
    ]


def formatted(errors: Iterable[GraphQLError], *, request_id: str) -> list[dict[str, Any]]:
    """The errors as the response shows them. Each bug is logged once, with its trace and the id that the answer
    carries.
    """
    ids: dict[int, str] = {}
    return [_formatted(error, request_id, ids) for error in errors]


def _formatted(error: GraphQLError, request_id: str, ids: dict[int, str]) -> dict[str, Any]:
    origin = origin_of(error)
    message, extensions = error.message, dict(error.extensions or {})
    if isinstance(origin, DomainError):
        message, extensions = origin.message, {"code": TOP_LEVEL_CODES.get(origin.code, Code.BAD_USER_INPUT)}
        if isinstance(origin, CodeNeeded):
            extensions["field"] = [to_camel_case(part) for part in origin.field]
    elif waited_in_vain(origin):
        busy = Busy()
        logger.warning("Busy at %s in request %s: %s", ".".join(map(str, error.path or ())), request_id, origin)
        message, extensions = busy.message, dict(busy.extensions or {})
    elif not isinstance(origin, GraphQLError) or (error.path is not None and "code" not in extensions):
        # graphql-core raises plain GraphQLErrors at a path only for what a resolver returned wrongly.
        message, extensions = INTERNAL_MESSAGE, {"code": Code.INTERNAL, "id": _log(origin, error, request_id, ids)}
    else:
        extensions.setdefault("code", Code.BAD_USER_INPUT)
    answer: dict[str, Any] = {"message": message, "extensions": extensions}
    if error.locations:
        answer["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    if error.path is not None:
        answer["path"] = error.path
    return answer


def origin_of(error: GraphQLError) -> Exception:
    """The exception that started it, below the wrappings that graphql-core put around it."""
    origin: Exception = error
    while isinstance(origin, GraphQLError) and origin.original_error is not None:
        origin = origin.original_error
    return origin


def _log(origin: Exception, error: GraphQLError, request_id: str, ids: dict[int, str]) -> str:
    """The id of the log entry; one batch that failed for a hundred rows is one entry."""
    if id(origin) not in ids:
        place = ".".join(map(str, error.path or ()))
        ids[id(origin)] = log_bug(origin, place=place, request_id=request_id, number=len(ids) + 1)
    return ids[id(origin)]


def log_bug(error: BaseException, *, place: str, request_id: str, number: int = 1) -> str:
    """Logs the exception with its trace and returns the id to tell the caller: that of the request, with the number of
    the error where the request has met several.
    """
    error_id = request_id or correlation.request_id() or correlation.new_id()
    if number > 1:
        error_id = f"{error_id}-{number}"
    logger.error("Error %s at %s", error_id, place or "the request", exc_info=error)
    return error_id


def internal_error(error: BaseException, *, request_id: str) -> dict[str, Any]:
    """The answer to a bug outside of any field."""
    error_id = log_bug(error, place="", request_id=request_id)
    return {"message": INTERNAL_MESSAGE, "extensions": {"code": Code.INTERNAL, "id": error_id}}
