"""The subscriptions: of a booking, of what is free, and of what an account is told."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Any

import graphene

from apps.availability.selectors import free_now, tickets_left_of
from apps.bookings.models import Booking as BookingRow
from apps.bookings.selectors import booking_for
from apps.core.errors import NotFound
from apps.core.periods import Period as Span
from apps.listings.kinds import kind_of
from apps.listings.models import Listing as ListingRow
from apps.listings.models import ListingStatus
from apps.listings.search import Box
from apps.notifications.selectors import notification_of_fact
from schema.bookings.secrets import remember_secret
from schema.bookings.types import Booking
from schema.core.context import Context, Info
from schema.core.errors import BadUserInput
from schema.core.ids import read_global_id, to_global_id
from schema.core.nodes import MOST_NODES
from schema.core.permissions import RootField, anyone, signed_in
from schema.core.scalars import DateTime
from schema.listings.filters import BoxInput, read_box
from schema.listings.queries import visible_listings
from schema.listings.types import Listing, read_listing_id
from schema.listings.values import Period
from schema.live.feeds import NOT_FOR_THEM, Event, Feed, FeedEnded
from schema.notifications.types import Notification

# The shortest that a spot can be parked on.
SHORTEST = timedelta(minutes=1)


class BookingFeed(Feed):
    """What happens to one booking, for who may see it: by account or by its secret."""

    def __init__(self, booking_id: int, access_token: str | None) -> None:
        self.topics = frozenset({f"booking:{booking_id}"})
        self._booking_id = booking_id
        self._access_token = access_token

    @property
    def share_key(self) -> Hashable:
        return ("booking", self._booking_id, self._access_token)

    def find(self, context: Context) -> BookingRow:
        """Raises NotFound."""
        booking, _side = booking_for(viewer=context.user, booking_id=self._booking_id, access_token=self._access_token)
        remember_secret(context, booking, self._access_token)
        return booking

    def see(self, context: Context, event: Event) -> Any:
        try:
            return self.find(context)
        except NotFound:
            raise FeedEnded from None


class AvailabilityFeed(Feed):
    """What becomes free or taken of these listings and of all inside the map section."""

    def __init__(self, listing_ids: frozenset[int], box: Box | None) -> None:
        self.topics = frozenset(f"availability:{pk}" for pk in listing_ids)
        self.box = box

    @property
    def share_key(self) -> Hashable:
        return "availability"

    def see(self, context: Context, event: Event) -> Any:
        listing = event.listing
        if listing is None or listing.deleted_at is not None:
            return NOT_FOR_THEM
        if listing.status != ListingStatus.PUBLISHED and not visible_listings(context, [listing.pk]):
            return NOT_FOR_THEM
        return Change(event, listing)


class NotificationFeed(Feed):
    """What one account is told."""

    def __init__(self, user_id: int) -> None:
        self.topics = frozenset({f"notification:{user_id}"})
        self._user_id = user_id

    @property
    def share_key(self) -> Hashable:
        return ("notification", self._user_id)

    def see(self, context: Context, event: Event) -> Any:
        if context.user is None or context.user.pk != self._user_id:
            raise FeedEnded
        found = notification_of_fact(viewer=context.user, key=event.data["key"])
        return NOT_FOR_THEM if found is None else found


class Change:
    """An event of a listing's availability, as AvailabilityChange shows it."""

    def __init__(self, event: Event, listing: ListingRow) -> None:
        self.event = event
        self.listing = listing

    @property
    def period(self) -> Span | None:
        data = self.event.data
        if "start" not in data:
            return None
        return Span(datetime.fromisoformat(data["start"]), datetime.fromisoformat(data["end"]))

    def tickets(self, now: datetime) -> int | None:
        """How many are left; None for what has no tickets."""
        if kind_of(self.listing).capacity(self.listing).stock is None:
            return None
        found: int = self.event.once("tickets", lambda: tickets_left_of([self.listing.pk], now=now))[self.listing.pk]
        return found

    def is_free(self, now: datetime) -> bool | None:
        """Whether it is free this minute; None for what is not used at once."""
        if not kind_of(self.listing).ends_early:
            return None
        found = self.event.once("free", lambda: free_now([self.listing.pk], now=now, until=now + SHORTEST))
        return bool(found[self.listing.pk])


class AvailabilityChange(graphene.ObjectType):
    """Something of a listing was taken or became free."""

    id = graphene.ID(required=True, description="Unique for each change, and the same for everybody who is told of it.")
    at = DateTime(required=True, description="When it changed.")
    listing = graphene.Field(Listing, required=True, description="The listing.")
    period = graphene.Field(Period, description="When something changed; null when it may be anywhere.")
    available_tickets = graphene.Int(description="How many tickets are left now; of events alone.")
    available_now = graphene.Boolean(description="Whether it is free this minute; of parking spots alone.")

    def resolve_id(change: Change, info: Info) -> str:
        return to_global_id("AvailabilityChange", change.event.pk)

    def resolve_at(change: Change, info: Info) -> datetime:
        return change.event.at

    def resolve_available_tickets(change: Change, info: Info) -> int | None:
        return change.tickets(info.context.now)

    def resolve_available_now(change: Change, info: Info) -> bool | None:
        return change.is_free(info.context.now)


class LiveSubscriptions:
    """Mixed into Subscription."""

    booking_updated = RootField(
        Booking,
        required=True,
        id=graphene.ID(required=True, description="The booking's id."),
        access_token=graphene.String(description="The booking's secret, for callers without an account."),
        permission=anyone,
        description="The booking, each time something of it changed; it completes when you may no longer see it.",
    )
    availability_changed = RootField(
        AvailabilityChange,
        required=True,
        listing_ids=graphene.List(
            graphene.NonNull(graphene.ID),
            description=f"Of these listings, at most {MOST_NODES}; unknown ones are ignored.",
        ),
        box=graphene.Argument(BoxInput, description="Of all listings inside the map section. With ids: of both."),
        permission=anyone,
        description="What is taken or becomes free of listings that you may see. Give ids, a map section, or both.",
    )

    notification_received = RootField(
        Notification,
        required=True,
        permission=signed_in,
        description="What you are told, as it happens.",
    )

    def subscribe_notification_received(root: None, info: Info) -> Feed:
        return NotificationFeed(info.context.require_user().pk)

    def resolve_notification_received(root: Any, info: Info) -> Any:
        return root

    def subscribe_booking_updated(
        root: None,
        info: Info,
        id: str,  # noqa: A002
        access_token: str | None = None,
    ) -> Feed:
        feed = BookingFeed(read_global_id(id, "Booking") or 0, access_token)
        feed.find(info.context)
        return feed

    def resolve_booking_updated(root: Any, info: Info, **_arguments: Any) -> Any:
        return root

    def subscribe_availability_changed(
        root: None, info: Info, listing_ids: list[str] | None = None, box: Any = None
    ) -> Feed:
        if not listing_ids and box is None:
            raise BadUserInput("Give listingIds or box.")
        if listing_ids and len(listing_ids) > MOST_NODES:
            raise BadUserInput(f"At most {MOST_NODES} listings can be watched by their ids.")
        known = {read_listing_id(each) for each in listing_ids or ()}
        return AvailabilityFeed(
            frozenset(pk for pk in known if pk is not None), read_box(box) if box is not None else None
        )

    def resolve_availability_changed(root: Any, info: Info, **_arguments: Any) -> Any:
        return root
