"""Stays, parking spots and events out of files: what goes in, what is refused, and the second time."""

import csv
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from psycopg2.extras import DateTimeTZRange

from apps.availability.models import BLOCK_HOLDER, Allocation, Block, Stock, Unit
from apps.importing.problems import ImportProblem
from apps.kinds.event.models import Event
from apps.kinds.parking.models import ParkingSpot
from apps.kinds.property.models import Property
from apps.listings.models import Listing, ListingStatus
from apps.users.models import User, UserRole
from tests.importing.files import EVENT, FULL, METER, NOW, SUMMARY, run, write_csv

pytestmark = pytest.mark.django_db(transaction=True)


def stay(**fields: str) -> dict[str, str]:
    return {**SUMMARY, **fields}


def counts(summary: object) -> tuple[int, ...]:
    return tuple(getattr(summary, name) for name in ("read", "new", "changed", "unchanged", "refused", "repaired"))


def test_a_stay_of_the_summary_form(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv.gz", stay(name="Sunny <b>room</b>"))

    done = run(path, "airbnb-summary", currency="EUR", time_zone="Europe/Lisbon", city="Lisboa")

    assert counts(done.summary) == (1, 1, 0, 0, 0, 0)
    listing = Listing.objects.select_related("property", "host").get()
    assert (listing.kind, listing.status, listing.title) == ("PROPERTY", ListingStatus.PUBLISHED, "Sunny <b>room</b>")
    assert (listing.price_minor, listing.currency, listing.time_zone) == (12_000, "EUR", "Europe/Lisbon")
    assert (listing.city, listing.address, listing.latitude) == ("Lisboa", "Hilltop", 40.5)
    assert (listing.source, listing.external_id) == ("airbnb", "1001")
    assert (listing.property.min_nights, listing.property.max_guests) == (2, 2)
    assert list(Unit.objects.values_list("listing", "number", "is_offered")) == [(listing.pk, 1, True)]


def test_a_stay_of_the_full_form(tmp_path: Path) -> None:
    run(write_csv(tmp_path / "stays.csv", {**FULL, "name": "Home · 2 bedrooms · 3 beds"}), "airbnb-full")

    details = Property.objects.select_related("listing").get()
    assert details.listing.price_minor == 123_400
    assert (details.max_guests, details.bedrooms, details.beds, details.bathrooms) == (4, 2, 3, Decimal("1.5"))
    assert details.amenities == ["Wifi", "Kitchen"]
    assert (details.min_nights, details.max_nights, details.property_type) == (2, 30, "Entire rental unit")


def test_an_id_beyond_the_integers_stays_what_it_is(tmp_path: Path) -> None:
    ids = ["1056469473906808728", "1056469473906808729", "99999999999999999999999"]
    run(write_csv(tmp_path / "stays.csv", *(stay(id=each) for each in ids)), "airbnb-summary")
    assert sorted(Listing.objects.values_list("external_id", flat=True)) == sorted(ids)


def test_every_bad_row_is_told_with_its_line_and_the_rest_goes_in(tmp_path: Path) -> None:
    report = tmp_path / "report.csv"
    path = write_csv(
        tmp_path / "stays.csv",
        stay(id="1", name="Two\nlines"),
        stay(id="2", name="   "),
        stay(id="3", price="0"),
        stay(id="4", price=""),
        stay(id="5", price="$12x3"),
        stay(id="6", latitude="123"),
        stay(id="7", minimum_nights="0"),
        stay(id="8", host_id=""),
        stay(id=""),
        stay(id="1"),
        stay(id="9", minimum_nights="1250"),
        stay(id="10", latitude=""),
        stay(id="11", name="x" * 300),
    )

    done = run(path, "airbnb-summary", report)

    assert counts(done.summary) == (13, 4, 0, 0, 9, 4)
    assert done.refused == [
        "line 4: refused: title is blank",
        "line 5: refused: price is 0, below 0.01",
        "line 6: refused: price is blank",
        "line 7: refused: price is no number: '12x3'",
        "line 8: refused: latitude is outside -90..90: '123'",
        "line 9: refused: min_nights is 0, below 1",
        "line 10: refused: host_id is blank",
        "line 11: refused: external_id is blank",
        "line 12: refused: the id 1 is on line 2 already",
    ]
    with report.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["line"] for row in rows if row["outcome"] == "refused"] == [str(line) for line in range(4, 13)]
    assert [(row["line"], row["reason"]) for row in rows if row["outcome"] == "repaired"] == [
        ("2", "line breaks in title became spaces"),
        ("13", "max_nights raised to min_nights, 1250"),
        ("14", "half a pair of coordinates left out"),
        ("15", "title cut from 300 to 200 characters"),
    ]
    assert set(Listing.objects.values_list("external_id", "title")) >= {("1", "Two lines")}
    assert Property.objects.get(listing__external_id="9").max_nights == 1250
    assert Listing.objects.get(external_id="10").longitude is None


