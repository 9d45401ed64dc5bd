"""Signing in on the word of a trusted issuer: with a token that it signed, or after a redirect to it and back.

After a redirect the browser carries a one-time code to the client's page, and the client exchanges the code for our tokens as
if we were the issuer: `exchangeToken(input: {issuer: "holdfast", token: "<code>"})`.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.hashers import make_password

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import Duplicate, InvalidToken
from apps.users import second_factor
from apps.users.actions.accounts import save_with_email
from apps.users.actions.sessions import end_all_sessions, open_session
from apps.users.models import MailToken, TrustedIdentity, UsedAssertion, User, UserRole
from apps.users.signin import codes
from apps.users.signin.assertions import CLOCK_SKEW, Assertion, read_assertion, refusal
from apps.users.signin.issuers import OURSELVES, TrustedIssuer
from apps.users.tokens import TokenPair
from apps.users.verification import mark_verified

logger = logging.getLogger(__name__)

# A used token is remembered for a little longer than it could be accepted.
MEMORY = CLOCK_SKEW + timedelta(seconds=60)


def exchange_token(*, issuer: str, token: str, user_agent: str, now: datetime) -> TokenPair:
    """A session for the person whom the issuer's token names. An unknown one gets an account, verified from the start.

    Raises InvalidToken at `token`, with the same words for whatever is wrong: the issuer, the signature, the times, a second use.
    """
    try:
        return _pair(issuer=issuer, token=token, user_agent=user_agent, now=now)
    except InvalidToken:
        _remember_refusal(issuer, now=now)
        raise


def _pair(*, issuer: str, token: str, user_agent: str, now: datetime) -> TokenPair:
    if issuer == OURSELVES:
        pair = _redeemed(token, user_agent=user_agent, now=now)
    else:
        assertion = read_assertion(issuer=issuer, token=token, now=now)
        pair = _exchanged(assertion, user_agent=user_agent, now=now)
    if pair is None:
        raise refusal()
    return pair


def code_for(*, assertion: Assertion, challenge: str, now: datetime) -> str:
    """A one-time code that opens a session for the person, good for codes.LIFETIME, with the verifier of the challenge if any.

    Raises InvalidToken for an assertion that was used before and for a closed account; codes.Unavailable without Redis.
    """
    user = _accepted(assertion, now=now)
    if user is None:
        _remember_refusal(assertion.issuer, now=now)
        raise refusal()
    grant = codes.Grant(user_id=user.pk, token_version=user.token_version, issuer=assertion.issuer)
    return codes.issue(grant=grant, challenge=challenge, now=now)


def _remember_refusal(issuer: str, *, now: datetime) -> None:
    """In the audit; a name that nobody gave an issuer is the caller's own text and is left out."""
    known = issuer == OURSELVES or issuer in settings.TRUSTED_ISSUERS
    record(AuditKind.SIGN_IN_REFUSED, now=now, issuer=issuer if known else "")


@unit_of_work
def _exchanged(assertion: Assertion, *, user_agent: str, now: datetime) -> TokenPair | None:
    user = _person(assertion, now=now)
    return None if user is None else _opened_by(assertion.issuer, user, user_agent=user_agent, now=now)


@unit_of_work
def _accepted(assertion: Assertion, *, now: datetime) -> User | None:
    return _person(assertion, now=now)


def _redeemed(code: str, *, user_agent: str, now: datetime) -> TokenPair | None:
    try:
        grant = codes.redeem(code, now=now)
    except codes.Unavailable as error:
        raise refusal() from error
    return None if grant is None else _entered(grant, user_agent=user_agent, now=now)


@unit_of_work
def _entered(grant: codes.Grant, *, user_agent: str, now: datetime) -> TokenPair | None:
    """None when all sessions of the account were ended, or the account closed or made one of staff, since the code was issued."""
    user = User.objects.select_for_update(of=("self",)).filter(pk=grant.user_id, is_active=True).first()
    if user is None or user.token_version != grant.token_version or not _is_open_to(user, issuer=grant.issuer):
        return None
    return _opened_by(grant.issuer, user, user_agent=user_agent, now=now)


def _opened_by(issuer: str, user: User, *, user_agent: str, now: datetime) -> TokenPair:
    """An issuer that is believed about staff is believed to have asked for the second factor."""
    vouched_at = now if settings.TRUSTED_ISSUERS[issuer].signs_in_staff else None
    return open_session(user=user, second_factor_at=vouched_at, user_agent=user_agent, now=now)


def _person(assertion: Assertion, *, now: datetime) -> User | None:
    """The account, locked. None for an assertion that was used before, and for an account that was closed or is not open to
    the issuer's word; of those nothing is changed.
    """
    if not _first_use(assertion, now=now):
        logger.info("a token of issuer %s was refused: it was used before", assertion.issuer)
        return None
    user = _known(assertion) or _with_email(assertion.email) or _opened(assertion, now=now)
    if not user.is_active or not _is_open_to(user, issuer=assertion.issuer):
        logger.info("a token of issuer %s was refused: it opens no such account", assertion.issuer)
        return None
    _link(user, assertion, now=now)
    return user


def _is_open_to(user: User, *, issuer: str) -> bool:
    """Whether the issuer's word opens the account: that of staff, or one with a second factor, takes an issuer with the right."""
    trusted: TrustedIssuer | None = settings.TRUSTED_ISSUERS.get(issuer)
    if trusted is None or trusted.signs_in_staff:
        return trusted is not None
    return not (user.role == UserRole.STAFF or user.is_superuser) and second_factor.missing_of(user) is None


def _first_use(assertion: Assertion, *, now: datetime) -> bool:
    """Whether this transaction is the one that uses the token. A parallel one waits for its end."""
    require_transaction()
    UsedAssertion.objects.filter(expires_at__lte=now - MEMORY).delete()
    _, created = UsedAssertion.objects.get_or_create(
        issuer=assertion.issuer, token_id=assertion.token_id, defaults={"expires_at": assertion.expires_at}
    )
    return created


def _known(assertion: Assertion) -> User | None:
    identity = TrustedIdentity.objects.filter(issuer=assertion.issuer, subject=assertion.subject).first()
    return User.objects.select_for_update(of=("self",), no_key=True).get(pk=identity.user_id) if identity else None


def _link(user: User, assertion: Assertion, *, now: datetime) -> None:
    """The account is known to the issuer from now on."""
    _, is_new = TrustedIdentity.objects.get_or_create(
        issuer=assertion.issuer, subject=assertion.subject, defaults={"user": user, "created_at": now}
    )
    if is_new and user.email_verified_at is None:
        # Whoever opened it never proved that the address is theirs: what they know or were mailed opens nothing any more.
        user.password = make_password(None)
        user.save(update_fields=["password", "updated_at"])
        MailToken.objects.filter(user=user, used_at=None).update(used_at=now)
        mark_verified(user, now=now)
        end_all_sessions(user=user, now=now)


def _with_email(email: str) -> User | None:
    return User.objects.with_email(email).select_for_update(of=("self",), no_key=True).first()


def _opened(assertion: Assertion, *, now: datetime) -> User:
    """A new account with the address, or the one that somebody opened with it in this very moment. Raises InvalidToken."""
    user = User(
        email=assertion.email,
        password=make_password(None),
        first_name=assertion.first_name,
        last_name=assertion.last_name,
        joined_at=now,
    )
    try:
        save_with_email(user, field="token")
    except Duplicate:
        found = _with_email(assertion.email)
        if found is None:
            raise refusal() from None
        return found
    mark_verified(user, now=now)
    return user
