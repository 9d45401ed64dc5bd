"""Listings with their kind's row and their capacity, a chunk of records at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from apps.availability.models import Stock
from apps.bookings.models import Booking
from apps.bookings.states import LIVE
from apps.core.db import require_transaction, unit_of_work
from apps.importing.blocking import carry_out_blocks
from apps.importing.mapping import Mapping
from apps.importing.people import People
from apps.importing.problems import ImportProblem
from apps.importing.records import Record
from apps.importing.staging import Written, upsert
from apps.kinds.event.models import Event
from apps.kinds.parking.models import ParkingSpot
from apps.kinds.property.models import Property
from apps.listings.models import Listing, ListingStatus

LISTING_COLUMNS = (
    "source", "external_id", "kind", "status", "host_id", "title", "description", "latitude", "longitude", "address",
    "city", "region", "country", "time_zone", "price_minor", "currency", "cancellation_policy", "rating_sum",
    "rating_count", "updated_at",
)  # fmt: skip
# What the platform owns once the listing is there: importing again never publishes what somebody archived.
ONLY_NEW = ("kind", "status", "rating_sum", "rating_count")
OWN_MODELS: dict[str, type[Property] | type[ParkingSpot] | type[Event]] = {
    "PROPERTY": Property,
    "PARKING_SPOT": ParkingSpot,
    "EVENT": Event,
}
OWN_COLUMNS = {"cleaning_fee": "cleaning_fee_minor"}


@dataclass(slots=True)
class Outcome:
    """What became of a chunk: how many were new, changed, the same, and who was refused at the last moment and why."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)
    repaired: list[tuple[int, str]] = field(default_factory=list)


@unit_of_work
def load_listings(records: Sequence[Record], *, mapping: Mapping, people: People, now: datetime) -> Outcome:
    """Make or update the listings of the records, published and with their capacity, all or none of the chunk.

    Writes only what differs. An event that would move under its bookings, or have fewer tickets than are sold, is
    refused. Raises ImportProblem where the source has a listing of another kind under the same id.
    """
    kind = mapping.target.kind
    if kind is None:
        raise TypeError(f"{mapping.target.name} is no listing")
    outcome = Outcome()
    if OWN_MODELS[kind] is Event:
        records = _movable_events(records, mapping=mapping, outcome=outcome)
    hosts = people.accounts(record.person for record in records)
    rows = [_listing_row(record.values, mapping, kind, hosts[record.person], now) for record in records]
    listings = upsert(
        Listing,
        LISTING_COLUMNS,
        rows,
        key=("source", "external_id"),
        condition="NOT external_id = ''",
        only_new=ONLY_NEW,
        stamped="updated_at",
        answer="external_id",
    )
    keys = dict(
        Listing.objects.filter(
            source=mapping.source, external_id__in=[record.values["external_id"] for record in records]
        ).values_list("external_id", "pk")
    )
    of_other_kind = set(
        Listing.objects.filter(pk__in=keys.values()).exclude(kind=kind).values_list("external_id", flat=True)
    )
    if of_other_kind:
        raise ImportProblem(f"{mapping.source} has a listing of another kind under {min(of_other_kind)!r}")
    own = _write_own(records, keys, kind, mapping.target.own_fields)
    capacity = _write_capacity(records, keys, kind, now=now)
    new = {keys[name] for name in listings.inserted}
    changed = ({keys[name] for name in listings.changed} | own.changed | own.inserted | capacity) - new
    # A change of the kind's row alone is a change of the listing.
    Listing.objects.filter(pk__in=changed - {keys[name] for name in listings.changed}).update(updated_at=now)
    outcome.new = len(new)
    outcome.changed = len(changed)
    outcome.unchanged = len(records) - len(new) - len(changed)
    return outcome


