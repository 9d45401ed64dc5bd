from django.db import migrations

# The same appointments as before. What weekday it is on the wall is worked out once and not for each of the opening hours, those
# of other weekdays are left alone, and what does not meet the window is out before slots are made of it. Either OFFSET 0 keeps
# what is worked out once from being put in place of each of its uses.
CREATE = """
CREATE OR REPLACE FUNCTION service_slots(
    service bigint, zone text, earliest timestamptz, until timestamptz, latest_start timestamptz
) RETURNS TABLE (starts_at timestamptz, frees_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT slot, slot + opening.step
    FROM (
        SELECT
            local_instant(day + hours.opens_at, zone) AS opens,
            local_instant(
                CASE WHEN hours.closes_at = '00:00' THEN day + interval '1 day' ELSE day + hours.closes_at END, zone
            ) AS closes,
            make_interval(mins => hours.duration) AS duration,
            make_interval(mins => hours.duration + hours.buffer) AS step,
            60 * (hours.duration + hours.buffer) AS step_seconds
        FROM (
            SELECT
                opens_at, closes_at, s.duration_minutes AS duration, s.buffer_minutes AS buffer, last_moment,
                first_day + (weekday - first_weekday + 7) % 7 * interval '1 day' AS first
            FROM (
                SELECT first_day, extract(isodow FROM first_day)::int AS first_weekday, until AT TIME ZONE zone AS last_moment
                FROM (SELECT date_trunc('day', earliest AT TIME ZONE zone) - interval '1 day' AS first_day OFFSET 0) AS clock
                OFFSET 0
            ) AS wall
            CROSS JOIN service_openinghours
            JOIN service_service s ON s.listing_id = service_id
            WHERE service_id = service
            OFFSET 0
        ) AS hours
        CROSS JOIN LATERAL generate_series(first, last_moment, interval '7 days') AS day
        WHERE first <= last_moment
        OFFSET 0
    ) AS opening
    CROSS JOIN LATERAL generate_series(
        opens + GREATEST(0, ceil(extract(epoch FROM earliest - opens) / step_seconds))::int * step,
        LEAST(closes - duration, until - duration, latest_start),
        step
    ) AS slot
    WHERE closes > earliest AND opens < until
$$
"""


class Migration(migrations.Migration):
    """What a closed service costs a search."""

    dependencies = [("service", "0002_service_slots")]
    # Whoever goes back may keep it.
    operations = [migrations.RunSQL(CREATE, migrations.RunSQL.noop)]
