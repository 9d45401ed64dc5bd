"""What hosts, others and nobody get from the mutations of listings."""

from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture

from apps.availability.models import Block
from apps.listings.models import Image, Listing
from schema.core.ids import to_global_id
from tests.hosting.inputs import NOW
from tests.recipes import MAKE, make_event, make_guest, make_host, make_property, make_staff
from tests.schema.listings.api import ask, global_id, mutate, told, top_code

pytestmark = pytest.mark.django_db

BERLIN = {"latitude": 52.52, "longitude": 13.4, "city": "Berlin", "timeZone": "Europe/Berlin"}
COMMON: dict[str, Any] = {
    "title": "By the lake",
    "location": BERLIN,
    "price": {"amountMinor": 12_000, "currency": "EUR"},
    "cancellationPolicy": "STRICT",
}
STARTS = NOW + timedelta(days=10)
CREATE: dict[str, dict[str, Any]] = {
    "createProperty": {
        **COMMON,
        "maxGuests": 2,
        "bathrooms": "1.5",
        "amenities": ["Wifi", "Wifi"],
        "checkInTime": "16:00",
    },
    "createService": {
        **COMMON,
        "durationMinutes": 30,
        "openingHours": [{"weekday": 7, "opensAt": "10:00", "closesAt": "00:00"}],
    },
    "createEvent": {
        **COMMON,
        "startsAt": STARTS.isoformat(),
        "endsAt": (STARTS + timedelta(hours=2)).isoformat(),
        "venue": "Hall",
        "totalTickets": 10,
    },
    "createParkingSpot": {**COMMON, "street": "Allee"},
}
SHOWS = """listing {
    __typename id kind status title priceUnit cancellationPolicy ratingAverage ratingCount viewerCanReview
    price { amountMinor amount currency } location { latitude address city timeZone } host { id } images { id }
    ... on Property { propertyType maxGuests bathrooms amenities checkInTime checkOutTime cleaningFee { amountMinor } units }
    ... on Service { durationMinutes bufferMinutes staff openingHours { weekday opensAt closesAt } }
    ... on Event { startsAt venue totalTickets availableTickets }
    ... on ParkingSpot { street maxMinutes availableNow }
}"""


def update_name(create: str) -> str:
    return create.replace("create", "update")


def test_each_kind_is_created_as_it_is_shown() -> None:
    host = make_host()
    shown = {name: mutate(name, data, viewer=host, shows=SHOWS)["listing"] for name, data in CREATE.items()}
    home, service, event, spot = shown.values()
    assert [each["__typename"] for each in shown.values()] == ["Property", "Service", "Event", "ParkingSpot"]
    assert [each["priceUnit"] for each in shown.values()] == ["NIGHT", "APPOINTMENT", "TICKET", "HOUR"]
    for each in shown.values():
        assert (each["status"], each["cancellationPolicy"], each["images"]) == ("DRAFT", "STRICT", [])
        assert each["price"] == {"amountMinor": 12_000, "amount": "120.00", "currency": "EUR"}
        assert each["location"] == {"latitude": 52.52, "address": "", "city": "Berlin", "timeZone": "Europe/Berlin"}
        assert each["host"]["id"] == to_global_id("User", host.pk)
    assert (home["bathrooms"], home["amenities"], home["cleaningFee"]) == ("1.5", ["Wifi"], {"amountMinor": 0})
    assert (home["checkInTime"], home["checkOutTime"], home["units"]) == ("16:00:00", "11:00:00", 1)
    assert service["openingHours"] == [{"weekday": 7, "opensAt": "10:00:00", "closesAt": "00:00:00"}]
    assert (event["totalTickets"], event["availableTickets"]) == (10, 10)
    assert event["startsAt"] == STARTS.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert (spot["street"], spot["maxMinutes"], spot["availableNow"]) == ("Allee", 1440, True)


@pytest.mark.parametrize("name", sorted(CREATE))
def test_wrong_fields_are_told_in_the_words_of_the_input(name: str) -> None:
    host = make_host()
    wrong = {
        **CREATE[name],
        "title": "\t",
        "description": "a\x00",
        "price": {"amountMinor": -1, "currency": "ZZZ"},
        "location": {**BERLIN, "timeZone": "Nowhere", "latitude": None},
    }
    payload = mutate(name, wrong, viewer=host)
    expected = {
        ("REQUIRED", "title"),
        ("INVALID", "description"),
        ("INVALID", "price.amountMinor"),
        ("INVALID", "price.currency"),
        ("INVALID", "location.timeZone"),
        ("REQUIRED" if name == "createParkingSpot" else "INVALID", "location.latitude"),
    }
    assert (payload["listing"], told(payload)) == (None, expected)
    assert not Listing.objects.filter(host=host).exists()


CALLS: list[tuple[str, Any]] = [
    *((update_name(name), lambda listing: {"id": global_id(listing), "title": "x"}) for name in CREATE),
    *((name, lambda listing: {"id": global_id(listing)}) for name in ("publishListing", "archiveListing", "deleteListing")),
    *(
        (name, lambda listing: {"listingId": global_id(listing), "start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"})
        for name in ("blockPeriod", "unblockPeriod")
    ),
    ("removeListingImage", lambda listing: {"imageId": to_global_id("Image", listing.images.get().pk)}),
]  # fmt: skip
KIND_OF_CALL = {
    "updateProperty": "PROPERTY",
    "updateService": "SERVICE",
    "updateEvent": "EVENT",
    "updateParkingSpot": "PARKING_SPOT",
}
INPUT_OF = {"publishListing": "ListingIdInput", "archiveListing": "ListingIdInput", "deleteListing": "ListingIdInput"}


