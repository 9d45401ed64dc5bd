from django.db import migrations

# The grid of apps.kinds.service.rules.grid in SQL, so that a search can ask it for every service at once. It is not
# STRICT and has one SELECT, so that the planner puts it in place and stops at the first slot that is free. OFFSET 0
# makes the planner fetch the few opening hours by their index: it cannot know how few days and slots there are.
CREATE = """
CREATE FUNCTION service_slots(
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
                weekday, opens_at, closes_at, s.duration_minutes AS duration, s.buffer_minutes AS buffer,
                date_trunc('day', earliest AT TIME ZONE zone) - interval '1 day' AS first_day
            FROM service_openinghours
            JOIN service_service s ON s.listing_id = service_id
            WHERE service_id = service
            OFFSET 0
        ) AS hours
        CROSS JOIN LATERAL generate_series(
            first_day + (hours.weekday - extract(isodow FROM first_day) + 7)::int % 7 * interval '1 day',
            until AT TIME ZONE zone,
            interval '7 days'
        ) AS day
        OFFSET 0
    ) AS opening
    CROSS JOIN LATERAL generate_series(
        opens + GREATEST(0, ceil(extract(epoch FROM earliest - opens) / step_seconds))::int * step,
        LEAST(closes - duration, until - duration, latest_start),
        step
    ) AS slot
$$
"""


class Migration(migrations.Migration):
    """The appointments of a service between two instants, and when each lets go of its member of staff."""

    dependencies = [("service", "0001_initial"), ("core", "0003_local_instant")]
    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION service_slots(bigint, text, timestamptz, timestamptz, timestamptz)")
    ]
