"""Passwords and addresses: changing them, and proving to be the owner of the account."""

from contextlib import suppress
from datetime import datetime, timedelta

from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.core.db import unit_of_work
from apps.core.emails import clean_email
from apps.core.errors import AccountClosed, Collector, Duplicate, InvalidToken
from apps.core.promises import enqueue_until_done
from apps.users import passwords, second_factor
from apps.users.actions.accounts import save_with_email
from apps.users.actions.mail_tokens import find, mail_link, redeem, reset_links_since, void_links
from apps.users.actions.sessions import end_all_sessions, open_session
from apps.users.models import MailPurpose, User
from apps.users.passwords import wrong_password
from apps.users.selectors import keep_open, user_by_email
from apps.users.tokens import TokenPair
from apps.users.verification import mark_verified

# How many links for a new password an account is mailed within an hour; those that it has stay good.
MOST_RESET_LINKS = 5


def change_password(
    *, viewer: User, current_password: str, new_password: str, user_agent: str, now: datetime
) -> TokenPair:
    """The new password holds, every session has ended, and the caller gets a new one.

    Raises InputErrors: InvalidCredentials at `current_password`, WeakPassword at `new_password`.
    """
    password_hash = _new_hash(viewer, current_password, new_password)
    return _changed(viewer, password_hash, user_agent=user_agent, now=now)


@unit_of_work
def _changed(viewer: User, password_hash: str, *, user_agent: str, now: datetime) -> TokenPair:
    user = _unchanged(viewer)
    _replace(user, password_hash, now=now, actor_id=user.pk)
    asked_in = viewer.current_session
    proven_at = asked_in.second_factor_at if asked_in is not None else None
    return open_session(user=user, second_factor_at=proven_at, user_agent=user_agent, now=now)


def change_password_in_admin(*, viewer: User, current_password: str, new_password: str, now: datetime) -> User:
    """As `change_password`, without a new session: who works in Django admin has none of ours. Returns the account as it is now.

    Raises InputErrors: InvalidCredentials at `current_password`, WeakPassword at `new_password`.
    """
    return _changed_in_admin(viewer, _new_hash(viewer, current_password, new_password), now=now)


@unit_of_work
def _changed_in_admin(viewer: User, password_hash: str, *, now: datetime) -> User:
    user = _unchanged(viewer)
    _replace(user, password_hash, now=now, actor_id=user.pk)
    return user


def set_password(*, user: User, new_password: str, now: datetime) -> None:
    """Give the account another password, for an operator at the command line. Every session ends, as for any new password.

    Raises WeakPassword at `new_password`.
    """
    passwords.check_strength(new_password, user=user, field="new_password")
    _set(user, passwords.hashed(new_password), now=now)


@unit_of_work
def _set(user: User, password_hash: str, *, now: datetime) -> None:
    locked = User.objects.select_for_update(of=("self",)).get(pk=user.pk)
    _replace(locked, password_hash, now=now, actor_id=None, by="command")


def _new_hash(viewer: User, current_password: str, new_password: str) -> str:
    """The hash of a new password for somebody who knows the present one."""
    problems = Collector()
    if not passwords.is_right(current_password, user=viewer):
        problems.add(wrong_password(viewer, field="current_password"))
    with problems.caught():
        passwords.check_strength(new_password, user=viewer, field="new_password")
    problems.raise_if_any()
    return passwords.hashed(new_password)


def _unchanged(viewer: User) -> User:
    """The account, locked, unless another request changed its password since it was checked."""
    user = User.objects.select_for_update(of=("self",)).get(pk=viewer.pk)
    if user.password != viewer.password or not user.is_active:
        raise wrong_password(viewer, field="current_password")
    return user


def _replace(user: User, password_hash: str, *, now: datetime, actor_id: int | None, **data: str) -> None:
    user.password = password_hash
    user.save(update_fields=["password", "updated_at"])
    # Whoever knew the old password, or read the mailbox, has nothing left to come back with.
    void_links(user, now=now)
    record(AuditKind.PASSWORD_CHANGED, now=now, user_id=user.pk, actor_id=actor_id, **data)
    end_all_sessions(user=user, now=now)


@unit_of_work
def request_password_reset(*, email: str) -> None:
    """Promise to mail a link if the address has an account. The worker looks, so that the answer and its time tell nothing.

    Raises Required or Invalid at `email` for what is no address.
    """
    enqueue_until_done("users.mail_password_reset", email=clean_email(email, field="email"))


