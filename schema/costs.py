"""What single fields cost beside the prices of every place, object and field, in points of a tenth of a millisecond.

Measured at 50,000 listings by `python -m bench.cost`; its README says how the figures come about.
"""

from schema.core.costs import FieldCost, Prices

PRICES = Prices(
    fields={
        # A search may have to look far before the first page is full.
        "Query.listings": FieldCost(once=40),
        "ListingConnection.totalCount": FieldCost(once=400),
        "ListingEdge.node": FieldCost(each=0.5),
        "Image.url": FieldCost(each=0.2),
        "Review.author": FieldCost(each=0.15),
        "Listing.availability": FieldCost(each=3, per_day=0.05, longest=740),
        # Appointments leave many short gaps between them.
        "Service.availability": FieldCost(each=3, per_day=0.25, longest=740),
        "Service.slots": FieldCost(each=3, per_day=1.2, longest=740),
    }
)
