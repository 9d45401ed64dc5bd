"""What single fields cost beside the prices of every place, object and field, in points of a tenth of a millisecond.

Measured at 50,000 listings by `python -m bench.cost`; its README says how the figures come about.
"""

from schema.core.costs import FieldCost, Prices

PRICES = Prices(
    fields={
        # A search may have to look far before the first page is full. How far hangs on what it looks for: who is free is asked of
        # each listing by itself, and so is who has many tickets left.
        "Query.listings": FieldCost(
            once=150,
            by_argument={
                "filter.text": 350,
                "orderBy=DISTANCE": 150,
                "orderBy=STARTS_AT": 300,
                "filter.amenities": 300,
                "filter.tickets": 800,
                "filter.checkIn": 450,
                "filter.checkOut": 450,
                "filter.availableFrom": 450,
                "filter.availableTo": 450,
            },
        ),
        "Query.nodes": FieldCost(as_long_as="ids", longest=100, per_entry=0.5),
        "Query.node": FieldCost(each=0.4),
        "Query.listing": FieldCost(each=0.4),
        "Query.user": FieldCost(each=0.4),
        "Query.booking": FieldCost(each=50),
        "Query.quote": FieldCost(each=3),
        "Query.changeQuote": FieldCost(each=150),
        "Query.moneyTrail": FieldCost(each=150),
        "Query.users": FieldCost(once=30),
        "UserConnection.totalCount": FieldCost(once=30),
        "BookingConnection.totalCount": FieldCost(once=20),
        "Viewer.export": FieldCost(each=400),
        "Viewer.hostStats": FieldCost(each=220, per_day=0.75, longest=1_100),
        "ListingConnection.totalCount": FieldCost(once=300, seldom=350),
        "ListingEdge.node": FieldCost(each=0.35),
        "ReviewEdge.node": FieldCost(each=0.1),
        "BookingEdge.node": FieldCost(each=0.35),
        "PaymentEdge.node": FieldCost(each=0.2),
        "Review.author": FieldCost(each=0.1),
        # Appointments leave many short gaps between them, and a list of listings may be all services.
        "Listing.availability": FieldCost(each=2, per_day=0.15, longest=740),
        "Property.availability": FieldCost(each=2, per_day=0.03, longest=740),
        "ParkingSpot.availability": FieldCost(each=2, per_day=0.03, longest=740),
        "Event.availability": FieldCost(each=2),
        "Listing.quote": FieldCost(each=2.2),
        "Service.slots": FieldCost(each=2, per_day=0.9, longest=740),
    },
    texts={
        "Listing.description": 2_000,
        "Review.comment": 600,
        "Review.reply": 300,
        "Notification.body": 300,
        "BookingEvent.data": 200,
        "WebhookDelivery.payload": 1_000,
        "Viewer.export": 100_000,
        "Query.moneyTrail": 20_000,
    },
)
