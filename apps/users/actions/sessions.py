"""Signing in, staying signed in, and leaving.

A sign-in opens a session: a family of refresh tokens of which only the newest is good. Each refresh replaces the token,
under a lock of the session. A token that was replaced and comes again has been copied, and ends its session; but within
REUSE_GRACE, while its successor is untouched, it gets that same successor again. So two tabs that refresh at once, or a
client whose answer was lost on the way, stay signed in and hold one token between them, and a thief gains no second line
of tokens.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.audit.origin import address
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import InvalidCredentials, InvalidToken, NotFound
from apps.core.ids import derivations, derive, digest, new_secret
from apps.users import passwords, second_factor
from apps.users.models import RefreshToken, Session, User
from apps.users.profiles import device_of
from apps.users.selectors import network_mark, user_by_email
from apps.users.tokens import TokenPair, make_access_token

logger = logging.getLogger(__name__)

# Long enough for requests that were sent together and waited in line at a busy server.
REUSE_GRACE = timedelta(seconds=5)
LONGEST_REFRESH_TOKEN = 200


def sign_in(
    *, email: str, password: str, one_time_code: str | None = None, user_agent: str, now: datetime
) -> TokenPair:
    """A new session for the right email and password, with a code where the account has a second factor.

    Raises InvalidCredentials, with the same words and after the same time for an unknown email, a wrong password and an
    account that was closed. Only after the right password: CodeNeeded at `one_time_code`, NotAllowed for staff that has to set
    a second factor up first, and TooManyTries.
    """
    user = user_by_email(email)
    pair = None
    if passwords.is_right(password, user=user) and user is not None:
        proven_at = second_factor.prove(user=user, code=one_time_code, now=now)
        pair = _signed_in(user=user, second_factor_at=proven_at, user_agent=user_agent, now=now)
    if pair is None:
        logger.info("a sign-in was refused")
        record(AuditKind.SIGN_IN_REFUSED, now=now, user_id=user.pk if user else None)
        raise InvalidCredentials("The email or the password is wrong.")
    return pair


@unit_of_work
def _signed_in(*, user: User, second_factor_at: datetime | None, user_agent: str, now: datetime) -> TokenPair | None:
    """None when the password was changed or the account closed since the password was checked."""
    locked = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    if not locked.is_active or locked.password != user.password:
        return None
    return open_session(user=locked, second_factor_at=second_factor_at, user_agent=user_agent, now=now)


def open_session(*, user: User, second_factor_at: datetime | None = None, user_agent: str, now: datetime) -> TokenPair:
    """A session of an account whose owner has just proved to be there. A step: the caller has locked the account.

    Raises CodeNeeded at `one_time_code` and NotAllowed where a second factor is missing.
    """
    require_transaction()
    if second_factor_at is None and (missing := second_factor.missing_of(user)) is not None:
        raise second_factor.refusal(missing)
    session = Session.objects.create(
        user=user,
        device=device_of(user_agent),
        created_at=now,
        last_used_at=now,
        network=network_mark(address()),
        second_factor_at=second_factor_at,
    )
    record(AuditKind.SIGNED_IN, now=now, user_id=user.pk, actor_id=user.pk, session=session.pk)
    user.last_login = now
    user.save(update_fields=["last_login"])
    secret = new_secret()
    token = _store(session=session, secret=secret, now=now)
    user.current_session = session
    return _pair(user=user, session=session, secret=secret, token=token, now=now)


def refresh(*, refresh_token: str, now: datetime) -> TokenPair:
    """A new pair for a good refresh token, which is used up by it.

    Raises InvalidToken for one that is unknown, expired, of an ended session or a closed account, or used before, and for one of
    a session without the second factor that its account asks for by now; that session ends.
    """
    pair = _rotated(refresh_token=refresh_token, now=now) if len(refresh_token) <= LONGEST_REFRESH_TOKEN else None
    if pair is None:
        raise InvalidToken("The refresh token is not valid.", field="refresh_token")
    return pair


@unit_of_work
def _rotated(*, refresh_token: str, now: datetime) -> TokenPair | None:
    """None for a refused token; the end of its session, where the refusal brings that, is committed all the same."""
    session = _locked_session(refresh_token)
    if session is None or session.ended_at is not None or not session.user.is_active:
        return None
    token = RefreshToken.objects.get(token_hash=digest(refresh_token))
    if token.expires_at <= now:
        return None
    if session.second_factor_at is None and second_factor.missing_of(session.user) is not None:
        _end(session, now=now)
        return None
    secret = derive("refresh-token", refresh_token)
    if token.used_at is None:
        token.used_at = now
        token.save(update_fields=["used_at"])
        session.last_used_at = now
        session.save(update_fields=["last_used_at"])
        successor = _store(session=session, secret=secret, now=now)
        return _pair(user=session.user, session=session, secret=secret, token=successor, now=now)
    # It may have been used under the key before.
    made = {digest(each): each for each in derivations("refresh-token", refresh_token)}
    same = RefreshToken.objects.filter(token_hash__in=made, used_at=None).first()
    if same is None or now - token.used_at > REUSE_GRACE:
        logger.warning("a used refresh token came again: session %s of user %s is ended", session.pk, session.user_id)
        record(AuditKind.TOKEN_REUSED, now=now, user_id=session.user_id, session=session.pk)
        _end(session, now=now)
        return None
    return _pair(user=session.user, session=session, secret=made[same.token_hash], token=same, now=now)


@unit_of_work
def revoke(*, refresh_token: str, now: datetime) -> datetime:
    """End the session of a refresh token, with all its tokens. Returns the instant of it.

    Raises InvalidToken for a token that is unknown or of a session that has ended.
    """
    _end(_session_of(refresh_token), now=now)
    return now


@unit_of_work
def sign_out(*, viewer: User | None, refresh_token: str | None, everywhere: bool, now: datetime) -> None:
    """End the session of the refresh token, or without one the session of the caller; or all sessions of that account.

    One of the two is needed. Raises InvalidToken at `refresh_token` for a token that ends nothing.
    """
    if refresh_token is not None:
        session: Session | None = _session_of(refresh_token)
    else:
        session = viewer.current_session if viewer is not None else None
    if session is None:
        raise InvalidToken("There is no session to end.", field="refresh_token")
    if everywhere:
        end_all_sessions(user=session.user, now=now)
    else:
        _end(session, now=now)


@unit_of_work
def end_session(*, viewer: User, session_id: int | None, now: datetime) -> None:
    """End one of the caller's own sessions, on whatever device. Raises NotFound at `id` for any other and for an ended one."""
    rows = Session.objects.filter(pk=session_id or 0, user=viewer, ended_at=None)
    if not rows.update(ended_at=now):
        raise NotFound("There is no such session.", field="id")