def call(name: str, data: dict[str, Any], viewer: Any) -> Any:
    kind = INPUT_OF.get(name, f"{name[0].upper()}{name[1:]}Input")
    query = f"mutation($input: {kind}!) {{ it: {name}(input: $input) {{ errors {{ code field }} }} }}"
    return ask(query, {"input": data}, viewer=viewer)


def listing_for(name: str, **fields: Any) -> Listing:
    listing = MAKE[KIND_OF_CALL.get(name, "PROPERTY")](**fields)
    Image.objects.create(listing=listing, position=0, file="listings/none.png")
    return listing


def state_of(listing: Listing) -> list[Any]:
    return [
        *Listing.objects.filter(pk=listing.pk).values_list("title", "status", "deleted_at", "updated_at"),
        Image.objects.filter(listing=listing).count(),
        Block.objects.filter(listing=listing).count(),
    ]


@pytest.mark.parametrize(("name", "data"), CALLS, ids=[name for name, _ in CALLS])
def test_only_the_host_and_staff_may_change_a_listing(name: str, data: Any) -> None:
    listing, hidden = listing_for(name), listing_for(name, status="DRAFT")
    before = (state_of(listing), state_of(hidden))
    assert top_code(call(name, data(listing), None)) == "UNAUTHENTICATED"
    assert top_code(call(name, data(listing), make_guest())) == "FORBIDDEN"
    other = make_host()
    field = next(iter(data(listing)))
    for target, code in ((listing, "NOT_ALLOWED"), (hidden, "NOT_FOUND")):
        body = call(name, data(target), other)
        assert body == {"data": {"it": {"errors": [{"code": code, "field": [field]}]}}}
    assert (state_of(listing), state_of(hidden)) == before
    for target, viewer in ((listing, listing.host), (hidden, make_staff())):
        assert call(name, data(target), viewer) == {"data": {"it": {"errors": []}}}


@pytest.mark.parametrize(("name", "data"), CALLS, ids=[name for name, _ in CALLS])
def test_an_id_of_nothing_is_not_found(name: str, data: Any) -> None:
    listing = listing_for(name)
    given = data(listing)
    field = next(iter(given))
    numbers = [to_global_id("User", listing.host_id), to_global_id("Property", 2**62), to_global_id("Booking", 1)]
    for nothing in ["", "\x00", "1", "!!!", "x" * 10_000, *numbers]:
        body = call(name, {**given, field: nothing}, listing.host)
        assert body == {"data": {"it": {"errors": [{"code": "NOT_FOUND", "field": [field]}]}}}, nothing


@pytest.mark.parametrize("name", sorted(CREATE))
def test_creating_needs_the_role_of_a_host(name: str) -> None:
    assert top_code(call(name, CREATE[name], None)) == "UNAUTHENTICATED"
    assert top_code(call(name, CREATE[name], make_guest())) == "FORBIDDEN"
    assert not Listing.objects.exists()
    assert mutate(name, CREATE[name], viewer=make_staff())["errors"] == []


def test_the_id_of_another_kind_is_not_found() -> None:
    event = make_event()
    payload = mutate("updateProperty", {"id": global_id(event), "title": "x"}, viewer=event.host)
    assert told(payload) == {("NOT_FOUND", "id")}
    forged = to_global_id("Property", event.pk)
    assert told(mutate("updateProperty", {"id": forged, "title": "x"}, viewer=event.host)) == {("NOT_FOUND", "id")}


def test_null_and_left_out_differ_in_an_update() -> None:
    home = make_property(property__cleaning_fee_minor=700)
    given = {"id": global_id(home), "description": "New"}
    shows = "listing { description title ... on Property { cleaningFee { amountMinor } } }"
    shown = mutate("updateProperty", given, viewer=home.host, shows=shows)["listing"]
    assert shown == {"description": "New", "title": home.title, "cleaningFee": {"amountMinor": 700}}
    cleared = mutate("updateProperty", {"id": global_id(home), "cleaningFee": None}, viewer=home.host, shows=shows)
    assert cleared["listing"]["cleaningFee"] == {"amountMinor": 0}
    nulls = {"id": global_id(home), "title": None, "price": None, "location": None, "units": None}
    assert told(mutate("updateProperty", nulls, viewer=home.host)) == {
        ("REQUIRED", "title"),
        ("REQUIRED", "price"),
        ("REQUIRED", "location"),
        ("REQUIRED", "units"),
    }


def test_a_deleted_listing_answers_with_the_id_it_had() -> None:
    home = make_property()
    body = ask(
        "mutation($id: ID!) { it: deleteListing(input: {id: $id}) { deletedId errors { code } } }",
        {"id": global_id(home)},
        viewer=home.host,
    )
    assert body == {"data": {"it": {"deletedId": global_id(home), "errors": []}}}


def upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("x.png", content, content_type="image/png")


def test_a_picture_is_shown_under_an_absolute_address(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT, settings.PUBLIC_URL = tmp_path, "https://book.example"
    buffer = BytesIO()
    Picture.new("RGB", (3, 3)).save(buffer, "PNG")
    home = make_property()
    shows = "listing { images { id url alt position } }"
    given = {"listingId": global_id(home), "file": upload(buffer.getvalue()), "alt": "<b>Lake</b>"}
    (image,) = mutate("addListingImage", given, viewer=home.host, shows=shows)["listing"]["images"]
    stored = Image.objects.get(listing=home)
    assert image == {
        "id": to_global_id("Image", stored.pk),
        "url": f"https://book.example/media/{stored.file.name}",
        "alt": "<b>Lake</b>",
        "position": 0,
    }
    wrong = {**given, "file": upload(b"MZ not a picture")}
    assert told(mutate("addListingImage", wrong, viewer=home.host)) == {("INVALID", "file")}
    assert Image.objects.filter(listing=home).count() == 1
