"""Who may do what: every field of Query, Mutation and Subscription against every kind of caller.

One letter for each caller, in the order of CALLERS: anonymous, stranger, guest, host, other host, staff. "guest" booked, "host"
is whose listing it is; both `stranger` and `guest` have the role GUEST, `host` and `other host` the role HOST.

    +   done, or shown                          ~   let in; what comes of it is not about who asks
    U   UNAUTHENTICATED                         F   FORBIDDEN: the role is too low
    N   not there: NOT_FOUND, or null           A   NOT_ALLOWED: it is seen, and somebody else's
    .   followed, and told nothing
"""

from collections.abc import Callable
from typing import Any

from tests.permissions.world import World, at, in_days, picture

Input = Callable[[World], dict[str, Any]]

PLACE = {"timeZone": "Europe/Berlin", "latitude": 52.5, "longitude": 13.4}
PRICE = {"amountMinor": 1000, "currency": "EUR"}
NEW = {"title": "A new one", "location": PLACE, "price": PRICE}
HOURS = [{"weekday": 1, "opensAt": "09:00:00", "closesAt": "17:00:00"}]
CONTACT = {"email": "new@example.com"}
NO_FILE: dict[str, Any] = {}


def of(name: str, key: str = "id", /, **more: Any) -> Input:
    """The id of something of the world, and more."""
    return lambda world: {key: world.ids[name], **more}


def just(**fields: Any) -> Input:
    return lambda _world: fields


