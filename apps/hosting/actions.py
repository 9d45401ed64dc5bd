"""What a host does with a listing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from apps.availability.actions import set_capacity
from apps.bookings.actions import expire_every_dead_hold, past_dead_holds
from apps.bookings.rescheduling import move_along
from apps.bookings.selectors import has_live_bookings
from apps.bookings.states import Actor
from apps.core.db import unit_of_work
from apps.core.errors import DomainError, Duplicate, InputErrors, NotFound, Unavailable, WrongState
from apps.core.families import LISTINGS
from apps.core.versions import of_its_listing, only
from apps.hosting.announcing import BY_STATUS, announce_listing
from apps.hosting.fields import clean_listing
from apps.hosting.policies import listing_for_host, require_verified_email
from apps.integrations.models import EventType
from apps.listings.kinds import Kind, kind_named, kind_of, relations
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User
from apps.users.selectors import keep_open

TITLE_ONCE = "listing_title_once_per_host_and_kind"
# What an update writes of the listing itself; a rating that comes in meanwhile is not its business.
WRITTEN = [
    "title",
    "description",
    "cancellation_policy",
    "price_minor",
    "currency",
    "time_zone",
    "latitude",
    "longitude",
    "address",
    "city",
    "region",
    "country",
    "updated_at",
]


@unit_of_work
def create_listing(*, host: User, kind_code: str, fields: Mapping[str, Any], now: datetime) -> Listing:
    """A DRAFT of the kind, with its units or stock.

    `fields` are those of the contract's input in snake_case, as `clean_listing` takes them. Raises InputErrors with
    every wrong field, and Duplicate at `title` for the second of one host and kind; then nothing has been written.
    """
    keep_open(host)
    kind = kind_named(kind_code)
    blank = Listing(host=host, kind=kind.code, status=ListingStatus.DRAFT, price_minor=0)
    listing, details = _cleaned(blank, fields, kind=kind, is_new=True, now=now)
    with only(LISTINGS) as those, _title_once():
        listing.save()
        those.add(listing.pk)
    with only(LISTINGS, listing.pk):
        kind.save_details(listing, details)
    set_capacity(listing.pk, kind.capacity(listing), field=kind.capacity_field, now=now)
    created = _read(listing.pk)
    announce_listing(EventType.LISTING_CREATED, created, now=now)
    return created


@past_dead_holds
@unit_of_work
@of_its_listing(LISTINGS)
def update_listing(
    *, viewer: User, kind_code: str, listing_id: int | None, fields: Mapping[str, Any], now: datetime
) -> Listing:
    """Change what was given and leave the rest; what is booked stands as it was booked.

    A listing that takes place once takes its live bookings along to its new time. Raises NotFound and NotAllowed at
    `id`, InputErrors, Duplicate at `title`, OutsideRules at the kind's capacity field when more is sold than would be
    left; then nothing has been written.
    """
    before = listing_for_host(viewer=viewer, listing_id=listing_id, field="id", lock=True)
    if before.kind != kind_code:
        raise NotFound("There is no such listing.", field="id")
    kind = kind_of(before)
    capacity, period = kind.capacity(before), kind.fixed_period(before)
    listing, details = _cleaned(before, fields, kind=kind, is_new=False, now=now)
    with _title_once():
        listing.save(update_fields=WRITTEN)
    kind.save_details(listing, details)
    listing = _read(listing.pk)
    moved_to = kind.fixed_period(listing)
    if moved_to is not None and moved_to != period:
        move_along(listing_id=listing.pk, period=moved_to, actor=_actor(viewer, listing), now=now)
    if kind.capacity(listing) != capacity:
        _resize(listing, kind, now=now)
    announce_listing(EventType.LISTING_UPDATED, listing, now=now)
    return listing


def _cleaned(
    listing: Listing, fields: Mapping[str, Any], *, kind: Kind, is_new: bool, now: datetime
) -> tuple[Listing, dict[str, Any]]:
    try:
        return clean_listing(listing, fields, kind=kind, is_new=is_new, now=now)
    except InputErrors as error:
        raise InputErrors([*error.errors, *_taken_title(listing, fields, error)]) from error


def _taken_title(listing: Listing, fields: Mapping[str, Any], told: InputErrors) -> list[DomainError]:
    """A taken title, told along with the other faults; where there are none the constraint says it."""
    title = fields.get("title")
    if not isinstance(title, str) or any(error.field == ("title",) for error in told.errors):
        return []
    others = Listing.objects.filter(host=listing.host, kind=listing.kind, deleted_at=None, external_id="")
    taken = others.exclude(pk=listing.pk).exclude(status=ListingStatus.ARCHIVED).filter(title__iexact=title.strip())
    return [_duplicate()] if taken.exists() else []


def _duplicate() -> Duplicate:
    return Duplicate("Another listing of this kind and host has this title.", field="title")


@contextmanager
def _title_once() -> Iterator[None]:
    """Raises Duplicate at `title` where the database refuses the second of one title."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        diagnostics = getattr(error.__cause__, "diag", None)
        if getattr(diagnostics, "constraint_name", None) == TITLE_ONCE:
            raise _duplicate() from error
        raise