def _listing_row(values: dict[str, Any], mapping: Mapping, kind: str, host: int, now: datetime) -> list[Any]:
    return [
        mapping.source,
        values["external_id"],
        kind,
        ListingStatus.PUBLISHED.value,
        host,
        values["title"],
        values["description"],
        values["latitude"],
        values["longitude"],
        values["address"],
        values["city"],
        values["region"],
        values["country"],
        values["time_zone"],
        values["price"],
        values["currency"],
        values["cancellation_policy"],
        0,
        0,
        now,
    ]


def _write_own(records: Sequence[Record], keys: dict[str, int], kind: str, fields: Sequence[str]) -> Written:
    """The kind's own rows."""
    columns = ["listing_id", *(OWN_COLUMNS.get(name, name) for name in fields)]
    rows = [
        [keys[record.values["external_id"]], *(_own_value(name, record.values[name]) for name in fields)]
        for record in records
    ]
    return upsert(OWN_MODELS[kind], columns, rows, key=("listing_id",), answer="listing_id")


def _own_value(name: str, value: Any) -> Any:
    return [] if name == "amenities" and value is None else value


def _write_capacity(records: Sequence[Record], keys: dict[str, int], kind: str, *, now: datetime) -> set[int]:
    """What the availability ledger may sell. Returns the listings of which that changed."""
    if OWN_MODELS[kind] is Event:
        rows = [[keys[record.values["external_id"]], record.values["total_tickets"], 0] for record in records]
        written = upsert(
            Stock, ("listing_id", "capacity", "taken"), rows, key=("listing_id",), only_new=("taken",),
            answer="listing_id",
        )  # fmt: skip
        return written.inserted | written.changed
    return _offer_units(
        {keys[record.values["external_id"]]: int(record.values.get("units", 1)) for record in records}, now=now
    )


def _offer_units(units: dict[int, int], *, now: datetime) -> set[int]:
    """Offer units 1..n of each listing and no others; new ones take part in the listing's blocks."""
    require_transaction()
    if not units:
        return set()
    listings, numbers = list(units), list(units.values())
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO availability_unit (listing_id, number, is_offered)
            SELECT wanted.listing, series.number, true
            FROM unnest(%s::bigint[], %s::int[]) AS wanted(listing, units), generate_series(1, units) AS series(number)
            ON CONFLICT (listing_id, number) DO NOTHING
            RETURNING listing_id
            """,
            [listings, numbers],
        )
        changed = {int(row[0]) for row in cursor.fetchall()}
        cursor.execute(
            """
            UPDATE availability_unit AS unit SET is_offered = unit.number <= wanted.units
            FROM unnest(%s::bigint[], %s::int[]) AS wanted(listing, units)
            WHERE unit.listing_id = wanted.listing AND unit.is_offered <> (unit.number <= wanted.units)
            RETURNING unit.listing_id
            """,
            [listings, numbers],
        )
        changed |= {int(row[0]) for row in cursor.fetchall()}
    carry_out_blocks(changed, now=now)
    return changed


def _movable_events(records: Sequence[Record], *, mapping: Mapping, outcome: Outcome) -> list[Record]:
    """The records without those that would break a promise made to a guest."""
    by_key = {record.values["external_id"]: record for record in records}
    present = {
        event.listing.external_id: event
        for event in Event.objects.select_related("listing").filter(
            listing__source=mapping.source, listing__external_id__in=by_key
        )
    }
    pks = sorted(event.pk for event in present.values())
    stocks = {stock.pk: stock for stock in Stock.objects.select_for_update().filter(pk__in=pks).order_by("pk")}
    booked = set(Booking.objects.filter(listing__in=pks, status__in=LIVE).values_list("listing", flat=True))
    good = []
    for key, record in by_key.items():
        event = present.get(key)
        if event is None:
            good.append(record)
            continue
        moves = (event.starts_at, event.ends_at) != (record.values["starts_at"], record.values["ends_at"])
        taken = stocks[event.pk].taken if event.pk in stocks else 0
        if moves and event.pk in booked:
            outcome.refused.append((record.line, "the event would move under its bookings"))
        elif record.values["total_tickets"] < taken:
            outcome.refused.append((record.line, f"{taken} tickets are sold, more than there would be"))
        else:
            good.append(record)
    return good
