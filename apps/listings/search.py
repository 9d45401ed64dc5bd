"""What a search asks for, in the terms of the business. Pure data: the edge fills it, selectors and kinds read it."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from enum import StrEnum

from apps.core.periods import Period


class ListingOrder(StrEnum):
    """The orders of the contract."""

    RELEVANCE = "RELEVANCE"
    PRICE_ASC = "PRICE_ASC"
    PRICE_DESC = "PRICE_DESC"
    RATING_DESC = "RATING_DESC"
    DISTANCE = "DISTANCE"
    NEWEST = "NEWEST"
    STARTS_AT = "STARTS_AT"


@dataclass(frozen=True, slots=True)
class Near:
    """A point in degrees and an inclusive great-circle radius in kilometres (R = 6371.0)."""

    latitude: float
    longitude: float
    radius_km: float


@dataclass(frozen=True, slots=True)
class Box:
    """A map section in degrees; west > east crosses the antimeridian."""

    south: float
    west: float
    north: float
    east: float


# What only kinds can answer: asking for one of these leaves out the kinds that do not know it.
KIND_FIELDS = (
    "guests",
    "tickets",
    "amenities",
    "free",
    "check_in",
    "check_out",
    "starts_after",
    "starts_before",
)


@dataclass(frozen=True, slots=True)
class ListingSearch:
    """A filter, already checked: half pairs and nonsense were refused at the edge (rules 68, 69, 147)."""

    kinds: frozenset[str] | None = None
    text: str = ""
    city: str = ""
    host_id: int | None = None
    near: Near | None = None
    box: Box | None = None
    min_price_minor: int | None = None
    max_price_minor: int | None = None
    currency: str = ""
    min_rating: float | None = None
    guests: int | None = None
    tickets: int | None = None
    amenities: tuple[str, ...] = ()
    free: Period | None = None
    check_in: date | None = None
    check_out: date | None = None
    starts_after: datetime | None = None
    starts_before: datetime | None = None

    def asks_for(self, *names: str) -> bool:
        """Whether any of these fields holds something."""
        return any(getattr(self, name) != _NOTHING[name] for name in names)


_NOTHING = {field.name: field.default for field in fields(ListingSearch)}
