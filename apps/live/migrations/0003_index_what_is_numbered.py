"""An event is written without a position, and numbered after the commit: until then it is in the index of those that wait."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

NUMBERED = models.Q(("position__isnull", False))


class Migration(migrations.Migration):
    atomic = False
    accepted = {"ban-drop-constraint": "the new index says as much of every position"}

    dependencies = [("live", "0002_number_when_kept")]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS live_event_position_once"
            " ON live_liveevent (position) WHERE position IS NOT NULL",
            "DROP INDEX CONCURRENTLY IF EXISTS live_event_position_once",
            state_operations=[
                migrations.AddConstraint(
                    "liveevent",
                    models.UniqueConstraint(condition=NUMBERED, fields=("position",), name="live_event_position_once"),
                )
            ],
        ),
        # Taken back it builds its index under a lock: events are kept for a while only, so that there are never many.
        migrations.RunSQL(
            "ALTER TABLE live_liveevent DROP CONSTRAINT IF EXISTS live_liveevent_position_key",
            "ALTER TABLE live_liveevent ADD CONSTRAINT live_liveevent_position_key UNIQUE (position)",
            state_operations=[migrations.AlterField("liveevent", "position", models.BigIntegerField(null=True))],
        ),
        AddIndexConcurrently(
            "liveevent",
            models.Index(condition=NUMBERED, fields=["numbered_at", "position"], name="live_event_numbered"),
        ),
        RemoveIndexConcurrently("liveevent", "live_event_kept"),
    ]
