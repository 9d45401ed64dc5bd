"""The connections of bookings and payments that hang off the signed-in person."""

from __future__ import annotations

from typing import Any

import graphene

from apps.bookings.selectors import BOOKINGS, Asked, hosted_bookings, own_bookings
from apps.bookings.selectors import BookingWhen as When
from apps.payments.selectors import charges_of
from schema.bookings.columns import SETS
from schema.bookings.loaders import ALONG
from schema.bookings.types import BookingConnection, BookingStatus, describe
from schema.core.context import Info
from schema.core.lookahead import Lookahead
from schema.core.pagination import NEWEST, Connection, connection_field, paginate, paginate_read, read_page
from schema.core.selections import asked_of_nodes
from schema.listings.types import read_listing_id
from schema.payments.types import PaymentConnection

BookingWhen = graphene.Enum.from_enum(
    When,
    name="BookingWhen",
    description=describe(
        {"UPCOMING": "Not begun.", "CURRENT": "Going on now.", "PAST": "Over, or never to be."},
        "Which part of a person's bookings.",
    ),
)


def statuses() -> graphene.List:
    return graphene.List(graphene.NonNull(BookingStatus), description="Only these states.")


class ViewerBookings:
    """Mixed into Viewer. `parent` is the account."""

    bookings = connection_field(
        BookingConnection,
        status=statuses(),
        when=graphene.Argument(BookingWhen, description="Only this part."),
        description="What this person booked, newest first.",
    )
    hosted_bookings = connection_field(
        BookingConnection,
        status=statuses(),
        listing_id=graphene.ID(description="Only of this listing."),
        description="The bookings of this person's listings, newest first.",
    )
    payments = connection_field(PaymentConnection, description="What this person paid or tried to, newest first.")

    def resolve_bookings(parent: Any, info: Info, **arguments: Any) -> Any:
        asked = own_bookings(
            guest=parent,
            statuses=_names(arguments),
            when=_when(arguments.get("when")),
            shown=SETS.below(info),
            now=info.context.now,
        )
        return _page(info, arguments, parent, asked)

    def resolve_hosted_bookings(parent: Any, info: Info, **arguments: Any) -> Any:
        wanted = arguments.get("listing_id")
        # An id that nothing has is no reason to show everything.
        listing_id = None if wanted is None else read_listing_id(wanted) or 0
        asked = hosted_bookings(
            host=parent,
            statuses=_names(arguments),
            listing_id=listing_id,
            shown=SETS.below(info),
        )
        return _page(info, arguments, parent, asked)

    def resolve_payments(parent: Any, info: Info, **arguments: Any) -> Any:
        return paginate(charges_of(payer=parent), NEWEST, read_page(info, arguments, owner=parent.pk))


def _page(info: Info, arguments: dict[str, Any], person: Any, asked: Asked) -> Connection:
    page = read_page(info, arguments, owner=person.pk)
    ahead = Lookahead(asked_of_nodes(info, "Booking", ALONG), ALONG)
    connection = paginate_read(BOOKINGS, page, *asked.shape, along=ahead.along, **asked.values)
    ahead.hand_over(info.context, [edge.node for edge in connection.edges])
    return connection


def _names(arguments: dict[str, Any]) -> list[str] | None:
    given = arguments.get("status")
    return None if given is None else [getattr(each, "value", each) for each in given]


def _when(given: Any) -> When | None:
    return None if given is None else When(getattr(given, "value", given))
