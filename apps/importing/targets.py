"""What a row can become, and what each of its fields must be. A mapping fills these fields from columns."""

from dataclasses import dataclass, field
from decimal import Decimal

from apps.core.money import LARGEST_PRICE

LARGEST_INTEGER = 2_147_483_647


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field of a target: how its text is read, what it is where the source has none, and its bounds (inclusive).

    `default` is text, read like any other; None means that a row without it is refused, "" that it stays empty.
    """

    convert: str
    default: str | None = ""
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """`fields` in the order in which they are read: money needs its currency, local times need their zone."""

    name: str
    fields: dict[str, FieldSpec]
    needs_host: bool = True
    kind: str | None = None
    own_fields: tuple[str, ...] = field(default=())


def whole(default: str | None, least: int, most: int = LARGEST_INTEGER) -> FieldSpec:
    return FieldSpec("integer", default, Decimal(least), Decimal(most))


PRICE = FieldSpec("money", None, Decimal(0), Decimal(LARGEST_PRICE))
LATITUDE = FieldSpec("latitude")
LONGITUDE = FieldSpec("longitude")

LISTING: dict[str, FieldSpec] = {
    "external_id": FieldSpec("identifier", None),
    "title": FieldSpec("line", None, longest=200),
    "description": FieldSpec("text", longest=20_000),
    "latitude": LATITUDE,
    "longitude": LONGITUDE,
    "address": FieldSpec("line", longest=300),
    "city": FieldSpec("line", longest=120),
    "region": FieldSpec("line", longest=120),
    "country": FieldSpec("line", longest=120),
    "time_zone": FieldSpec("time_zone", None),
    "currency": FieldSpec("currency", None),
    "price": PRICE,
    "cancellation_policy": FieldSpec("cancellation_policy", "FLEXIBLE"),
}
PROPERTY: dict[str, FieldSpec] = {
    "property_type": FieldSpec("line", longest=120),
    "max_guests": whole(None, 1, 100),
    "bedrooms": whole("1", 0, 100),
    "beds": whole("1", 0, 100),
    "bathrooms": FieldSpec("decimal", "1", Decimal(0), Decimal(100)),
    "amenities": FieldSpec("words", "[]", longest=120),
    "check_in_time": FieldSpec("time", "15:00"),
    "check_out_time": FieldSpec("time", "11:00"),
    "min_nights": whole("1", 1),
    "max_nights": whole("365", 1),
    "cleaning_fee": FieldSpec("money", "", Decimal(0), Decimal(LARGEST_PRICE)),
    "units": whole("1", 1, 500),
}
PARKING: dict[str, FieldSpec] = {
    "street": FieldSpec("line", None, longest=300),
    "max_minutes": whole("1440", 1, 43_200),
}
EVENT: dict[str, FieldSpec] = {
    "starts_at": FieldSpec("instant", None),
    "ends_at": FieldSpec("instant", None),
    "venue": FieldSpec("line", None, longest=300),
    "total_tickets": whole(None, 1, 1_000_000),
}

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("property", LISTING | PROPERTY, kind="PROPERTY", own_fields=tuple(PROPERTY)),
        Target(
            "parking_spot",
            LISTING
            | {
                "latitude": FieldSpec("latitude", None),
                "longitude": FieldSpec("longitude", None),
            }
            | PARKING,
            kind="PARKING_SPOT",
            own_fields=tuple(PARKING),
        ),
        Target("event", LISTING | EVENT, kind="EVENT", own_fields=tuple(EVENT)),
        Target(
            "blocks",
            {
                "listing": FieldSpec("identifier", None),
                "day": FieldSpec("date", None),
                "free": FieldSpec("flag", None),
            },
            needs_host=False,
        ),
        Target(
            "review",
            {
                "external_id": FieldSpec("identifier", None),
                "listing": FieldSpec("identifier", None),
                "day": FieldSpec("date", None),
                "comment": FieldSpec("text", None, longest=5_000),
            },
        ),
    )
}
