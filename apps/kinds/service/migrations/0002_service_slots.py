from django.db import migrations

# The grid of apps.kinds.service.rules.grid in SQL, so that a search can ask it for every service at once. It is not
# STRICT and has one SELECT, so that the planner puts it in place and stops at the first slot that is free.
CREATE = """
CREATE FUNCTION service_slots(
    service bigint, zone text, earliest timestamptz, until timestamptz, latest_start timestamptz
) RETURNS TABLE (starts_at timestamptz, frees_at timestamptz)
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT slot, slot + make_interval(mins => s.duration_minutes + s.buffer_minutes)
    FROM service_service s
    JOIN service_openinghours hours ON hours.service_id = s.listing_id
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', earliest AT TIME ZONE zone) - interval '1 day',
        until AT TIME ZONE zone,
        interval '1 day'
    ) AS day
    CROSS JOIN LATERAL (
        SELECT
            local_instant(day + hours.opens_at, zone) AS opens,
            local_instant(
                CASE WHEN hours.closes_at = '00:00' THEN day + interval '1 day' ELSE day + hours.closes_at END, zone
            ) AS closes
    ) AS opening
    CROSS JOIN LATERAL generate_series(
        opening.opens + make_interval(
            mins => (s.duration_minutes + s.buffer_minutes) * GREATEST(
                0,
                ceil(extract(epoch FROM earliest - opening.opens) / (60 * (s.duration_minutes + s.buffer_minutes)))
            )::int
        ),
        LEAST(opening.closes - make_interval(mins => s.duration_minutes),
              until - make_interval(mins => s.duration_minutes),
              latest_start),
        make_interval(mins => s.duration_minutes + s.buffer_minutes)
    ) AS slot
    WHERE s.listing_id = service AND extract(isodow FROM day) = hours.weekday
$$
"""


class Migration(migrations.Migration):
    """The appointments of a service between two instants, and when each lets go of its member of staff."""

    dependencies = [("service", "0001_initial"), ("core", "0003_local_instant")]
    operations = [
        migrations.RunSQL(CREATE, "DROP FUNCTION service_slots(bigint, text, timestamptz, timestamptz, timestamptz)")
    ]
