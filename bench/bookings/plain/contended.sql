-- One ticket held, as plain statements in the order of the hold.
BEGIN;
SELECT EXISTS (SELECT FROM availability_allocation WHERE listing_id = listing.id AND is_active AND held_until <= now()) FROM listings_listing AS listing WHERE id = :event FOR KEY SHARE;
SELECT id, host_id, status, price_minor, currency, starts_at, ends_at FROM listings_listing JOIN event_event ON listing_id = id WHERE id = :event AND deleted_at IS NULL;
UPDATE availability_stock SET taken = taken + 1 WHERE listing_id = :event AND taken <= capacity - 1;
INSERT INTO availability_allocation (listing_id, unit_id, quantity, period, holder, is_active, held_until, created_at) SELECT listing_id, NULL, 1, tstzrange(starts_at, ends_at), nextval('availability_holder'), true, now() + interval '3600 s', now() FROM event_event WHERE listing_id = :event RETURNING id AS allocation \gset
INSERT INTO payments_bill (currency, total_minor, captured_minor, refunded_minor, settled_minor, retries, timing, created_at) VALUES ('EUR', 10000, 0, 0, 0, 0, 'NOW', now()) RETURNING id AS bill \gset
INSERT INTO bookings_booking (reference, status, listing_id, is_anonymous, email, first_name, last_name, allocation_id, bill_id, period, tickets, price_minor, currency, cancellation_policy, expires_at, created_at, updated_at) SELECT upper(translate(left(encode(uuid_send(gen_random_uuid()), 'base64'), 10), '+/', 'XY')), 'PENDING', :event, true, 'client' || :client_id || '@example.com', '', '', :allocation, :bill, tstzrange(starts_at, ends_at), 1, 10000, 'EUR', 'FLEXIBLE', now() + interval '3600 s', now(), now() FROM event_event WHERE listing_id = :event RETURNING id AS booking \gset
INSERT INTO bookings_bookingline (booking_id, position, label, quantity, unit_amount_minor, amount_minor, currency) VALUES (:booking, 0, 'Tickets', 1, 10000, 10000, 'EUR') RETURNING id;
INSERT INTO bookings_bookingevent (booking_id, at, type, actor, data) VALUES (:booking, now(), 'HELD', 'GUEST', '{}') RETURNING id;
COMMIT;
