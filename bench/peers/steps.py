"""What the import copies: for each table of ours, the rows of theirs that fill it.

A row keeps its number, so that the answers can be compared. What only we have is made up the same way every time.
"""

from dataclasses import dataclass

# Until then holds do not run out while somebody measures.
NEVER = "timestamptz '2099-01-01'"
# Listings that are off the market and shown all the same are, with us, those that take only stays of ten years.
LONGEST_STAY = 3650

# Ours are read newest first by their time, theirs by their number.
BOOKED_AT = "timestamptz '2026-10-01' + bk_booking.id * interval '1 second'"
NIGHTS = "greatest(1, round(extract(epoch FROM upper(period) - lower(period)) / 86400))::int"


@dataclass(frozen=True, slots=True)
class Step:
    """`source` is read from the tables of the benchmark, its columns in the order of `columns` of `table`."""

    table: str
    columns: str
    source: str


STEPS = (
    Step(
        "users_user",
        "id, password, is_superuser, email, first_name, last_name, phone_number, role, is_active, email_verified_at, "
        "token_version, joined_at, updated_at, source, external_id",
        "SELECT id, '!', false, email, name, '', '', CASE WHEN is_host THEN 'HOST' ELSE 'GUEST' END, true, created_at, 0, "
        "created_at, created_at, '', '' FROM bk_user",
    ),
    # One sign-in of each, under the number of the person.
    Step(
        "users_session",
        "id, user_id, device, created_at, last_used_at, network",
        "SELECT id, id, 'Benchmark', timestamptz '2026-11-01', timestamptz '2026-11-01', '' FROM bk_user",
    ),
    Step(
        "listings_listing",
        "id, host_id, kind, status, title, description, latitude, longitude, address, city, region, country, time_zone, "
        "price_minor, currency, cancellation_policy, rating_sum, rating_count, created_at, updated_at, source, external_id",
        "SELECT id, host_id, 'PROPERTY', 'PUBLISHED', title, description, lat, lng, '', city, '', '', 'UTC', price_cents, "
        "currency, 'FLEXIBLE', coalesce(stars, 0), coalesce(ratings, 0), created_at, created_at, '', '' "
        "FROM bk_listing LEFT JOIN (SELECT listing_id, sum(rating) AS stars, count(*) AS ratings FROM bk_review GROUP BY 1) "
        "AS reviewed ON listing_id = id",
    ),
    Step(
        "property_property",
        "listing_id, property_type, max_guests, bedrooms, beds, bathrooms, amenities, check_in_time, check_out_time, "
        "min_nights, max_nights, units",
        "SELECT id, kind, capacity, 1, 1, 1, '{}', '00:00', '00:00', "
        f"CASE WHEN active THEN 1 ELSE {LONGEST_STAY} END, CASE WHEN active THEN 365 ELSE {LONGEST_STAY} END, 1 "
        "FROM bk_listing",
    ),
    Step(
        "availability_unit",
        "id, listing_id, number, is_offered",
        "SELECT id, id, 1, true FROM bk_listing",
    ),
    Step(
        "availability_allocation",
        "id, listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at",
        "SELECT id, listing_id, listing_id, 1, period, id, status <> 'cancelled', "
        f"CASE WHEN status = 'pending' THEN {NEVER} END, {BOOKED_AT} FROM bk_booking",
    ),
    Step(
        "payments_bill",
        "id, currency, total_minor, captured_minor, refunded_minor, settled_minor, timing, created_at, retries",
        "SELECT id, 'EUR', amount_cents, CASE WHEN status = 'pending' THEN 0 ELSE amount_cents END, "
        "CASE WHEN status = 'cancelled' THEN amount_cents ELSE 0 END, "
        f"CASE WHEN status = 'pending' THEN 0 ELSE amount_cents END, 'NOW', {BOOKED_AT}, 0 FROM bk_booking",
    ),
    Step(
        "bookings_booking",
        "id, reference, status, listing_id, guest_id, is_anonymous, email, first_name, last_name, allocation_id, bill_id, "
        "period, check_in, check_out, guests, price_minor, currency, cancellation_policy, expires_at, created_at, updated_at, "
        "confirmed_at, canceled_at",
        "SELECT id, reference, CASE status WHEN 'pending' THEN 'PENDING' WHEN 'confirmed' THEN 'CONFIRMED' "
        "ELSE 'CANCELED' END, listing_id, guest_id, false, email, name, '', id, id, period, (lower(period) AT TIME ZONE 'UTC')::date, "
        "(upper(period) AT TIME ZONE 'UTC')::date, 1, amount_cents / nights, 'EUR', 'FLEXIBLE', "
        f"CASE WHEN status = 'pending' THEN {NEVER} END, booked_at, booked_at, CASE WHEN status <> 'pending' THEN booked_at END, "
        "CASE WHEN status = 'cancelled' THEN booked_at + interval '1 minute' END "
        "FROM (SELECT bk_booking.*, email, name, booked_at, nights, (SELECT string_agg(substr("
        "'23456789ABCDEFGHJKMNPQRSTUVWXYZ', 1 + (((bk_booking.id * 7919 + 104729) / (31::numeric ^ place)::bigint) % 31)::int, 1), '') "
        "FROM generate_series(0, 6) AS place) AS reference FROM bk_booking JOIN bk_user ON bk_user.id = guest_id "
        f"JOIN LATERAL (SELECT {BOOKED_AT} AS booked_at, {NIGHTS} AS nights) AS made ON true) AS booked",
    ),
    Step(
        "bookings_bookingline",
        "booking_id, position, label, quantity, unit_amount_minor, amount_minor, currency",
        f"SELECT id, 0, 'Nights', {NIGHTS}, amount_cents / {NIGHTS}, amount_cents, 'EUR' FROM bk_booking",
    ),
    Step(
        "bookings_bookingevent",
        "booking_id, at, type, actor, data",
        f"SELECT id, {BOOKED_AT} + turn * interval '1 minute', CASE WHEN turn = 0 THEN 'HELD' WHEN turn = 1 AND status <> 'pending' "
        "THEN 'CONFIRMED' ELSE 'CANCELED' END, CASE WHEN turn = 1 THEN 'SYSTEM' ELSE 'GUEST' END, '{}' FROM bk_booking, "
        "generate_series(0, CASE status WHEN 'pending' THEN 0 WHEN 'confirmed' THEN 1 ELSE 2 END) AS turn ORDER BY id, turn",
    ),
    Step(
        "payments_charge",
        "id, bill_id, payer_id, timing, status, amount_minor, refunded_minor, currency, payment_method, idempotency_key, "
        "intent_id, setup_intent_id, customer_id, client_secret, next_action_url, failure_code, card_brand, card_last4, "
        "receipt_number, created_at, updated_at, paid_at, asked_at",
        "SELECT pay.id, booking_id, guest_id, 'NOW', CASE pay.status WHEN 'captured' THEN 'SUCCEEDED' WHEN 'authorized' THEN "
        "'AUTHORIZED' ELSE 'REFUNDED' END, pay.amount_cents, CASE WHEN pay.status = 'refunded' THEN pay.amount_cents ELSE 0 END, "
        "'EUR', 'pm_card_visa', 'charge-' || pay.id, provider_ref, '', '', '', '', '', 'visa', '4242', "
        "CASE WHEN pay.status <> 'authorized' THEN '2026-' || lpad(pay.id::text, 6, '0') END, booked_at, booked_at, "
        "CASE WHEN pay.status <> 'authorized' THEN booked_at END, booked_at FROM bk_payment AS pay JOIN (SELECT id AS booking, "
        f"guest_id, {BOOKED_AT} AS booked_at FROM bk_booking) AS booked ON booking = booking_id",
    ),
    Step(
        "payments_refund",
        "charge_id, amount_minor, reason, status, idempotency_key, processor_id, created_at, updated_at",
        "SELECT pay.id, pay.amount_cents, '', 'SUCCEEDED', 'refund-' || pay.id, 're_' || pay.id, booked_at, booked_at FROM "
        f"bk_payment AS pay JOIN (SELECT id AS booking, {BOOKED_AT} AS booked_at FROM bk_booking) AS booked ON booking = booking_id "
        "WHERE pay.status = 'refunded'",
    ),
    # With us a person reviews a listing once: of those that wrote again, the later reviews come from elsewhere.
    Step(
        "reviews_review",
        "id, listing_id, author_id, rating, comment, reply, created_at, updated_at, source, external_id",
        "SELECT id, listing_id, author_id, rating, comment, '', created_at, created_at, CASE WHEN turn > 1 THEN 'peers' ELSE '' END, "
        "CASE WHEN turn > 1 THEN id::text ELSE '' END FROM (SELECT *, row_number() OVER (PARTITION BY listing_id, author_id "
        "ORDER BY id) AS turn FROM bk_review) AS written",
    ),
)
# Counts that must be the same on both sides: ours, and theirs.
SAME = (
    ("users_user", "bk_user"),
    ("listings_listing", "bk_listing"),
    ("bookings_booking", "bk_booking"),
    ("payments_charge", "bk_payment"),
    ("reviews_review", "bk_review"),
)