def _resize(listing: Listing, kind: Kind, *, now: datetime) -> None:
    """Offer more or less of it. A hold that has run out holds nothing back."""
    expire_every_dead_hold(listing_id=listing.pk, period=None, now=now)
    try:
        set_capacity(listing.pk, kind.capacity(listing), field=kind.capacity_field, now=now)
    except Unavailable as error:
        # A unit that comes back was booked where the host has since blocked the listing.
        raise Unavailable("A booking lies in a period that you blocked.", field=kind.capacity_field) from error


def _actor(viewer: User, listing: Listing) -> Actor:
    return Actor.HOST if listing.host_id == viewer.pk else Actor.STAFF


def _read(listing_id: int) -> Listing:
    """The listing as the database has it now, with its kind's row."""
    return Listing.objects.select_related("host", *relations()).get(pk=listing_id)


@unit_of_work
@of_its_listing(LISTINGS)
def publish_listing(*, viewer: User, listing_id: int | None, now: datetime) -> Listing:
    """Offer it to everybody. What is published already stays so.

    Raises NotFound and NotAllowed at `id`, NotAllowed without a verified email, WrongState at `id` when its host has
    left, Duplicate at `title` when the title of an archived listing was given away meanwhile.
    """
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="id", lock=True)
    require_verified_email(viewer)
    if listing.host.deleted_at is not None:
        raise WrongState("Its host has left.", field="id")
    return _set_status(listing, ListingStatus.PUBLISHED, now=now)


@unit_of_work
@of_its_listing(LISTINGS)
def archive_listing(*, viewer: User, listing_id: int | None, now: datetime) -> Listing:
    """Take it off the market; its live bookings stand. Raises NotFound and NotAllowed at `id`."""
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="id", lock=True)
    return _set_status(listing, ListingStatus.ARCHIVED, now=now)


def _set_status(listing: Listing, status: ListingStatus, *, now: datetime) -> Listing:
    if listing.status != status:
        with _title_once():
            Listing.objects.filter(pk=listing.pk).update(status=status, updated_at=now)
    present = _read(listing.pk)
    if listing.status != status:
        announce_listing(BY_STATUS[status], present, now=now)
    return present


@past_dead_holds
@unit_of_work
@of_its_listing(LISTINGS)
def delete_listing(*, viewer: User, listing_id: int | None, now: datetime) -> Listing:
    """Make it gone for everybody; past bookings still name it.

    Returns it as it was. Raises NotFound and NotAllowed at `id`, WrongState while anything of it is held or booked.
    """
    listing = listing_for_host(viewer=viewer, listing_id=listing_id, field="id", lock=True)
    expire_every_dead_hold(listing_id=listing.pk, period=None, now=now)
    if has_live_bookings(listing.pk):
        raise WrongState("It has live bookings.", field="id")
    Listing.objects.filter(pk=listing.pk).update(deleted_at=now, updated_at=now)
    announce_listing(EventType.LISTING_DELETED, listing, now=now)
    return listing
