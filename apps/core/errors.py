"""What a user can cause and mend, as exceptions with a code and the input field they are about.

Actions raise these; the edge turns them into data. Anything else that escapes an action is a bug.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class ErrorCode(StrEnum):
    """The codes of the public contract."""

    INVALID = "INVALID"
    REQUIRED = "REQUIRED"
    NOT_FOUND = "NOT_FOUND"
    DUPLICATE = "DUPLICATE"
    UNAVAILABLE = "UNAVAILABLE"
    OUTSIDE_RULES = "OUTSIDE_RULES"
    WRONG_STATE = "WRONG_STATE"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    INVALID_CREDENTIALS = "INVALID_CREDENTIALS"
    INVALID_TOKEN = "INVALID_TOKEN"  # noqa: S105
    WEAK_PASSWORD = "WEAK_PASSWORD"  # noqa: S105
    NOT_ALLOWED = "NOT_ALLOWED"


class DomainError(Exception):
    """An expected failure. `field` is the snake_case path below the input; () means the input as a whole."""

    code: ErrorCode

    def __init__(self, message: str, *, field: tuple[str, ...] | str = ()) -> None:
        super().__init__(message)
        self.message = message
        self.field: tuple[str, ...] = (field,) if isinstance(field, str) else field


class Invalid(DomainError):
    code = ErrorCode.INVALID


class Required(DomainError):
    code = ErrorCode.REQUIRED


class NotFound(DomainError):
    code = ErrorCode.NOT_FOUND


class Duplicate(DomainError):
    code = ErrorCode.DUPLICATE


class Unavailable(DomainError):
    code = ErrorCode.UNAVAILABLE


class OutsideRules(DomainError):
    code = ErrorCode.OUTSIDE_RULES


class WrongState(DomainError):
    code = ErrorCode.WRONG_STATE


class HoldExpired(DomainError):
    code = ErrorCode.HOLD_EXPIRED


class InvalidCredentials(DomainError):
    code = ErrorCode.INVALID_CREDENTIALS


class CodeNeeded(DomainError):
    """The password was right, and a code of the second factor is missing or wrong. No failed try at the password."""

    code = ErrorCode.INVALID_CREDENTIALS


class InvalidToken(DomainError):
    code = ErrorCode.INVALID_TOKEN


class WeakPassword(DomainError):
    code = ErrorCode.WEAK_PASSWORD


class NotAllowed(DomainError):
    code = ErrorCode.NOT_ALLOWED


class AccountClosed(Exception):
    """The caller's account was closed since the request began, and nothing was done.

    Nobody can mend it, so it is no DomainError: it is told as if nobody were signed in.
    """


class InputErrors(DomainError):
    """Several errors of one input, told together."""

    code = ErrorCode.INVALID

    def __init__(self, errors: list[DomainError]) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors


class Collector:
    """Gathers the field errors of one input so that all of them are told at once.

    >>> problems = Collector()
    >>> with problems.caught():
    ...     raise Invalid("tickets must be at least 1.", field="tickets")
    >>> problems.raise_if_any()
    Traceback (most recent call last):
    ...
    apps.core.errors.InputErrors: tickets must be at least 1.
    """

    def __init__(self) -> None:
        self.errors: list[DomainError] = []

    def add(self, error: DomainError) -> None:
        self.errors.extend(error.errors if isinstance(error, InputErrors) else [error])

    @contextmanager
    def caught(self) -> Iterator[None]:
        try:
            yield
        except DomainError as error:
            self.add(error)

    def require(self, condition: bool, error: DomainError) -> None:
        if not condition:
            self.add(error)

    def raise_if_any(self) -> None:
        """Raises InputErrors when something was gathered."""
        if self.errors:
            raise InputErrors(self.errors)
