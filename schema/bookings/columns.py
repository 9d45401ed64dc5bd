"""From which columns the fields of bookings are shown, so that a list of them is read with no more: see `schema.core.columns`."""

from schema.core.columns import ColumnSets

# What is shown from these columns of a booking, its bill or its listing. What is read by itself, or comes along, needs keys alone.
COLUMNS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        (
            *("__typename", "pageInfo", "hasNextPage", "hasPreviousPage", "startCursor", "endCursor", "totalCount"),
            *("edges", "cursor", "node", "id", "start", "end", "amount", "amountMinor", "currency"),
            *("kind", "location", "priceUnit", "images", "url", "alt", "position"),
            *("lines", "label", "quantity", "unitAmount", "history", "at", "type", "actor"),
            *(
                "payments",
                "paymentStatus",
                "timing",
                "refunded",
                "receiptNumber",
                "receiptUrl",
                "cardBrand",
                "cardLast4",
            ),
            *("failureCode", "paidAt"),
        ),
        (),
    ),
    "reference": ("reference",),
    "status": ("status", "listing__status"),
    "period": ("period",),
    "checkIn": ("check_in",),
    "checkOut": ("check_out",),
    "tickets": ("tickets",),
    "guests": ("guests",),
    "total": ("bill__total_minor", "bill__currency"),
    "expiresAt": ("expires_at",),
    "createdAt": ("created_at", "listing__created_at"),
    # Of a booking that stands its state says whether the guest is shown the address.
    "listing": ("status",),
    "title": ("listing__title",),
    "city": ("listing__city",),
    "region": ("listing__region",),
    "country": ("listing__country",),
    "timeZone": ("listing__time_zone",),
    "price": ("listing__price_minor", "listing__currency"),
    "ratingAverage": ("listing__rating_average",),
    "ratingCount": ("listing__rating_count",),
}

SETS = ColumnSets(lambda: COLUMNS, relation="listing")
