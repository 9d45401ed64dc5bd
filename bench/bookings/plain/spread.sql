-- One night held, as plain statements: of the home and the night that the client's next number stands for.
\set step :step + 1
\set number :base + :client_id * :stride + :step
\set home :first + :number % :homes
\set night :number / :homes
BEGIN;
SELECT EXISTS (SELECT FROM availability_allocation WHERE listing_id = listing.id AND is_active AND held_until <= now()) FROM listings_listing AS listing WHERE id = :home FOR KEY SHARE;
SELECT id, host_id, status, price_minor, currency, time_zone, min_nights, max_nights, check_in_time, check_out_time FROM listings_listing JOIN property_property ON listing_id = id WHERE id = :home AND deleted_at IS NULL;
SELECT u.id AS unit FROM availability_unit u WHERE u.listing_id = :home AND u.is_offered AND NOT EXISTS (SELECT FROM availability_allocation a WHERE a.unit_id = u.id AND a.is_active AND (a.held_until IS NULL OR a.held_until > now()) AND a.period && tstzrange((current_date + 3 + :night + time '15:00') AT TIME ZONE 'UTC', (current_date + 4 + :night + time '11:00') AT TIME ZONE 'UTC')) ORDER BY u.number LIMIT 1 \gset
INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at) VALUES (:home, :unit, 1, tstzrange((current_date + 3 + :night + time '15:00') AT TIME ZONE 'UTC', (current_date + 4 + :night + time '11:00') AT TIME ZONE 'UTC'), nextval('availability_holder'), true, now() + interval '3600 s', now()) ON CONFLICT DO NOTHING RETURNING id AS allocation \gset
INSERT INTO payments_bill (currency, total_minor, captured_minor, refunded_minor, settled_minor, retries, timing, created_at) VALUES ('EUR', 10000, 0, 0, 0, 0, 'NOW', now()) RETURNING id AS bill \gset
INSERT INTO bookings_booking (reference, status, listing_id, is_anonymous, email, first_name, last_name, allocation_id, bill_id, period, check_in, check_out, guests, price_minor, currency, cancellation_policy, expires_at, created_at, updated_at) VALUES (upper(translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 10), '+/', 'XY')), 'PENDING', :home, true, 'client' || :client_id || '@example.com', '', '', :allocation, :bill, tstzrange((current_date + 3 + :night + time '15:00') AT TIME ZONE 'UTC', (current_date + 4 + :night + time '11:00') AT TIME ZONE 'UTC'), current_date + 3 + :night, current_date + 4 + :night, 1, 10000, 'EUR', 'FLEXIBLE', now() + interval '3600 s', now(), now()) RETURNING id AS booking \gset
INSERT INTO bookings_bookingline (booking_id, position, label, quantity, unit_amount_minor, amount_minor, currency) VALUES (:booking, 0, 'Nights', 1, 10000, 10000, 'EUR') RETURNING id;
INSERT INTO bookings_bookingevent (booking_id, at, type, actor, data) VALUES (:booking, now(), 'HELD', 'GUEST', '{}') RETURNING id;
COMMIT;
