"""Reads of accounts: always "visible to whom"."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet, TextField, Value
from django.db.models.functions import Concat, Lower

from apps.core.db import require_transaction
from apps.core.errors import AccountClosed
from apps.core.ids import derivations, derive
from apps.core.network import network_of
from apps.core.reads import INTEGERS, OneOf, Parameter, Read
from apps.users.models import Session, User, UserRole

# What no answer shows of somebody else's account, so that it is not read for one.
UNSHOWN = (
    "password",
    "last_login",
    "is_superuser",
    "phone_number",
    "email_verified_at",
    "token_version",
    "updated_at",
    "source",
    "external_id",
)
LONGEST_SEARCH = 200
LONGEST_EMAIL = 254


def sessions_of(*, viewer: User, now: datetime) -> list[Session]:
    """The sessions of the caller that can still be refreshed, the latest used first."""
    oldest = now - timedelta(seconds=settings.REFRESH_TOKEN_SECONDS)
    rows = Session.objects.filter(user=viewer, ended_at=None, last_used_at__gt=oldest)
    return list(rows.order_by("-last_used_at", "-pk"))


def user_by_email(email: str) -> User | None:
    """The account with this address, in any case; None for whatever no address can be."""
    if not email.isprintable() or len(email) > LONGEST_EMAIL:
        return None
    return User.objects.with_email(email).first()


def keep_open(user: User) -> None:
    """The account stays open until the caller's transaction ends: who closes it waits, and then finds what was written.

    It comes after the locks of listings and bookings, as for who closes an account. Raises AccountClosed.
    """
    require_transaction()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM users_user WHERE id = %s AND is_active FOR KEY SHARE", [user.pk])
        if cursor.fetchone() is None:
            raise AccountClosed


def network_mark(address: str) -> str:
    """How a session remembers the network that it was opened from; "" where that is not known."""
    return derive("network", network_of(address)) if address else ""


def has_signed_in_from(*, email: str, address: str) -> bool:
    """Whether the owner of the account with this email has signed in from this network before."""
    if not address or not email.isprintable() or len(email) > LONGEST_EMAIL:
        return False
    marks = derivations("network", network_of(address))
    return Session.objects.filter(user__in=User.objects.with_email(email), network__in=marks).exists()


def _users(*, ids: Parameter) -> QuerySet[User]:
    return User.objects.filter(OneOf("pk", ids)).defer(*UNSHOWN)


USERS: Read[User] = Read(_users, ids=INTEGERS)


def users_by_id(*, ids: Iterable[int]) -> dict[int, User]:
    """The accounts with these ids. What of one a caller may see is decided field by field; deleted ones are nameless."""
    return {user.pk: user for user in USERS.rows(ids=list(ids))}


def visible_users(*, viewer: User | None, ids: Iterable[int]) -> dict[int, User]:
    """Those whose profile a caller may open by id: active accounts, and for staff and themselves the closed ones too."""
    rows = User.objects.filter(pk__in=list(ids))
    if viewer is None:
        rows = rows.filter(is_active=True, deleted_at=None)
    elif viewer.role != UserRole.STAFF:
        rows = rows.filter(Q(is_active=True, deleted_at=None) | Q(pk=viewer.pk))
    return {user.pk: user for user in rows}


def search_users(*, search: str | None) -> QuerySet[User]:
    """Accounts in which the text is part of the name or the email, in any case; for staff alone. Without text: all."""
    rows = User.objects.filter(deleted_at=None)
    text = " ".join((search or "").replace("\x00", " ").split())[:LONGEST_SEARCH].lower()
    if text:
        rows = rows.annotate(
            searched=Lower(
                Concat(F("first_name"), Value(" "), F("last_name"), Value(" "), F("email"), output_field=TextField())
            )
        ).filter(searched__contains=text)
    return rows
