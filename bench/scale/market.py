"""A market of any size, made inside PostgreSQL from a fixed seed: the tables, filled as the product fills them.

Whatever its size it has the same shape: five bookings for a listing, a tenth of all listings in one dense city, a twentieth
in a city that a fair has booked out, the others in a town for every 500. Days are counted from today in UTC.
"""

import time

from django.db import connection

from bench.search.data import ADJECTIVES, AMENITIES, HELPERS, NOUNS, PLACES

LISTINGS_A_TOWN = 500
DENSE = ("Tokyo", 35.68, 139.69)
BOOKED_OUT = ("Munich", 48.137, 11.575)

# In the fair's week 95 of 100 units of its city are taken, on the scarce days 99 of 100 of the whole market, on the
# closed days all of it. On the busy day each member of staff has appointments back to back through the morning.
FAIR, FAIR_DAYS = 100, 7
SCARCE, CLOSED, BUSY = 230, 240, 250
SPECIAL_DAYS = 3

CLEAR = "TRUNCATE users_user, listings_word, payments_bill CASCADE"

USERS = """
INSERT INTO users_user (id, password, is_superuser, email, first_name, last_name, phone_number, role, is_active,
    token_version, updated_at, source, external_id)
SELECT number, '!', false, 'user' || number || '@example.com', 'User', 'Number' || number, '',
    CASE WHEN number <= %(hosts)s THEN 'HOST' ELSE 'GUEST' END, true, 0, now(), '', ''
FROM generate_series(1, %(hosts)s + %(guests)s) AS number
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
        || pg_temp.pick(%(places)s, number, 7) || '. ' || repeat('Everything is as you would like it to be. ', 4)
        || 'Ask for ' || substr(md5((number %% 100000)::text), 1, 7) || '.',
    CASE town WHEN -1 THEN %(dense_latitude)s WHEN 0 THEN %(fair_latitude)s ELSE pg_temp.roll(town, 30) * 100 - 45 END
        + (pg_temp.roll(number, 8) - 0.5) * 0.12,
    CASE town WHEN -1 THEN %(dense_longitude)s WHEN 0 THEN %(fair_longitude)s ELSE pg_temp.roll(town, 31) * 350 - 175 END
        + (pg_temp.roll(number, 10) - 0.5) * 0.15,
    'Street ' || number,
    CASE town WHEN -1 THEN %(dense)s WHEN 0 THEN %(fair)s ELSE 'Town ' || town END, '', 'Somewhere',
    CASE town WHEN -1 THEN 'Asia/Tokyo' WHEN 0 THEN 'Europe/Berlin' ELSE
        pg_temp.pick(ARRAY['America/New_York', 'Australia/Adelaide', 'Europe/Lisbon', 'Pacific/Auckland'], town, 32) END,
    500 + floor(pg_temp.roll(number, 12) ^ 3 * 60000)::bigint,
    CASE town WHEN -1 THEN 'JPY' WHEN 0 THEN 'EUR' ELSE
        pg_temp.pick(ARRAY['EUR', 'EUR', 'USD', 'USD', 'USD', 'AUD', 'NZD', 'GBP'], town, 33) END,
    'FLEXIBLE', round(ratings * (3 + 2 * pg_temp.roll(number, 14)))::int, ratings,
    timestamptz '2026-01-01' + number * interval '20 seconds', now(), '', ''
FROM (
    SELECT number, pg_temp.roll(number, 1) AS chance, floor(pg_temp.roll(number, 13) ^ 2 * 60)::int AS ratings,
        CASE WHEN place < 0.10 THEN -1 WHEN place < 0.15 THEN 0
            ELSE 1 + floor(((place - 0.15) / 0.85) ^ 2 * %(towns)s)::bigint END AS town
    FROM generate_series(%(first)s, %(last)s) AS number, pg_temp.roll(number, 15) AS place
) AS made
"""

KINDS = """
INSERT INTO property_property (listing_id, property_type, max_guests, bedrooms, beds, bathrooms, amenities, check_in_time,
    check_out_time, min_nights, max_nights, units)
SELECT id, 'Apartment', 1 + (pg_temp.roll(id, 20) * 8)::int, 1, 1, 1,
    ARRAY(SELECT name FROM unnest(%(amenities)s) AS name WHERE pg_temp.roll(id, hashtext(name)) < 0.4),
    '15:00', '11:00', 1 + (pg_temp.roll(id, 21) ^ 4 * 6)::int, 365, 1 + (pg_temp.roll(id, 22) ^ 30 * 9)::int
FROM listings_listing WHERE kind = 'PROPERTY';
INSERT INTO service_service (listing_id, duration_minutes, buffer_minutes, staff)
SELECT id, 60, 0, 1 + (pg_temp.roll(id, 23) * 2)::int FROM listings_listing WHERE kind = 'SERVICE';
INSERT INTO service_openinghours (service_id, weekday, opens_at, closes_at)
SELECT listing_id, weekday, '09:00', '17:00' FROM service_service, generate_series(1, 6) AS weekday;
INSERT INTO event_event (listing_id, starts_at, ends_at, venue, total_tickets)
SELECT id, start, start + interval '2 hours', 'Hall', 100 FROM (
    SELECT id, date_trunc('hour', now()) + (pg_temp.roll(id, 24) * 24 * 300)::int * interval '1 hour' AS start
    FROM listings_listing WHERE kind = 'EVENT') AS held;
INSERT INTO parking_parkingspot (listing_id, street, max_minutes)
SELECT id, 'Street', 1440 FROM listings_listing WHERE kind = 'PARKING_SPOT';
INSERT INTO availability_unit (listing_id, number, is_offered)
SELECT listing_id, number, true FROM (
    SELECT listing_id, units FROM property_property UNION ALL SELECT listing_id, staff FROM service_service
    UNION ALL SELECT listing_id, 1 FROM parking_parkingspot
) AS offered, generate_series(1, units) AS number;
"""

