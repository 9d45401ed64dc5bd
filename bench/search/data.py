"""Generated listings of all kinds with units, stock, bookings and blocks, made inside PostgreSQL from a fixed seed."""

from django.db import connection

CITIES = [
    ("Berlin", "Germany", 52.52, 13.405, "Europe/Berlin", "EUR"),
    ("New York", "United States", 40.7128, -74.006, "America/New_York", "USD"),
    ("Auckland", "New Zealand", -36.8485, 174.7633, "Pacific/Auckland", "NZD"),
    ("Adelaide", "Australia", -34.9285, 138.6007, "Australia/Adelaide", "AUD"),
    ("Lisbon", "Portugal", 38.7223, -9.1393, "Europe/Lisbon", "EUR"),
    ("Suva", "Fiji", -18.1416, 178.4419, "Pacific/Fiji", "FJD"),
]
ADJECTIVES = [
    "quiet",
    "sunny",
    "spacious",
    "charming",
    "modern",
    "rustic",
    "bright",
    "cozy",
    "elegant",
    "historic",
    "central",
    "hidden",
    "leafy",
    "minimal",
]
NOUNS = [
    "apartment",
    "studio",
    "cottage",
    "garage",
    "workshop",
    "massage",
    "concert",
    "festival",
    "harbour",
    "terrace",
    "garden",
    "penthouse",
    "lodge",
]
PLACES = "riverside market station cathedral university museum beach stadium library hospital airport castle".split()  # noqa: SIM905
AMENITIES = "wifi kitchen washer dryer heating parking pool balcony elevator crib desk sauna".split()  # noqa: SIM905

CLEAR = "TRUNCATE users_user, listings_word CASCADE"

# What is random is a hash of the number, so that every run makes the same rows.
HELPERS = """
CREATE OR REPLACE FUNCTION pg_temp.roll(number bigint, salt int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
$$ SELECT (hashint8extended(number, salt) & 1048575) / 1048576.0 $$;
CREATE OR REPLACE FUNCTION pg_temp.pick(choices text[], number bigint, salt int) RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT choices[1 + floor(pg_temp.roll(number, salt) * cardinality(choices))::int] $$;
"""

HOSTS = """
INSERT INTO users_user (id, password, is_superuser, email, first_name, last_name, phone_number, role, is_active,
    token_version, updated_at, source, external_id)
SELECT number, '!', false, 'host' || number || '@example.com', 'Host', 'Number' || number, '', 'HOST', true, 0, now(), '', ''
FROM generate_series(1, %(hosts)s) AS number
"""

LISTINGS = """
INSERT INTO listings_listing (id, host_id, kind, status, title, description, latitude, longitude, address, city, region,
    country, time_zone, price_minor, currency, cancellation_policy, rating_sum, rating_count, created_at, updated_at,
    source, external_id)
SELECT number, 1 + number %% %(hosts)s,
    CASE WHEN chance < 0.6 THEN 'PROPERTY' WHEN chance < 0.75 THEN 'SERVICE' WHEN chance < 0.85 THEN 'EVENT'
        ELSE 'PARKING_SPOT' END,
    CASE WHEN pg_temp.roll(number, 2) < 0.96 THEN 'PUBLISHED' ELSE 'DRAFT' END,
    initcap(pg_temp.pick(%(adjectives)s, number, 3) || ' ' || pg_temp.pick(%(nouns)s, number, 4)) || ' ' || number,
    'A ' || pg_temp.pick(%(adjectives)s, number, 5) || ' ' || pg_temp.pick(%(nouns)s, number, 6) || ' near the '
        || pg_temp.pick(%(places)s, number, 7) || '. ' || repeat('Everything is as you would like it to be. ', 8)
        || 'Ask for ' || substr(md5(number::text), 1, 7) || '.',
    latitude + (pg_temp.roll(number, 8) + pg_temp.roll(number, 9) - 1) * 0.25,
    longitude + (pg_temp.roll(number, 10) + pg_temp.roll(number, 11) - 1) * 0.35,
    'Street ' || number, city, '', country, time_zone, 500 + floor(pg_temp.roll(number, 12) ^ 3 * 60000)::bigint, currency,
    'FLEXIBLE', round(ratings * (3 + 2 * pg_temp.roll(number, 14)))::int, ratings,
    timestamptz '2026-01-01' + number * interval '7 minutes', now(), '', ''
FROM (
    SELECT number, pg_temp.roll(number, 1) AS chance, floor(pg_temp.roll(number, 13) ^ 2 * 60)::int AS ratings,
        1 + floor(pg_temp.roll(number, 15) ^ 2 * %(cities)s)::int AS place
    FROM generate_series(1, %(listings)s) AS number
) AS made
JOIN unnest(%(city)s, %(country)s, %(latitude)s, %(longitude)s, %(zone)s, %(money)s) WITH ORDINALITY
    AS places (city, country, latitude, longitude, time_zone, currency, place) USING (place)
"""

