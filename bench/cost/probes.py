"""The queries that are measured: pairs that differ in one thing, and the dearest that are answered."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Probe:
    """`caller` is "" for nobody, "guest" or "host"."""

    name: str
    query: str
    caller: str = ""


NOW = datetime.now(UTC)
TODAY = NOW.date()
NEAR = "near: {latitude: 51.5, longitude: -0.1, distance: 20000}"


def window(days: int) -> str:
    """Arguments of a window that begins tomorrow."""
    start = (NOW + timedelta(days=1)).replace(microsecond=0)
    return f'from: "{start.isoformat()}", to: "{(start + timedelta(days=days)).isoformat()}"'


LEAVES = "kind status title description priceUnit cancellationPolicy ratingAverage ratingCount createdAt updatedAt"
OBJECTS = "price { amountMinor currency amount } location { city region country latitude longitude timeZone }"
HOST = "host { id displayName joinedAt }"
ALL = f"id {LEAVES} {OBJECTS} {HOST} images {{ url alt position }}"
BOOKING = (
    "id reference status createdAt expiresAt period { start end } total { amountMinor currency } "
    "listing { id title } lines { label quantity amount { amountMinor currency } } "
    "payments { id status amount { amountMinor currency } createdAt } history { type actor at }"
)


def listings(selection: str, *, first: int = 100, arguments: str = "") -> str:
    return f"{{ listings(first: {first}{arguments}) {{ edges {{ node {{ {selection} }} }} }} }}"


def nights(number: int) -> str:
    """A filter for stays of so many nights."""
    start = TODAY + timedelta(days=2)
    return f'checkIn: "{start}", checkOut: "{start + timedelta(days=number)}"'


def search(wanted: str, order: str) -> str:
    return listings("id", first=20, arguments=f", filter: {{{wanted}}}, orderBy: {order}")


def many(field: str, times: int) -> str:
    return " ".join(f"a{number}: {field}" for number in range(times))


KINDS = ("PROPERTY", "SERVICE", "EVENT", "PARKING_SPOT")
PROBES = [
    Probe("nothing", "{ __typename }"),
    Probe("100 ids", listings("id")),
    Probe("20 ids", listings("id", first=20)),
    Probe("100 with ten fields", listings(f"id {LEAVES}")),
    Probe("100 with two objects", listings(f"id {OBJECTS}")),
    Probe("100 with hosts", listings(f"id {HOST}")),
    Probe("100 with pictures", listings("id images { url alt position }")),
    Probe("100 with all", listings(ALL)),
    Probe("20 with all", listings(ALL, first=20)),
    Probe("100 with 10 reviews each", listings("id reviews(first: 10) { edges { node { id rating comment } } }")),
    Probe(
        "100 with 10 reviews each, with authors",
        listings("id reviews(first: 10) { edges { node { id rating comment author { displayName } } } }"),
    ),
    *(
        Probe(
            f"100 {kind}, free in {days} days",
            listings(f"id availability({window(days)}) {{ start end }}", arguments=f", filter: {{kind: [{kind}]}}"),
        )
        for kind in ("PROPERTY", "SERVICE")
        for days in (7, 60)
    ),
    *(
        Probe(
            f"20 services, slots of {days} days",
            listings(
                f"... on Service {{ slots({window(days)}) {{ start end }} }}",
                first=20,
                arguments=", filter: {kind: [SERVICE]}",
            ),
        )
        for days in (7, 30)
    ),
    Probe("20 by a frequent word", listings("id", first=20, arguments=', filter: {text: "cottage"}')),
    Probe("50 own bookings, ids", "{ me { bookings(first: 50) { edges { node { id } } } } }", "guest"),
    Probe(
        "50 own bookings, all", f"{{ me {{ bookings(first: 50) {{ edges {{ node {{ {BOOKING} }} }} }} }} }}", "guest"
    ),
    Probe(
        "50 hosted bookings, all",
        f"{{ me {{ hostedBookings(first: 50) {{ edges {{ node {{ {BOOKING} }} }} }} }} }}",
        "host",
    ),
    Probe("100 nothing found of 50,000", listings("id", arguments=', filter: {text: "cottage", minRating: 5}')),
    Probe(
        "12 root fields",
        "{" + " ".join(f"q{n}: listings(first: 20) {{ edges {{ node {{ id title }} }} }}" for n in range(12)) + "}",
    ),
    Probe("20 by a word that is nowhere", search('text: "zzzzzzzz"', "RATING_DESC")),
    Probe("20 with many tickets left", search("tickets: 100000", "RATING_DESC")),
    Probe("20 with amenities, by their start", search('amenities: ["wifi"]', "STARTS_AT")),
    Probe("20 good ones by distance", search(f"minRating: 4.9, {NEAR}", "DISTANCE")),
    Probe("20 free for 3 nights, by price", search(nights(3), "PRICE_ASC")),
    Probe("20 free for 3 nights, by their start", search(nights(3), "STARTS_AT")),
    Probe("all free for 3 nights, counted", f"{{ listings(first: 0, filter: {{{nights(3)}}}) {{ totalCount }} }}"),
    Probe("20 free for 30 nights where nothing is, by price", search(nights(30), "PRICE_ASC")),
    Probe(
        "100 with 8 quotes each",
        listings(
            many(
                f'quote(checkIn: "{TODAY + timedelta(days=9)}", checkOut: "{TODAY + timedelta(days=12)}") {{ available }}',
                8,
            ),
            arguments=", filter: {kind: [PROPERTY]}",
        ),
    ),
    Probe("everything about oneself", "{ me { export } }", "guest"),
    *(
        Probe(
            f"a host's figures of {days} days",
            f'{{ me {{ hostStats(from: "{TODAY}", to: "{TODAY + timedelta(days=days)}") {{ revenue {{ amount }} occupancy }} }} }}',
            "host",
        )
        for days in (30, 365)
    ),
]
