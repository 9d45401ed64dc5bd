"""What concerns an account together with all that hangs off it: finding one's bookings, taking everything along, leaving."""

from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.db import models, transaction
from django.db.models.functions import Lower

from apps.accounts.forgetting import forget_words
from apps.accounts.selectors import export_of
from apps.audit.actions import record
from apps.audit.models import AuditKind
from apps.availability.models import Block
from apps.bookings.actions import clear_dead_holds
from apps.bookings.models import Booking
from apps.bookings.states import LIVE, BookingStatus
from apps.core.db import require_transaction, unit_of_work
from apps.core.errors import AccountClosed, WrongState
from apps.hosting.announcing import announce_listing
from apps.hosting.models import ImportedCalendar
from apps.integrations.actions import drop_endpoints
from apps.integrations.models import EventType
from apps.listings.models import Listing, ListingStatus
from apps.live.actions import publish_all
from apps.payments.cards import forget_cards
from apps.payments.models import Charge
from apps.reviews.models import Review
from apps.users import passwords
from apps.users.models import User, UserRole

# What the person did in Django admin to others stays on record.
KEPT = (LogEntry,)
# How often closing an account begins again because something new of it came in between.
MOST_ROUNDS = 5


def claim_bookings(*, user: User, now: datetime) -> None:
    """The bookings that were made with this address and without an account are the account's from now on. A step.

    It runs when the address is verified and only then: what is booked without signing in afterwards stays apart, until the
    address is verified anew. The secret that opened such a booking opens it no longer.
    """
    require_transaction()
    found = (
        Booking.objects.select_for_update(of=("self",))
        .alias(lower_email=Lower("email"))
        .filter(is_anonymous=True, guest=None, lower_email=user.email)
        .exclude(email="")
        .order_by("pk")
    )
    ids = [booking.pk for booking in found]
    if ids:
        Booking.objects.filter(pk__in=ids).update(guest=user, is_anonymous=False, updated_at=now)
        # Who listens by the secret is told that it is over.
        publish_all([(f"booking:{pk}", {}) for pk in ids])


@transaction.atomic
def export(*, viewer: User, now: datetime) -> dict[str, Any]:
    """All that is held about the viewer; that it was taken out is written down. It may be part of a larger reading."""
    record(AuditKind.EXPORTED, now=now, user_id=viewer.pk, actor_id=viewer.pk)
    return export_of(viewer=viewer, now=now)


def delete_account(*, viewer: User, password: str, now: datetime) -> None:
    """Close the account for good and take the person out of all that stays: bookings, reviews and money.

    Its listings are archived. Raises InvalidCredentials at `password`, AccountClosed where it is closed by now, WrongState while
    anything that the person booked or hosts is held, confirmed or in use; then nothing was changed.
    """
    if not passwords.is_right(password, user=viewer):
        raise passwords.wrong_password(viewer, field="password")
    for _ in range(MOST_ROUNDS):
        _clear_dead_holds(viewer, now=now)
        try:
            return _deleted(viewer, now=now)
        except _Overtaken:
            continue
    raise WrongState("Something else is being done with this account: try again.")


def _clear_dead_holds(viewer: User, *, now: datetime) -> None:
    """A hold that has run out keeps nobody here. Outside the deletion, which locks in another order than a hold does."""
    dead = Booking.objects.filter(_concerns(viewer), status=BookingStatus.PENDING, expires_at__lte=now)
    for listing_id in dead.order_by("listing").values_list("listing", flat=True).distinct():
        clear_dead_holds(listing_id=listing_id, now=now)