KINDS = """
INSERT INTO property_property (listing_id, property_type, max_guests, bedrooms, beds, bathrooms, amenities, check_in_time,
    check_out_time, min_nights, max_nights, units)
SELECT id, 'Apartment', 1 + (pg_temp.roll(id, 20) * 8)::int, 1, 1, 1,
    ARRAY(SELECT name FROM unnest(%(amenities)s) AS name WHERE pg_temp.roll(id, hashtext(name)) < 0.4),
    '15:00', '11:00', 1 + (pg_temp.roll(id, 21) ^ 4 * 6)::int, 365, 1 + (pg_temp.roll(id, 22) ^ 8 * 9)::int
FROM listings_listing WHERE kind = 'PROPERTY';
INSERT INTO service_service (listing_id, duration_minutes, buffer_minutes, staff)
SELECT id, 60, 0, 1 + (pg_temp.roll(id, 23) * 3)::int FROM listings_listing WHERE kind = 'SERVICE';
INSERT INTO service_openinghours (service_id, weekday, opens_at, closes_at)
SELECT listing_id, weekday, '09:00', '17:00' FROM service_service, generate_series(1, 6) AS weekday;
INSERT INTO event_event (listing_id, starts_at, ends_at, venue, total_tickets)
SELECT id, start, start + interval '2 hours', 'Hall', 100 FROM (
    SELECT id, date_trunc('hour', now()) + (pg_temp.roll(id, 24) * 24 * 300)::int * interval '1 hour' AS start
    FROM listings_listing WHERE kind = 'EVENT') AS held;
INSERT INTO parking_parkingspot (listing_id, street, max_minutes)
SELECT id, 'Street', 1440 FROM listings_listing WHERE kind = 'PARKING_SPOT';
INSERT INTO availability_stock (listing_id, capacity, taken)
SELECT listing_id, 100, CASE WHEN pg_temp.roll(listing_id, 25) < 0.2 THEN 100 ELSE 40 END FROM event_event;
INSERT INTO availability_unit (listing_id, number, is_offered)
SELECT listing_id, number, true FROM (
    SELECT listing_id, units FROM property_property UNION ALL SELECT listing_id, staff FROM service_service
    UNION ALL SELECT listing_id, 1 FROM parking_parkingspot
) AS offered, generate_series(1, units) AS number;
"""

# Ten bookings of each unit over the coming months, none overlapping: each within a stretch of its own.
ALLOCATIONS = """
INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
SELECT listing_id, id, 1, tstzrange(start, start + (1 + pg_temp.roll(id * 31 + turn, 27) * 9) * interval '1 day'),
    nextval('availability_holder'), true, NULL, now()
FROM (
    SELECT id, listing_id, turn, date_trunc('day', now()) + interval '14 hours' + turn * interval '20 days'
        + pg_temp.roll(id * 31 + turn, 26) * interval '9 days' AS start
    FROM availability_unit, generate_series(0, 9) AS turn
) AS stays
"""

# Two days beyond those on which nothing is free: on the first each unit is taken from beginning to end, on the second each
# member of staff has appointments back to back.
FULL_DAYS = """
INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
SELECT listing_id, id, 1, tstzrange(day, day + interval '3 days'), nextval('availability_holder'), true, NULL, now()
FROM availability_unit, (SELECT date_trunc('day', now(), 'UTC') + %(full)s * interval '1 day' AS day) AS days;
INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
SELECT unit.listing_id, unit.id, 1, tstzrange(start, start + interval '3 hours'), nextval('availability_holder'), true, NULL,
    now()
FROM availability_unit AS unit JOIN service_service USING (listing_id), generate_series(
    date_trunc('day', now(), 'UTC') + %(busy)s * interval '1 day',
    date_trunc('day', now(), 'UTC') + (%(busy)s + 1) * interval '1 day', interval '3 hours'
) AS start;
"""
# In days from today.
FULL, BUSY = 230, 240


def make(*, listings: int) -> None:
    """Replace everything in the database by that many listings."""
    values = {
        "listings": listings,
        "hosts": max(1, listings // 20),
        "cities": len(CITIES),
        "adjectives": ADJECTIVES,
        "nouns": NOUNS,
        "places": PLACES,
        "amenities": AMENITIES,
        "city": [city[0] for city in CITIES],
        "country": [city[1] for city in CITIES],
        "latitude": [city[2] for city in CITIES],
        "longitude": [city[3] for city in CITIES],
        "zone": [city[4] for city in CITIES],
        "money": [city[5] for city in CITIES],
        "full": FULL,
        "busy": BUSY,
    }
    with connection.cursor() as cursor:
        for statement in (CLEAR, HELPERS, HOSTS, LISTINGS, KINDS, ALLOCATIONS, FULL_DAYS):
            cursor.execute(statement, values if "%(" in statement else None)
        for table in ("users_user", "listings_listing"):
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        cursor.execute("VACUUM ANALYZE")
