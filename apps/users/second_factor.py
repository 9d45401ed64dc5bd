"""What a second factor means for signing in: nobody's password alone opens an account that has one.

`apps.staff` keeps the factors, and registers what knows them when it starts. STAFF_TWO_FACTOR says whom they guard: the doors of
the API ask as Django admin does.
"""

from datetime import datetime
from enum import Enum
from typing import Protocol

from django.conf import settings

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address
from apps.core.errors import CodeNeeded, DomainError, InvalidCredentials, NotAllowed
from apps.core.throttling import guessing
from apps.users.guesses import code_counts
from apps.users.models import User
from apps.users.policies import needs_second_factor

LONGEST_CODE = 40
FIELD = "one_time_code"


class Missing(Enum):
    """What somebody whose password was right has to do besides."""

    CODE = "code"
    SET_UP = "set up"


class Keeper(Protocol):
    """Who knows the second factors of accounts."""

    def is_set_up(self, *, user_id: int) -> bool:
        """Whether the account has one that was confirmed."""

    def prove(self, *, user: User, code: str, now: datetime) -> None:
        """Use the code up. Opens a transaction. Raises InvalidCredentials, with the try in the audit."""


_keepers: list[Keeper] = []


def register(keeper: Keeper) -> None:
    """There is one keeper; another one takes its place."""
    _keepers[:] = [keeper]


def missing_of(user: User) -> Missing | None:
    """What the account asks for besides a password."""
    if settings.STAFF_TWO_FACTOR == "off":
        return None
    if _keepers[0].is_set_up(user_id=user.pk):
        return Missing.CODE
    return Missing.SET_UP if needs_second_factor(user) else None


def prove(*, user: User, code: str | None, now: datetime) -> datetime | None:
    """When the second factor was proven, None where nothing is asked for; the code is used up. Opens a transaction.

    Raises CodeNeeded at `one_time_code`, NotAllowed where staff has to set one up first, and TooManyTries: tries at codes are
    counted together with those in Django admin.
    """
    missing = missing_of(user)
    if missing is None:
        return None
    if missing is Missing.SET_UP or not (code or "").strip():
        record(AuditKind.SIGN_IN_REFUSED, now=now, user_id=user.pk, missing=f"second factor: {missing.value}")
        raise refusal(missing)
    typed = "".join((code or "").split())
    if len(typed) > LONGEST_CODE or not typed.isprintable():
        typed = ""
    try:
        with guessing(*code_counts(user.pk, address=address())):
            _keepers[0].prove(user=user, code=typed, now=now)
    except InvalidCredentials as wrong:
        raise CodeNeeded(wrong.message, field=FIELD) from wrong
    return now


def refusal(missing: Missing) -> DomainError:
    """Why there is no session."""
    if missing is Missing.CODE:
        return CodeNeeded("A code of the authenticator app, or a backup code, is needed as well.", field=FIELD)
    return NotAllowed("Staff needs a second factor here: set one up in the admin, then sign in with its code.")