MUTATIONS: dict[str, tuple[Input, str]] = {
    # Of one's own account: whoever is signed in.
    "signUp": (
        just(email="n@example.com", password="correct-Horse-7", firstName="N", lastName="N"),
        "++++++",
    ),
    "exchangeToken": (just(issuer="x", token="y"), "~~~~~~"),
    "verifyEmail": (just(token="x"), "~~~~~~"),
    "requestPasswordReset": (just(email="n@example.com"), "++++++"),
    "resetPassword": (just(token="x", newPassword="correct-Horse-7"), "~~~~~~"),
    "signOut": (just(), "U+++++"),
    "endSession": (of("session"), "UN+NNN"),
    "resendVerification": (just(), "U+++++"),
    "changePassword": (just(currentPassword="x", newPassword="correct-Horse-7"), "U~~~~~"),
    "changeEmail": (just(newEmail="n@example.com", password="x"), "U~~~~~"),
    "deleteAccount": (just(password="x"), "U~~~~~"),
    "updateProfile": (just(firstName="N"), "U+++++"),
    "uploadProfilePicture": (lambda _world: {"file": picture()}, "U+++++"),
    "removeProfilePicture": (just(), "U+++++"),
    "becomeHost": (just(), "U+++++"),
    "removeCard": (of("card"), "UN+NNN"),
    "updateNotificationPreferences": (just(locale="de-DE"), "U+++++"),
    "rotateCalendarUrl": (just(), "U+++++"),
    "markNotificationsRead": (lambda world: {"ids": [world.ids["notification"]]}, "UN+NNN"),
    # For staff.
    "setUserRole": (of("user:stranger", "userId", role="HOST"), "UFFFF+"),
    "sendNotification": (
        lambda world: {"userIds": [world.ids["user:stranger"]], "title": "T", "body": "B"},
        "UFFFF+",
    ),
    # Listings: hosts create, the host and staff change.
    "createProperty": (just(**NEW, maxGuests=2), "UFF+++"),
    "createService": (just(**NEW, durationMinutes=60, openingHours=HOURS), "UFF+++"),
    "createEvent": (lambda _w: {**NEW, "startsAt": at(9), "endsAt": at(9, 14), "venue": "V", "totalTickets": 5}, "UFF+++"),
    "createParkingSpot": (just(**NEW, street="S"), "UFF+++"),
    "updateProperty": (of("home", title="Other"), "UFF+A+"),
    "updateService": (of("service", title="Other"), "UFF+A+"),
    "updateEvent": (of("event", title="Other"), "UFF+A+"),
    "updateParkingSpot": (of("spot", title="Other"), "UFF+A+"),
    "publishListing": (of("draft"), "UFF+N+"),
    "archiveListing": (of("home"), "UFF+A+"),
    "deleteListing": (of("empty"), "UFF+A+"),
    "addListingImage": (lambda world: {"listingId": world.ids["home"], "file": picture()}, "UFF+A+"),
    "removeListingImage": (of("image", "imageId"), "UFF+A+"),
    "blockPeriod": (lambda world: {"listingId": world.ids["empty"], "start": at(3), "end": at(4)}, "UFF+A+"),
    "unblockPeriod": (lambda world: {"listingId": world.ids["empty"], "start": at(3), "end": at(4)}, "UFF+A+"),
    "importCalendar": (of("empty", "listingId", name="C", url="http://127.0.0.1:9/x.ics"), "UFF~A~"),
    "rotateListingCalendarUrl": (of("home", "listingId"), "UFF+A+"),
    "removeCalendar": (just(calendarId="eA=="), "UFFNNN"),
    # Booking: everybody but the host.
    "bookProperty": (
        lambda world: {
            "propertyId": world.ids["empty"], "checkIn": in_days(20), "checkOut": in_days(22), "guests": 1,
            "contact": CONTACT,
        },
        "+++A++",
    ),
    "bookService": (of("service", "serviceId", startsAt="2031-01-01T00:00:00Z", contact=CONTACT), "~~~A~~"),
    "bookEvent": (of("event", "eventId", tickets=1, contact=CONTACT), "+++A++"),
    "bookParkingSpot": (of("spot", "parkingSpotId", minutes=60, contact=CONTACT), "+++A++"),
    # A booking: its two sides and staff, each the moves that are theirs.
    "changeBooking": (of("booking", "bookingId", guests=1), "NN+AN+"),
    "cancelBooking": (of("booking", "bookingId"), "NN++N+"),
    "endBooking": (of("booking", "bookingId"), "NNAANA"),
    "checkInBooking": (of("booking", "bookingId"), "UNA~N~"),
    "checkOutBooking": (of("booking", "bookingId"), "NNA~N~"),
    "markNoShow": (of("booking", "bookingId"), "NNA~N~"),
    "payBooking": (of("booking", "bookingId", paymentMethod="pm_card_visa"), "NN~ANA"),
    "refreshPayment": (of("booking", "bookingId"), "NN~~N~"),
    "refundPayment": (of("payment", "paymentId"), "UNA+N+"),
    # Webhooks: of hosts and staff, each their own; staff helps, but is shown nobody's secret.
    "createWebhookEndpoint": (just(url="http://127.0.0.1:9/hook", events=["BOOKING_CONFIRMED"]), "UFF+++"),
    "updateWebhookEndpoint": (of("webhook", "endpointId", enabled=False), "UFF+N+"),
    "deleteWebhookEndpoint": (of("webhook", "endpointId"), "UFF+N+"),
    "rotateWebhookSecret": (of("webhook", "endpointId"), "UFF+NA"),
    "sendTestWebhook": (of("webhook", "endpointId"), "UFF+N+"),
    "replayWebhookDelivery": (of("message", "deliveryId"), "UFF+N+"),
    "replayWebhookDeliveries": (
        lambda world: {"endpointId": world.ids["webhook"], "from": at(-9), "to": at(9)}, "UFF+N+",
    ),
    # Reviews: by whoever was there, answered by the host.
    "createReview": (of("stayed", "listingId", rating=5, comment="C"), "UA+AAA"),
    "updateReview": (of("review", "reviewId", rating=5), "UA+AAA"),
    "deleteReview": (of("review", "reviewId"), "UA+AA+"),
    "replyToReview": (of("review", "reviewId", reply="R"), "UFF+AA"),
}  # fmt: skip

