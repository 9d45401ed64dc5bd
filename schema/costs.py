"""What single fields cost beside the prices of every place, object and field, in points of a tenth of a millisecond.

Measured at 50,000 listings by `python -m bench.cost`; its README says how the figures come about.
"""

from schema.core.costs import FieldCost, Prices

PRICES = Prices(
    fields={
        # A search may have to look far before the first page is full; one by frequent words is the dearest.
        "Query.listings": FieldCost(once=150),
        "ListingConnection.totalCount": FieldCost(once=300),
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
        "Listing.quote": FieldCost(each=1),
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
