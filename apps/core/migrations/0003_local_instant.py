from django.db import migrations

# PostgreSQL takes the second of two equal wall-clock times; the house rule is the first. The candidate three hours
# earlier, carried on by elapsed time, lies before a clock change of up to three hours and is right only where it
# reads the same on the wall.
CREATE = """
CREATE FUNCTION local_instant(wall timestamp, zone text) RETURNS timestamptz
LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE
        WHEN ((wall - interval '3 hours') AT TIME ZONE zone + interval '3 hours') AT TIME ZONE zone = wall
        THEN LEAST((wall - interval '3 hours') AT TIME ZONE zone + interval '3 hours', wall AT TIME ZONE zone)
        ELSE wall AT TIME ZONE zone
    END
$$
"""


class Migration(migrations.Migration):
    """The instant of a wall-clock time in a zone, as apps.core.periods.instant says it."""

    dependencies = [("core", "0002_outbox_and_idempotency_keys")]
    operations = [migrations.RunSQL(CREATE, "DROP FUNCTION local_instant(timestamp, text)")]