# Mutations in the shape of django-graphql-jwt: arguments and selection.
TOKENS: dict[str, tuple[str, str]] = {
    "tokenAuth": ('(email: "n@example.com", password: "x") { token }', "~~~~~~"),
    "verifyToken": ('(token: "x") { payload }', "~~~~~~"),
    "refreshToken": ('(refreshToken: "x") { token }', "~~~~~~"),
    "revokeToken": ('(refreshToken: "x") { revoked }', "~~~~~~"),
}

# Arguments and selection, with the names of the world's ids in angle brackets.
QUERIES: dict[str, list[tuple[str, str]]] = {
    "me": [("{ id }", "N+++++")],
    "user": [('(id: "<user:guest>") { id }', "++++++")],
    "users": [("{ totalCount }", "UFFFF+")],
    "listing": [('(id: "<home>") { id }', "++++++"), ('(id: "<draft>") { id }', "NNN+N+")],
    "listings": [("{ totalCount }", "++++++")],
    "quote": [('(listingId: "<event>", tickets: 1) { available }', "++++++")],
    "booking": [
        ('(id: "<booking>") { id }', "NN++N+"),
        ('(id: "<nobodys>") { id }', "NNN+N+"),
        ('(id: "<nobodys>", accessToken: "wrong") { id }', "NNN+N+"),
        ('(id: "<nobodys>", accessToken: "<secret>") { id }', "++++++"),
        ('(id: "<booking>", accessToken: "<secret>") { id }', "NN++N+"),
    ],
    "changeQuote": [('(input: {bookingId: "<booking>", guests: 1}) { available errors { code field } }', "NN~AN~")],
    "moneyTrail": [('(bookingId: "<booking>")', "UFFFF+")],
    "node": [
        ('(id: "<user:host>") { id }', "++++++"),
        ('(id: "<viewer>") { id }', "NN+NNN"),
        ('(id: "<home>") { id }', "++++++"),
        ('(id: "<draft>") { id }', "NNN+N+"),
        ('(id: "<service>") { id }', "++++++"),
        ('(id: "<event>") { id }', "++++++"),
        ('(id: "<spot>") { id }', "++++++"),
        ('(id: "<image>") { id }', "++++++"),
        ('(id: "<booking>") { id }', "NN++N+"),
        ('(id: "<nobodys>") { id }', "NNN+N+"),
        ('(id: "<payment>") { id }', "NN++N+"),
        ('(id: "<review>") { id }', "++++++"),
        ('(id: "<notification>") { id }', "NN+NNN"),
        ('(id: "<session>") { id }', "NNNNNN"),
        ('(id: "<card>") { id }', "NNNNNN"),
    ],
    "nodes": [
        ('(ids: ["<booking>"]) { id }', "NN++N+"),
        ('(ids: ["<viewer>"]) { id }', "NN+NNN"),
        ('(ids: ["<payment>"]) { id }', "NN++N+"),
        ('(ids: ["<draft>"]) { id }', "NNN+N+"),
    ],
}

# Arguments and selection; "+" is told what happens in tests/permissions/following.py.
SUBSCRIPTIONS: dict[str, list[tuple[str, str]]] = {
    "bookingUpdated": [
        ('(id: "<booking>") { id }', "NN++N+"),
        ('(id: "<nobodys>") { id }', "NNN+N+"),
        ('(id: "<nobodys>", accessToken: "wrong") { id }', "NNN+N+"),
        ('(id: "<nobodys>", accessToken: "<secret>") { id }', "++++++"),
        ('(id: "<booking>", accessToken: "<secret>") { id }', "NN++N+"),
        ('(id: "<home>") { id }', "NNNNNN"),
    ],
    "availabilityChanged": [
        ('(listingIds: ["<home>"]) { id }', "++++++"),
        ('(listingIds: ["<draft>"]) { id }', "...+.+"),
        ('(listingIds: ["<empty>"]) { id }', "......"),
        ('(listingIds: ["<booking>"]) { id }', "......"),
        ("(box: {south: -90, west: -180, north: 90, east: 180}) { id }", "++++++"),
    ],
    "notificationReceived": [("{ id }", "U.++..")],
}