# What is booked, before it becomes rows of four tables. Each unit's bookings lie in stretches of their own.
PLAN = """
CREATE UNLOGGED TABLE planned AS
SELECT row_number() OVER () AS number, planned.*
FROM (
    SELECT listing_id, id AS unit_id, 1 AS quantity, start, start + (1 + pg_temp.roll(seed, 27) * 8) * interval '1 day' AS stop
    FROM availability_unit, generate_series(0, 3) AS turn, LATERAL (SELECT id * 31 + turn AS seed) AS seeds,
        LATERAL (SELECT %(today)s + (turn * 30 - 25 + pg_temp.roll(seed, 26) * 20) * interval '1 day' AS start) AS starts
    WHERE pg_temp.roll(seed, 28) < 0.57
    UNION ALL
    SELECT listing_id, unit.id, 1, %(today)s + %(fair_day)s * interval '1 day',
        %(today)s + (%(fair_day)s + %(fair_days)s) * interval '1 day'
    FROM availability_unit AS unit JOIN listings_listing AS listing ON listing.id = listing_id
    WHERE city = %(fair)s AND pg_temp.roll(unit.id, 40) < 0.95
    UNION ALL
    SELECT listing_id, id, 1, %(today)s + %(scarce)s * interval '1 day',
        %(today)s + (%(scarce)s + %(special_days)s) * interval '1 day'
    FROM availability_unit WHERE pg_temp.roll(id, 41) < 0.99
    UNION ALL
    SELECT listing_id, id, 1, start, start + interval '3 hours'
    FROM availability_unit JOIN service_service USING (listing_id), generate_series(
        %(today)s + %(busy)s * interval '1 day' + interval '8 hours',
        %(today)s + %(busy)s * interval '1 day' + interval '11 hours', interval '3 hours') AS start
    UNION ALL
    SELECT listing_id, NULL, 1 + (pg_temp.roll(listing_id + turn, 42) * 30)::int, starts_at, ends_at
    FROM event_event, generate_series(1, 5) AS turn
) AS planned
"""

ALLOCATIONS = """
INSERT INTO availability_allocation (id, listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
SELECT number, listing_id, unit_id, quantity, tstzrange(start, stop), nextval('availability_holder'), true, NULL,
    least(start, now()) - interval '2 days'
FROM planned;
INSERT INTO availability_block (listing_id, period, reason, source, created_at)
SELECT DISTINCT listing_id, tstzrange(%(today)s + %(closed)s * interval '1 day',
    %(today)s + (%(closed)s + %(special_days)s) * interval '1 day'), '', 'HOST', now() FROM availability_unit;
INSERT INTO availability_allocation (id, listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at)
SELECT (SELECT max(number) FROM planned) + row_number() OVER (), listing_id, id, 1,
    tstzrange(%(today)s + %(closed)s * interval '1 day', %(today)s + (%(closed)s + %(special_days)s) * interval '1 day'),
    0, true, NULL, now()
FROM availability_unit;
INSERT INTO availability_stock (listing_id, capacity, taken)
SELECT listing_id, CASE WHEN pg_temp.roll(listing_id, 25) < 0.2 THEN taken ELSE greatest(taken, 160) END, taken
FROM (SELECT listing_id, sum(quantity) AS taken FROM planned WHERE unit_id IS NULL GROUP BY listing_id) AS sold;
UPDATE event_event SET total_tickets = capacity FROM availability_stock AS stock
WHERE stock.listing_id = event_event.listing_id;
"""

BILLS = """
INSERT INTO payments_bill (id, currency, total_minor, captured_minor, refunded_minor, settled_minor, timing, created_at,
    retries)
SELECT number, currency, price_minor * quantity, price_minor * quantity, 0, price_minor * quantity,
    CASE WHEN kind = 'PARKING_SPOT' THEN 'AT_END' ELSE 'NOW' END, least(start, now()) - interval '2 days', 0
FROM planned JOIN listings_listing AS listing ON listing.id = listing_id
"""

