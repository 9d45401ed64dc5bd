"""The contract of a kind, and the registry. A new kind is one folder that registers itself here."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Any

from django.db.models import Model, Q
from django.db.models.expressions import BaseExpression

from apps.core.errors import Collector, Invalid
from apps.core.money import Money
from apps.core.periods import Period, instant
from apps.core.shapes import Places, Put
from apps.listings.offers import BookingRequest, Line, Occupancy

if TYPE_CHECKING:
    from apps.listings.models import Listing
    from apps.listings.search import ListingSearch


@dataclass(frozen=True, slots=True)
class Capacity:
    """What there is to sell: exclusive `units`, or counted `stock` (then `units` is 0)."""

    units: int = 0
    stock: int | None = None


class Kind(ABC):
    """What the rest of the system asks of a kind. Implementations hold no state."""

    code: str  # as in the contract's ListingKind: "PROPERTY"
    about: str  # what it is, in a sentence, for whoever reads the schema
    relation: str  # the one-to-one attribute of Listing that holds the kind's own row
    price_unit: str  # as in the contract's PriceUnit
    payment_timing: str = "NOW"  # or "AT_END"
    request_fields: frozenset[str]  # of BookingRequest, that a booking or a quote of this kind may give
    change_fields: frozenset[str]  # of BookingRequest, that a change may give
    start_path: str | None = None  # the lookup from Listing to when it takes place; None: it is always there
    is_blockable: bool = True  # whether a host can take periods off the market
    ends_early: bool = False  # whether `endBooking` is meant for it
    needs_coordinates: bool = False  # whether a listing of it must say where on the map it is
    has_private_address: bool = False  # whether strangers do not see where it is to the door
    capacity_field: str = "units"  # the input field that says how much there is to sell
    indexed: frozenset[str] = frozenset()  # the names of `asked` that an index of the kind's own can answer

    def details(self, listing: "Listing") -> Any:
        """The kind's own row of the listing."""
        return getattr(listing, self.relation)

    def prepare(self, listings: Sequence["Listing"]) -> None:  # noqa: B027 - most kinds have nothing to read
        """Read for many listings of the kind at once what its answers need of each. Here: nothing."""

    def along(self) -> dict[str, BaseExpression]:
        """The same as annotations of one listing, for a statement that reads it anyway. Here: nothing."""
        return {}

    @abstractmethod
    def clean_details(
        self, fields: dict[str, Any], *, existing: Model | None, listing: "Listing", now: datetime
    ) -> dict[str, Any]:
        """The kind's part of a create (existing None: every default filled in) or update input, checked.

        `fields` has only what was given, None where null was given; `listing` carries the already cleaned common part
        (unsaved on create). Raises InputErrors with every wrong field.
        """

    @abstractmethod
    def save_details(self, listing: "Listing", cleaned: dict[str, Any]) -> None:
        """Write the cleaned part; the listing is saved already."""

    @abstractmethod
    def capacity(self, listing: "Listing") -> Capacity:
        """How much the availability ledger may sell of it."""

    def fixed_period(self, listing: "Listing") -> Period | None:
        """When everybody who books it comes, if that is the host's to say; None where each guest chooses."""
        return None

    def check_request(self, request: BookingRequest) -> None:
        """What is wrong with the request at every listing of the kind. Raises InputErrors.

        Here: each field that the kind does not know. A kind adds what it cannot do without and what makes no sense.
        """
        problems = Collector()
        for name in sorted(request.given() - self.request_fields):
            problems.add(Invalid(f"{name} does not belong to a {self.relation.replace('_', ' ')}.", field=name))
        problems.raise_if_any()

    @abstractmethod
    def occupancy(
        self, listing: "Listing", request: BookingRequest, *, now: datetime, present: Occupancy | None = None
    ) -> Occupancy:
        """What the request takes. Raises InputErrors of Required, Invalid or OutsideRules at the request's fields.

        `present` is the place of a booking that is being changed: what the request leaves of it as it is was right
        when it was booked and is not checked again, so it may lie in the past.
        """

    @abstractmethod
    def lines(
        self, listing: "Listing", occupancy: Occupancy, *, price: Money, booked: Sequence[Line] = ()
    ) -> list[Line]:
        """The itemised price of an occupancy, at `price` a unit; `booked` are the lines of a booking that is changed.

        Raises OutsideRules when the total is more than can be counted.
        """

    @abstractmethod
    def request_of(self, listing: "Listing", occupancy: Occupancy) -> BookingRequest:
        """The request that an existing booking stands for, so that a change can be merged into it."""

    @abstractmethod
    def offered(self, listing: "Listing", window: Period, *, now: datetime) -> list[Period]:
        """When the listing could be used at all inside `window`, were nothing taken: merged, ordered, clipped."""

    def days(self, listing: "Listing", first: date, end: date) -> Period:
        """What whole days, from the first up to but without `end`, mean for the listing: on its wall, midnight to midnight."""
        return Period(instant(first, time(0), listing.time_zone), instant(end, time(0), listing.time_zone))

    @abstractmethod
    def asked(self, search: "ListingSearch", *, now: datetime) -> dict[str, Put] | None:
        """What the search asks of a listing of this kind, by names of the kind's own; None where it excludes the kind.

        The names alone say what `search_filter` and `free_filter` look like: all that hangs on a value is decided here.
        """

    @abstractmethod
    def search_filter(self, places: Places) -> Q:
        """The condition on a listing of the kind, for what `asked` named; a Q() asks for nothing.

        What has to look into a calendar belongs to `free_filter`.
        """

    def free_filter(self, places: Places) -> Q:
        """What remains to be asked of each listing that `search_filter` finds: whether its calendar has room.

        It uses the availability ledger's own predicate. It is asked of one listing after the other, in the order of the
        page and until the page is full.
        """
        return Q()


_registry: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Called once by each kind's AppConfig.ready()."""
    _registry[kind.code] = kind


def kind_of(listing: "Listing") -> Kind:
    return _registry[listing.kind]


def kind_named(code: str) -> Kind:
    """Raises KeyError for a code that no kind registered."""
    return _registry[code]


def kind_model(kind: Kind) -> type[Model]:
    """Of which model the kind's own rows are."""
    from apps.listings.models import Listing

    model = Listing._meta.get_field(kind.relation).related_model
    assert model is not None
    return model


def all_kinds() -> list[Kind]:
    """Every registered kind, by code."""
    return [_registry[code] for code in sorted(_registry)]


def kinds_in_order() -> list[Kind]:
    """Every registered kind, as settings.KINDS has them."""
    return list(_registry.values())


def relations() -> list[str]:
    """What to `select_related` so that a listing comes with its kind's row."""
    return [kind.relation for kind in all_kinds()]