def test_the_same_file_again_writes_nothing(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv", *(stay(id=str(number), host_id=str(number % 3)) for number in range(20)))
    run(path, "airbnb-summary")
    before = list(Listing.objects.order_by("pk").values())

    done = run(path, "airbnb-summary")

    assert counts(done.summary) == (20, 0, 0, 20, 0, 0)
    assert list(Listing.objects.order_by("pk").values()) == before
    assert (Unit.objects.count(), User.objects.count()) == (20, 3)


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    run(write_csv(path, stay(id="1"), stay(id="2"), stay(id="3")), "airbnb-summary")
    old = dict(Listing.objects.values_list("external_id", "updated_at"))
    Listing.objects.filter(external_id="2").update(status=ListingStatus.ARCHIVED, rating_sum=9, rating_count=2)
    write_csv(path, stay(id="1"), stay(id="2", price="99"), stay(id="3", minimum_nights="5"), stay(id="4"))

    done = run(path, "airbnb-summary")

    assert counts(done.summary) == (4, 1, 2, 1, 0, 0)
    dear = Listing.objects.get(external_id="2")
    # What people did here is theirs: the file does not publish it again.
    assert (dear.price_minor, dear.status, dear.rating_sum) == (9_900, ListingStatus.ARCHIVED, 9)
    assert Property.objects.get(listing__external_id="3").min_nights == 5
    assert Listing.objects.get(external_id="1").updated_at == old["1"]


def test_hosts_have_other_names_and_no_way_in(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "stays.csv",
        {**FULL, "id": "1", "name": "Xaverine's loft", "description": "Ask Xaverine! x.y@mail.example +1 212 555 0100"},
        {**FULL, "id": "2"},
        {**FULL, "id": "3", "host_id": "78", "host_name": "Zebulon"},
    )
    run(path, "airbnb-full")

    hosts = User.objects.order_by("pk")
    assert hosts.count() == 2
    for host in hosts:
        assert (host.role, host.email, host.has_usable_password()) == (UserRole.HOST, "", False)
        assert host.first_name
        assert "77" not in (host.external_id, host.first_name)
        assert len(host.external_id) == 40
    listing = Listing.objects.select_related("host").get(external_id="1")
    name = listing.host.first_name
    assert listing.title == f"{name}'s loft"
    assert listing.description == f"Ask {name}! [removed] [removed]"
    everything = repr(list(User.objects.values())) + repr(list(Listing.objects.values()))
    assert "Xaverine" not in everything
    assert "Zebulon" not in everything


def test_a_host_named_like_the_town_takes_nothing_from_the_town(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "stays.csv", stay(name="Flat in North", host_name="North Stays"))
    run(path, "airbnb-summary")
    assert Listing.objects.get().title == "Flat in North"


def test_a_file_of_another_form_is_refused_whole(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "meters.csv", METER)
    with pytest.raises(ImportProblem, match="does not look like airbnb-summary: no column id, name, price, host_id"):
        run(path, "airbnb-summary")
    assert not Listing.objects.exists()


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    path.write_text(",".join(SUMMARY) + "\n")
    with pytest.raises(ImportProblem, match="there are no rows"):
        run(path, "airbnb-summary")


def test_parking_meters_in_use_become_spots_at_the_rate(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "meters.csv",
        METER,
        {**METER, "ObjectID": "6"},
        {**METER, "ObjectID": "7", "Status": "Retired"},
        {**METER, "ObjectID": "8", "Meter_Hours": ""},
        {**METER, "ObjectID": "9", "Longitude": ""},
    )

    done = run(path, "nyc-meters", rate="2.75")

    assert counts(done.summary) == (5, 3, 0, 0, 2, 0)
    assert done.refused == ["line 4: refused: the meter is Retired", "line 6: refused: longitude is blank"]
    spot = ParkingSpot.objects.select_related("listing").get(listing__external_id="5")
    assert (spot.street, spot.max_minutes, spot.listing.price_minor) == ("MAIN STREET", 120, 275)
    assert spot.listing.title == "Meter 900, MAIN STREET"
    assert ParkingSpot.objects.get(listing__external_id="8").max_minutes == 1440
    assert Unit.objects.count() == 3
    assert User.objects.get().first_name == "City"


def test_events_get_their_tickets_and_their_zone(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(
        json.dumps([EVENT, {**EVENT, "id": "2", "lat": None, "lon": None}, {**EVENT, "id": "3", "end": EVENT["start"]}])
    )

    done = run(path, "nyc-events", tickets="40", rate="5")

    assert counts(done.summary) == (3, 2, 0, 0, 1, 0)
    assert done.refused == ["line 1: refused: ends_at is not after starts_at"]
    event = Event.objects.select_related("listing").get(listing__external_id="parks:1")
    assert event.starts_at == datetime(2026, 12, 1, 13, tzinfo=UTC)
    assert (event.total_tickets, event.listing.price_minor, event.venue) == (40, 500, "The Green")
    assert list(Stock.objects.values_list("capacity", "taken")) == [(40, 0), (40, 0)]
    assert counts(run(path, "nyc-events", tickets="40", rate="5").summary) == (3, 0, 0, 2, 1, 0)


def test_tickets_that_are_sold_are_not_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(json.dumps([EVENT]))
    run(path, "nyc-events", tickets="40")
    Stock.objects.update(taken=30)

    done = run(path, "nyc-events", tickets="20")

    assert done.refused == ["line 1: refused: 30 tickets are sold, more than there would be"]
    assert list(Stock.objects.values_list("capacity", "taken")) == [(40, 30)]
    assert run(path, "nyc-events", tickets="30").summary.changed == 1
    assert Stock.objects.get().capacity == 30


FIELDS_OF_UNITS = """
target = "property"
source = "hotels"
reader = "csv"
[host]
name = "Hotel"
[options]
currency = "EUR"
time_zone = "Europe/Lisbon"
[fields.external_id]
from = "id"
[fields.title]
from = "name"
[fields.currency]
option = "currency"
[fields.time_zone]
option = "time_zone"
[fields.price]
from = "price"
[fields.max_guests]
default = "2"
[fields.units]
from = "rooms"
"""


def test_another_schema_is_a_file_and_units_follow_it_with_their_blocks(tmp_path: Path) -> None:
    form = tmp_path / "hotels.toml"
    form.write_text(FIELDS_OF_UNITS)
    path = write_csv(tmp_path / "hotels.csv", {"id": "1", "name": "Hotel", "price": "80", "rooms": "2"})
    run(path, str(form))
    listing = Listing.objects.get()
    Block.objects.create(
        listing=listing, period=DateTimeTZRange(NOW, NOW + timedelta(days=2)), reason="", created_at=NOW
    )

    write_csv(path, {"id": "1", "name": "Hotel", "price": "80", "rooms": "3"})
    assert run(path, str(form)).summary.changed == 1
    write_csv(path, {"id": "1", "name": "Hotel", "price": "80", "rooms": "1"})
    assert run(path, str(form)).summary.changed == 1

    units = Unit.objects.order_by("number").values_list("number", "is_offered")
    assert list(units) == [(1, True), (2, False), (3, False)]
    held = Allocation.objects.filter(holder=BLOCK_HOLDER, is_active=True)
    assert list(held.values_list("unit__number", flat=True)) == [1]