@unit_of_work
def _deleted(viewer: User, *, now: datetime) -> None:
    # In the order of everybody else: listings, bookings, payments and reviews, then the account. Who books one of the listings
    # meanwhile waits, and then finds it archived.
    listings = list(Listing.objects.select_for_update(of=("self",)).filter(host=viewer).order_by("pk"))
    hosted = [listing.pk for listing in listings]
    bookings = Booking.objects.select_for_update(of=("self",)).filter(_concerns(viewer)).order_by("pk")
    if any(booking.status in LIVE for booking in bookings):
        raise WrongState("There are live bookings: cancel them or wait until they are over.")
    # What points at the account and is written by those who then have something else point at it.
    paid = Charge.objects.select_for_update(of=("self",)).filter(payer=viewer).order_by("pk")
    payments = list(paid.values_list("pk", flat=True))
    written = Review.objects.select_for_update(of=("self",)).filter(author=viewer).order_by("pk")
    reviews = list(written.values_list("pk", flat=True))
    user = _locked(viewer)
    _require_all(
        (Listing.objects.filter(host=user), hosted),
        (Booking.objects.filter(_concerns(user)), [booking.pk for booking in bookings]),
        (Charge.objects.filter(payer=user), payments),
        (Review.objects.filter(author=user), reviews),
    )
    forget_words(user, [booking for booking in bookings if booking.guest_id == user.pk])
    Booking.objects.filter(guest=user).update(guest=None, email="", first_name="", last_name="", updated_at=now)
    _archive(listings, now=now)
    # Addresses of the person's own calendars elsewhere, and what they noted for themselves.
    ImportedCalendar.objects.filter(listing__in=hosted).delete()
    Block.objects.filter(listing__in=hosted).update(reason="")
    forget_cards(owner=user)
    drop_endpoints(owner=user)
    _let_go(user)
    _made_nameless(user, now=now)
    record(AuditKind.ACCOUNT_DELETED, now=now, user_id=user.pk, actor_id=user.pk)


def _archive(listings: list[Listing], *, now: datetime) -> None:
    Listing.objects.filter(pk__in=[listing.pk for listing in listings]).update(
        status=ListingStatus.ARCHIVED, updated_at=now
    )
    for listing in listings:
        if listing.status != ListingStatus.ARCHIVED and listing.deleted_at is None:
            listing.status, listing.updated_at = ListingStatus.ARCHIVED, now
            announce_listing(EventType.LISTING_ARCHIVED, listing, now=now)


def _locked(viewer: User) -> User:
    """The account, unless it was closed or its password changed since that was checked."""
    user = User.objects.select_for_update(of=("self",)).get(pk=viewer.pk)
    if not user.is_active:
        raise AccountClosed
    if user.password != viewer.password:
        raise passwords.wrong_password(user, field="password")
    return user


def _require_all(*rows: tuple[models.QuerySet[Any], list[int]]) -> None:
    """Whoever was writing something of the account when it was locked is done now, and nobody begins.

    Raises _Overtaken when they wrote rows that were not locked: locking them now would be in the wrong order.
    """
    if any(found.exclude(pk__in=locked).exists() for found, locked in rows):
        raise _Overtaken


class _Overtaken(Exception):
    """Something new of the account was written while it was about to be closed."""


def _concerns(user: User) -> models.Q:
    return models.Q(guest=user) | models.Q(listing__host=user)


def _let_go(user: User) -> None:
    """Do with all that points at the account what its foreign key says of an account that is gone.

    What belongs to the person goes with them (sessions, tokens, identities, saved cards, groups); what is
    about something else loses the person (reviews, payments); what is protected stays with the nameless account (listings).
    """
    for relation in User._meta.get_fields(include_hidden=True):
        if not isinstance(relation, models.ManyToOneRel) or relation.related_model in KEPT:
            continue
        model: Any = relation.related_model
        pointing = model._base_manager.filter(**{relation.field.name: user})
        if relation.on_delete is models.CASCADE:
            pointing.delete()
        elif relation.on_delete is models.SET_NULL:
            pointing.update(**{relation.field.name: None})


def _made_nameless(user: User, *, now: datetime) -> None:
    picture = user.profile_picture
    storage, name = picture.storage, picture.name
    user.email = user.first_name = user.last_name = user.phone_number = ""
    user.profile_picture = None
    user.email_verified_at = None
    user.password = make_password(None)
    user.role = UserRole.GUEST
    user.is_superuser = user.is_active = False
    user.token_version += 1
    user.deleted_at = now
    user.save()
    if name:
        # The file goes once nothing points at it any more.
        transaction.on_commit(lambda: storage.delete(name), robust=True)