def end_all_sessions(*, user: User, now: datetime) -> None:
    """Every session of the account ends, and every access token that was ever given out. A step."""
    require_transaction()
    User.objects.filter(pk=user.pk).update(token_version=F("token_version") + 1)
    user.refresh_from_db(fields=["token_version"])
    Session.objects.filter(user=user, ended_at=None).update(ended_at=now)


def _end(session: Session, *, now: datetime) -> None:
    Session.objects.filter(pk=session.pk, ended_at=None).update(ended_at=now)


def _session_of(refresh_token: str) -> Session:
    session = _locked_session(refresh_token) if len(refresh_token) <= LONGEST_REFRESH_TOKEN else None
    if session is None or session.ended_at is not None:
        raise InvalidToken("The refresh token is not valid.", field="refresh_token")
    return session


def _locked_session(refresh_token: str) -> Session | None:
    return (
        Session.objects.select_for_update(of=("self",))
        .select_related("user")
        .filter(refresh_tokens__token_hash=digest(refresh_token))
        .first()
    )


def _store(*, session: Session, secret: str, now: datetime) -> RefreshToken:
    return RefreshToken.objects.create(
        session=session,
        token_hash=digest(secret),
        created_at=now,
        expires_at=now + timedelta(seconds=settings.REFRESH_TOKEN_SECONDS),
    )


def _pair(*, user: User, session: Session, secret: str, token: RefreshToken, now: datetime) -> TokenPair:
    access_token, payload = make_access_token(user=user, session=session, now=now)
    session.access_payload = payload
    return TokenPair(
        user=user,
        session=session,
        access_token=access_token,
        payload=payload,
        refresh_token=secret,
        refresh_expires_at=token.expires_at,
    )