@unit_of_work
def mail_reset_link(*, email: str, now: datetime) -> None:
    """Mail the link to the owner of the address; nothing happens when it has no open account, or got many just now."""
    user = user_by_email(email)
    if user is not None and user.is_active and reset_links_since(user, now - timedelta(hours=1)) < MOST_RESET_LINKS:
        with suppress(AccountClosed):
            keep_open(user)
            mail_link(user=user, purpose=MailPurpose.RESET_PASSWORD, email=user.email, now=now)


def reset_password(
    *, token: str, new_password: str, one_time_code: str | None = None, user_agent: str, now: datetime
) -> TokenPair | None:
    """The new password holds, every session has ended, and the holder of the link is signed in. Their address is verified by that.

    Whoever reads the mail of an account with a second factor needs a code as well. None for staff that has to set a second
    factor up before it signs in: the password holds.

    Raises InvalidToken at `token`; WeakPassword at `new_password` and CodeNeeded at `one_time_code`, which leave the link good;
    TooManyTries at codes.
    """
    user = find(secret=token, purpose=MailPurpose.RESET_PASSWORD, now=now).user
    passwords.check_strength(new_password, user=user, field="new_password")
    proven_at = None
    if second_factor.missing_of(user) is second_factor.Missing.CODE:
        proven_at = second_factor.prove(user=user, code=one_time_code, now=now)
    password_hash = passwords.hashed(new_password)
    return _reset(token, password_hash, second_factor_at=proven_at, user_agent=user_agent, now=now)


@unit_of_work
def _reset(
    token: str, password_hash: str, *, second_factor_at: datetime | None, user_agent: str, now: datetime
) -> TokenPair | None:
    redeemed = redeem(secret=token, purpose=MailPurpose.RESET_PASSWORD, now=now)
    user = redeemed.user
    if user.email != redeemed.email:
        raise InvalidToken("The link is not valid any more.", field="token")
    if user.email_verified_at is None:
        mark_verified(user, now=now)
    _replace(user, password_hash, now=now, actor_id=user.pk)
    if second_factor.missing_of(user) is second_factor.Missing.SET_UP:
        return None
    return open_session(user=user, second_factor_at=second_factor_at, user_agent=user_agent, now=now)


@unit_of_work
def verify_email(*, token: str, now: datetime) -> User:
    """The account has the address that the link went to, and it is verified.

    Raises InvalidToken at `token`, and Duplicate at `token` when the address became another account's meanwhile.
    """
    redeemed = redeem(secret=token, purpose=MailPurpose.VERIFY_EMAIL, now=now)
    user = redeemed.user
    user.email = redeemed.email
    save_with_email(user, field="token")
    # Links that went to an address which is not the account's any more.
    void_links(user, now=now, but_to=user.email)
    mark_verified(user, now=now)
    return user


@unit_of_work
def resend_verification(*, viewer: User, now: datetime) -> bool:
    """Mail the link again. False, and no mail, when there is nothing left to verify."""
    if viewer.email_verified_at is not None or not viewer.email:
        return False
    keep_open(viewer)
    mail_link(user=viewer, purpose=MailPurpose.VERIFY_EMAIL, email=viewer.email, now=now)
    return True


def change_email(*, viewer: User, new_email: str, password: str, now: datetime) -> None:
    """Mail a link to the new address, which becomes the account's when the link is followed; the old address is told.

    Raises InputErrors: Required, Invalid or Duplicate at `new_email`, InvalidCredentials at `password`.
    """
    problems = Collector()
    address = ""
    with problems.caught():
        address = clean_email(new_email, field="new_email")
    if not passwords.is_right(password, user=viewer):
        problems.add(wrong_password(viewer, field="password"))
    problems.raise_if_any()
    if user_by_email(address) is not None:
        raise Duplicate("There is an account with this email.", field="new_email")
    _changing(viewer, address, now=now)


@unit_of_work
def _changing(viewer: User, address: str, *, now: datetime) -> None:
    keep_open(viewer)
    mail_link(user=viewer, purpose=MailPurpose.VERIFY_EMAIL, email=address, now=now)
    if viewer.email:
        enqueue_until_done("users.mail_email_change_notice", email=viewer.email)
