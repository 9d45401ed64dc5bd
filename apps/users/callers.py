"""Who sent an access token: read from the database, or taken for whom this process saw last, on condition that nothing has changed.

    viewer_for_access_token(token=token, now=now)           one statement of its own

    seen = viewer_seen(token=token, now=now)
    with provided(seen.proviso):
        ...                                                 seen.viewer; the database is asked with the first statement

What is remembered of a caller is what the database said when the token was first seen here. It counts for nothing by itself: the
proviso is that the session goes on, that the account is open and has not called its tokens back, and that both rows are the very
versions that were read. So whatever has changed is seen with the request in which it would have been seen without this.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Expression, Model, QuerySet, TextField
from django.db.models.sql.compiler import SQLCompiler

from apps.core.db import is_in_transaction
from apps.core.errors import InvalidToken
from apps.core.instances import Quick
from apps.core.provisos import Condition, Proviso, is_possible
from apps.core.reads import INTEGER, WORD, Parameter, Read
from apps.users.models import Session, User, UserRole
from apps.users.policies import is_good_enough
from apps.users.tokens import AccessClaims, read_access_token

# Of so many sessions it is remembered who they are.
MOST_SEEN = 4_000


class RowVersion(Expression):
    """Which version of its row a statement sees: another one after each change, and the same one otherwise."""

    def __init__(self, table: str) -> None:
        super().__init__(output_field=TextField())
        self.table = table

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> Any:
        return f'"{self.table}"."xmin"::text', []


def _standing(*, session: Parameter, user: Parameter, version: Parameter) -> QuerySet[Session]:
    """The session of a token that counts."""
    return Session.objects.filter(
        pk=session, user_id=user, ended_at=None, user__is_active=True, user__token_version=version
    )


TOKEN = {"session": INTEGER, "user": INTEGER, "version": INTEGER}
VERSIONS = {"session_row": RowVersion("users_session"), "user_row": RowVersion("users_user")}


def _caller(**token: Parameter) -> QuerySet[Session]:
    return _standing(**token).select_related("user").annotate(**VERSIONS)


def _caller_unchanged(*, session_row: Parameter, user_row: Parameter, **token: Parameter) -> QuerySet[Session, Any]:
    versions = {"session_row": session_row, "user_row": user_row}
    return _standing(**token).alias(**VERSIONS).filter(**versions).values("pk")


CALLER: Read[Session] = Read(_caller, **TOKEN)
CALLER_UNCHANGED: Read[Any] = Read(_caller_unchanged, **TOKEN, session_row=WORD, user_row=WORD)


@functools.cache
def _unchanged() -> Condition:
    text = CALLER_UNCHANGED.text()
    return Condition("caller_unchanged", text.sql, **text.types)


@dataclass(frozen=True, slots=True)
class Seen:
    """A caller as this process saw them last; nobody at all unless the proviso holds."""

    viewer: User
    proviso: Proviso


@dataclass(frozen=True, slots=True)
class _Memory:
    """What is remembered of a session: what its token says, the columns of its row and of its account's, and what is asked
    whether they are so still."""

    claims: AccessClaims
    session: dict[str, Any]
    user: dict[str, Any]
    given: str


def viewer_for_access_token(*, token: str, now: datetime) -> User:
    """The account that sent the token, with `current_session` set to the session of the token.

    One query, so that a role that was given, an account that was closed and a session that was ended count at once. Raises
    ExpiredToken for a token that ran out and InvalidToken for any other that is not accepted.
    """
    claims = read_access_token(token, now=now)
    found = CALLER.instances(session=claims.session_id, user=claims.user_id, version=claims.token_version)
    session = found[0] if found else None
    if session is None or session.user.role == UserRole.STAFF:
        _memories.forget(claims)
    elif _may_remember():
        _memories.keep(claims, session, now=now)
    if session is None:
        raise InvalidToken("The token is not valid any more.")
    if not is_good_enough(session, user=session.user):
        raise InvalidToken("The token is not valid without a second factor.")
    return _viewer(session, session.user, claims)


def viewer_seen(*, token: str, now: datetime) -> Seen | None:
    """The same account as this process saw it last; None where it is to be asked for: for a token that is new here, for staff,
    and where the proviso could not go with every statement. What it lacks is the password's hash, which is read if it is used.

    Raises ExpiredToken and InvalidToken for what the token itself says.
    """
    if not _may_remember():
        return None
    claims = read_access_token(token, now=now)
    memory = _memories.of(claims)
    if memory is None:
        return None
    session: Session = _sessions().holding(DEFAULT_DB_ALIAS, memory.session)
    user: User = _users().holding(DEFAULT_DB_ALIAS, memory.user)
    if not is_good_enough(session, user=user):
        return None
    session._state.fields_cache["user"] = user
    return Seen(_viewer(session, user, claims), Proviso(_unchanged(), memory.given))


def _viewer(session: Session, user: User, claims: AccessClaims) -> User:
    session.access_payload = claims.payload
    user.current_session = session
    return user


def _may_remember() -> bool:
    # Within a transaction a row may change and stay the same version.
    return is_possible() and not is_in_transaction()


class _Memories:
    """By session. The oldest go first, and those whose token has run out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, _Memory] = {}

    def keep(self, claims: AccessClaims, session: Any, *, now: datetime) -> None:
        given = _unchanged().given(
            session=claims.session_id,
            user=claims.user_id,
            version=claims.token_version,
            **{name: int(getattr(session, name)) for name in VERSIONS},
        )
        memory = _Memory(claims, _columns(session), _columns(session.user), given)
        with self._lock:
            known = self._known
            known.pop(claims.session_id, None)
            while known:
                oldest = next(iter(known))
                if len(known) < MOST_SEEN and known[oldest].claims.ends_at > now:
                    break
                del known[oldest]
            known[claims.session_id] = memory

    def of(self, claims: AccessClaims) -> _Memory | None:
        memory = self._known.get(claims.session_id)
        # Another token of the session comes with a change of its row.
        return memory if memory is not None and memory.claims == claims else None

    def forget(self, claims: AccessClaims) -> None:
        with self._lock:
            self._known.pop(claims.session_id, None)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()


_memories = _Memories()


def _columns(instance: Model) -> dict[str, Any]:
    """What is remembered of a row, as the database gave it: a file's name, and no file. No secret is kept where it is of no use."""
    names = (field.attname for field in instance._meta.concrete_fields)
    return {name: instance.__dict__[name] for name in names if name != "password"}


@functools.cache
def _sessions() -> Quick[Session]:
    return Quick(Session)


@functools.cache
def _users() -> Quick[User]:
    return Quick(User)
