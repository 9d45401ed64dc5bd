"""What a message holds. Its parts are described in docs/webhooks.md, and a test compares the two.

`data` has the names of the GraphQL API, so that what it shows can be asked for there. It names no guest: whoever may see who
booked asks the API for it, and nothing has to be taken out of messages when a guest leaves.
"""

import json
from datetime import datetime
from typing import Any

from apps.core.ids import global_id
from apps.core.money import Money
from apps.core.periods import Period
from apps.integrations.models import WebhookDelivery
from apps.listings.models import Listing

# Raised when a part is taken away or changes its meaning; what is only added leaves it as it is.
VERSION = 1

Data = dict[str, Any]


def body_of(delivery: WebhookDelivery) -> Data:
    """The whole message of a delivery, read with its event."""
    event = delivery.event
    return {
        "type": event.type,
        "timestamp": instant(event.at),
        "version": event.version,
        "event_id": event.public_id,
        "delivery_id": delivery.public_id,
        "data": event.data,
    }


def encoded(body: Data) -> bytes:
    """As it is sent and signed."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def listing_data(listing: Listing) -> Data:
    """What everybody may see of a listing, but for its kind's own fields."""
    return {
        "id": listing_id(listing),
        "kind": listing.kind,
        "status": listing.status,
        "title": listing.title,
        "price": money(listing.price),
        "city": listing.city,
        "country": listing.country,
        "timeZone": listing.time_zone,
        "createdAt": instant(listing.created_at),
        "updatedAt": instant(listing.updated_at),
    }


def listing_id(listing: Listing) -> str:
    """Its id in the API, which is under its kind's name: PARKING_SPOT is a ParkingSpot there."""
    return global_id("".join(word.capitalize() for word in listing.kind.split("_")), listing.pk)


def money(amount: Money) -> Data:
    return {"amountMinor": amount.minor, "currency": amount.currency}


def period(span: Period) -> Data:
    return {"start": instant(span.start), "end": instant(span.end)}


def instant(at: datetime) -> str:
    """ISO 8601 in UTC."""
    return at.isoformat().replace("+00:00", "Z")


def instant_or_none(at: datetime | None) -> str | None:
    return None if at is None else instant(at)
