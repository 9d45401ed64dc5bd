"""Proofs that somebody reads a mailbox: links in mails, good once and for a while."""

from datetime import datetime, timedelta

from django.db.models import QuerySet

from apps.core.db import require_transaction
from apps.core.errors import InvalidToken
from apps.core.ids import derivations, derive, digest, new_secret
from apps.core.promises import enqueue_until_done
from apps.users.models import MailPurpose, MailToken, User

LIFETIMES = {MailPurpose.VERIFY_EMAIL: timedelta(days=3), MailPurpose.RESET_PASSWORD: timedelta(hours=1)}
LONGEST = 200


def mail_link(*, user: User, purpose: MailPurpose, email: str, now: datetime) -> None:
    """Send a link to the address when the transaction commits. A step.

    Links that would make another address the account's are void from then on.
    """
    require_transaction()
    _unused(user, purpose).exclude(email=email).update(used_at=now)
    nonce = new_secret()
    token = MailToken.objects.create(
        user=user,
        purpose=purpose,
        email=email,
        nonce=nonce,
        token_hash=digest(_secret(nonce)),
        created_at=now,
        expires_at=now + LIFETIMES[purpose],
    )
    enqueue_until_done("users.mail_link", token_id=token.pk)


def secret_of(token: MailToken) -> str:
    """What stands in the link: made again from the nonce, so that no table and no queue holds it."""
    made = derivations("mail-token", token.nonce)
    # Its hash was written under the key of that day.
    return next((each for each in made if digest(each) == token.token_hash), made[0])


def redeem(*, secret: str, purpose: MailPurpose, now: datetime) -> MailToken:
    """Use the token of a link up, together with all others for the same. A step; the account is locked by it.

    Who writes something that points at the account does not wait for that: they may have a booking that is locked next.

    Raises InvalidToken at `token` for one that is unknown, used, expired, for something else or of a closed account.
    """
    require_transaction()
    token = find(secret=secret, purpose=purpose, now=now)
    user = User.objects.select_for_update(of=("self",), no_key=True).get(pk=token.user_id)
    # Under the lock: of two that bring the same link at once, one finds it used.
    if not user.is_active or not _unused(user, purpose).filter(pk=token.pk).exists():
        raise _refusal()
    _unused(user, purpose).update(used_at=now)
    token.user = user
    return token


def find(*, secret: str, purpose: MailPurpose, now: datetime) -> MailToken:
    """The token, with its account, without using it up. Raises InvalidToken as `redeem` does."""
    rows = MailToken.objects.select_related("user").filter(purpose=purpose, used_at=None, expires_at__gt=now)
    token = rows.filter(token_hash=digest(secret)).first() if len(secret) <= LONGEST else None
    if token is None or not token.user.is_active:
        raise _refusal()
    return token


def void_links(user: User, *, now: datetime, but_to: str | None = None) -> None:
    """Links that the account was mailed are void: for a new password, and for another address than the present one.

    With `but_to` only those that went elsewhere. A step.
    """
    require_transaction()
    kept = {"email": but_to} if but_to is not None else {"purpose": MailPurpose.VERIFY_EMAIL, "email": user.email}
    MailToken.objects.filter(user=user, used_at=None).exclude(**kept).update(used_at=now)


def reset_links_since(user: User, since: datetime) -> int:
    """How many links for a new password the account was mailed since then."""
    return MailToken.objects.filter(user=user, purpose=MailPurpose.RESET_PASSWORD, created_at__gte=since).count()


def _unused(user: User, purpose: MailPurpose) -> QuerySet[MailToken]:
    return MailToken.objects.filter(user=user, purpose=purpose, used_at=None)


def _refusal() -> InvalidToken:
    return InvalidToken("The link is not valid any more.", field="token")


def _secret(nonce: str) -> str:
    return derive("mail-token", nonce)