# The reference is the number in the letters that references are made of.
BOOKINGS = """
INSERT INTO bookings_booking (id, reference, status, listing_id, guest_id, is_anonymous, email, first_name, last_name,
    allocation_id, bill_id, period, check_in, check_out, tickets, guests, price_minor, currency, cancellation_policy,
    created_at, updated_at, confirmed_at, completed_at)
SELECT number, translate(upper(lpad(to_hex(number), 8, '0')), '01', 'GH'),
    CASE WHEN stop < now() THEN 'COMPLETED' ELSE 'CONFIRMED' END, listing_id, %(hosts)s + 1 + number %% %(guests)s, false,
    '', '', '', number, number, tstzrange(start, stop), CASE WHEN kind = 'PROPERTY' THEN start::date END,
    CASE WHEN kind = 'PROPERTY' THEN stop::date + 1 END, CASE WHEN kind = 'EVENT' THEN quantity END,
    CASE WHEN kind = 'PROPERTY' THEN 1 END, price_minor, currency, 'FLEXIBLE', least(start, now()) - interval '2 days',
    now(), least(start, now()) - interval '2 days', CASE WHEN stop < now() THEN stop END
FROM planned JOIN listings_listing AS listing ON listing.id = listing_id
"""

STORIES = """
INSERT INTO bookings_bookingline (booking_id, position, label, quantity, unit_amount_minor, amount_minor, currency)
SELECT number, 0, 'As booked', quantity, price_minor, price_minor * quantity, currency
FROM planned JOIN listings_listing AS listing ON listing.id = listing_id;
INSERT INTO bookings_bookingevent (booking_id, at, type, actor, data)
SELECT number, least(start, now()) - interval '2 days', type, actor, '{}' FROM planned,
    (VALUES ('HELD', 'GUEST'), ('CONFIRMED', 'SYSTEM')) AS happened (type, actor);
DROP TABLE planned;
"""

# Filled without these, and then given them back: an index is made several times faster than it is kept.
BULK = (
    "availability_unit", "availability_block", "availability_allocation", "payments_bill", "bookings_booking",
    "bookings_bookingline", "bookings_bookingevent", "listings_listing",
)  # fmt: skip
CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE conrelid = ANY (%s::regclass[]) AND contype IN ('f', 'u', 'x') ORDER BY contype DESC, conname
"""
INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY (%s::regclass[]) AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)
"""

TABLES_OF_NUMBERS = ("users_user", "listings_listing", "availability_allocation", "payments_bill", "bookings_booking")
# How many listings one statement makes: what a statement adds is kept in memory for the trigger that learns its words.
STEP = 50_000


def say(what: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {what}", flush=True)


def make(*, listings: int) -> None:
    """Replace everything in the database by that many listings and five times as many bookings."""
    values = {
        "hosts": max(1, listings // 20),
        "guests": max(1, listings // 5),
        "towns": max(1, listings // LISTINGS_A_TOWN),
        "adjectives": ADJECTIVES,
        "nouns": NOUNS,
        "places": PLACES,
        "amenities": AMENITIES,
        **dict(zip(("dense", "dense_latitude", "dense_longitude"), DENSE, strict=True)),
        **dict(zip(("fair", "fair_latitude", "fair_longitude"), BOOKED_OUT, strict=True)),
        "fair_day": FAIR,
        "fair_days": FAIR_DAYS,
        "scarce": SCARCE,
        "closed": CLOSED,
        "busy": BUSY,
        "special_days": SPECIAL_DAYS,
    }
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'; SET synchronous_commit = off")
        cursor.execute("SELECT date_trunc('day', now(), 'UTC')")
        (values["today"],) = cursor.fetchone()
        cursor.execute(CLEAR)
        cursor.execute(HELPERS)
        cursor.execute(CONSTRAINTS, [list(BULK)])
        constraints = cursor.fetchall()
        for table, name, _ in constraints:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        cursor.execute(INDEXES, [list(BULK)])
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"DROP INDEX {name}")
        cursor.execute(USERS, values)
        for first in range(1, listings + 1, STEP):
            cursor.execute(LISTINGS, {**values, "first": first, "last": min(first + STEP - 1, listings)})
            say(f"{min(first + STEP - 1, listings):,} listings")
        cursor.execute("ANALYZE listings_listing")
        for name, statement in (
            ("kinds and units", KINDS), ("plan", PLAN), ("allocations", ALLOCATIONS), ("bills", BILLS),
            ("bookings", BOOKINGS), ("lines and events", STORIES),
        ):  # fmt: skip
            cursor.execute(statement, values if "%(" in statement else None)
            say(name)
        for _, definition in indexes:
            cursor.execute(definition)
        say("indexes")
        for table, name, definition in constraints:
            cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        say("constraints")
        for table in TABLES_OF_NUMBERS:
            cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
        cursor.execute("VACUUM ANALYZE")
        say("vacuum")
