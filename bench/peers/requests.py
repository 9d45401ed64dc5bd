"""The four requests of the comparison in the words of our contract, and our answers in the form that all are compared in.

The benchmark reads this file by itself, in its own Python: it needs nothing but PyJWT.

Q1: search; Q2: a listing with reviews and when it is taken; Q3: my bookings; M1: hold two nights.
"""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

NODE = (
    "id title location{city latitude longitude} price{amountMinor currency} host{id displayName} ratingAverage ratingCount "
    "...on Property{propertyType maxGuests}"
)
TEXTS = {
    "Q1": "query Search($filter:ListingFilter!,$first:Int!){listings(filter:$filter,orderBy:PRICE_ASC,first:$first){"
    "pageInfo{hasNextPage endCursor} edges{cursor node{" + NODE + "}}}}",
    "Q2": "query Detail($id:ID!,$from:DateTime!,$to:DateTime!){listing(id:$id){description " + NODE + " "
    "reviews(first:10){edges{node{id rating comment createdAt author{id displayName}}}} "
    "availability(from:$from,to:$to){start end}}}",
    "Q3": "query Mine{me{bookings(first:10){pageInfo{hasNextPage} edges{node{id status total{amountMinor} period{start end} "
    "listing{id title location{city}} payments{id status amount{amountMinor}}}}}}}",
    "M1": "mutation Book($input:BookPropertyInput!){bookProperty(input:$input){"
    "booking{id status total{amountMinor} period{start end} expiresAt} errors{code field message}}}",
}
STATUS = {"PENDING": "pending", "CONFIRMED": "confirmed", "CANCELED": "cancelled"}
PAID = {"SUCCEEDED": "captured", "AUTHORIZED": "authorized", "REFUNDED": "refunded"}
# The longest booking of the data has 14 days, and the last one ends in the autumn of 2027.
BACK, AHEAD = timedelta(days=15), timedelta(days=400)
TAKEN = 10
KEY_ID = "peers"


def listing_id(number: str) -> str:
    """The global id of a listing."""
    return b64encode(f"Property:{number}".encode()).decode()


def number_of(global_id: str) -> int:
    """The number in a global id."""
    return int(b64decode(global_id).decode().partition(":")[2])


def token(user_id: int, *, secret: str) -> str:
    """The access token of the one session that the import opened for each."""
    payload = {
        "sub": str(user_id),
        "sid": str(user_id),
        "ver": 0,
        "jti": f"peers-{user_id}",
        "iat": 1_790_000_000,
        "exp": 2_100_000_000,
        "origIat": 1_790_000_000,
        "typ": "access",
    }
    return "Bearer " + jwt.encode(payload, secret, algorithm="HS256", headers={"kid": KEY_ID, "typ": "at+jwt"})


def window(now: datetime) -> tuple[datetime, datetime]:
    """When Q2 looks at: whole days around now, so that what has begun is seen from its beginning."""
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return today - BACK, today + AHEAD


def request(op: str, given: dict[str, Any], user_id: int, *, secret: str, now: datetime) -> tuple[str, str | None, str]:
    """Path, Authorization and body. `given` is what the benchmark asks for, in its own words."""
    variables: dict[str, Any] = {}
    if op == "Q1":
        variables = {
            "filter": {
                "city": given["city"],
                "currency": "EUR",
                "minPriceMinor": given["min"],
                "maxPriceMinor": given["max"],
                "checkIn": given["from"],
                "checkOut": given["to"],
            },
            "first": given["first"],
        }
    elif op == "Q2":
        first, last = window(now)
        variables = {"id": listing_id(given["id"]), "from": first.isoformat(), "to": last.isoformat()}
    elif op == "M1":
        variables = {
            "input": {
                "propertyId": given["listing"],
                "checkIn": given["start"],
                "checkOut": given["end"],
                "guests": 1,
            }
        }
    caller = None
    if op in ("Q3", "M1"):
        # Nobody books their own with us, and each fifth account of the data is a host: the next one books for it.
        books = user_id + 1 if op == "M1" and user_id % 5 == 0 else user_id
        caller = token(books, secret=secret)
    return "/graphql", caller, json.dumps({"query": TEXTS[op], "variables": variables})


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(UTC)


def _told(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def _average(node: dict[str, Any]) -> float | None:
    """The mean itself: two decimals and the number of ratings leave one sum of stars, up to a hundred ratings."""
    average, count = node["ratingAverage"], node["ratingCount"]
    return None if average is None else round(round(average * count) / count, 9)


def _listing(node: dict[str, Any]) -> list[Any]:
    place, price, host = node["location"], node["price"], node["host"]
    return [
        number_of(node["id"]),
        node["title"],
        node["propertyType"],
        place["city"],
        place["latitude"],
        place["longitude"],
        price["amountMinor"],
        price["currency"],
        node["maxGuests"],
        number_of(host["id"]),
        host["displayName"],
        _average(node),
        node["ratingCount"],
    ]


def _taken(free: list[dict[str, str]], *, now: datetime) -> list[list[str]]:
    """The next periods that are taken: what lies between those that are free. Bookings of the data never touch."""
    first, last = window(now)
    edges = [first]
    for period in free:
        edges += [_instant(period["start"]), _instant(period["end"])]
    edges.append(last)
    gaps = [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end and end > now]
    return [[_told(start), _told(end)] for start, end in gaps[:TAKEN]]


def _booking(node: dict[str, Any]) -> list[Any]:
    listing, period = node["listing"], node["period"]
    paid = [[number_of(each["id"]), PAID[each["status"]], each["amount"]["amountMinor"]] for each in node["payments"]]
    return [
        number_of(node["id"]),
        STATUS[node["status"]],
        node["total"]["amountMinor"],
        _told(_instant(period["start"])),
        _told(_instant(period["end"])),
        number_of(listing["id"]),
        listing["title"],
        listing["location"]["city"],
        paid[-1] if paid else None,
    ]


def normal(op: str, body: dict[str, Any], *, now: datetime) -> Any:
    """The answer in the common form; None for a hold that was refused."""
    assert not body.get("errors"), body["errors"][:1]
    data = body["data"]
    if op == "Q1":
        page = data["listings"]
        return {"next": page["pageInfo"]["hasNextPage"], "rows": [_listing(edge["node"]) for edge in page["edges"]]}
    if op == "Q2":
        node = data["listing"]
        reviews = [
            [
                number_of(each["id"]),
                each["rating"],
                each["comment"],
                _told(_instant(each["createdAt"])),
                number_of(each["author"]["id"]),
                each["author"]["displayName"],
            ]
            for each in (edge["node"] for edge in node["reviews"]["edges"])
        ]
        return [_listing(node), node["description"], reviews, _taken(node["availability"], now=now)]
    if op == "Q3":
        page = data["me"]["bookings"]
        return {"next": page["pageInfo"]["hasNextPage"], "rows": [_booking(edge["node"]) for edge in page["edges"]]}
    answer = data["bookProperty"]
    if answer["booking"] is None:
        assert [error["code"] for error in answer["errors"]] == ["UNAVAILABLE"], answer["errors"]
        return None
    booking = answer["booking"]
    total, period = booking["total"]["amountMinor"], booking["period"]
    # What is owed is the bill, which holds the total; while the booking is held so, it stands for the authorized payment.
    assert booking["expiresAt"] is not None
    return [
        STATUS[booking["status"]],
        total,
        _told(_instant(period["start"])),
        _told(_instant(period["end"])),
        ["authorized", total],
    ]
