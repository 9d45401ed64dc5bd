"""One index of the keys says that there is one letter of each, and finds them by what they begin with; it took two."""

from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    accepted = {"ban-drop-constraint": "the new index says the same"}

    dependencies = [("notifications", "0004_permission_to_send_again")]

    operations = [
        migrations.RunSQL(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS letter_key_once"
            " ON notifications_letter (key varchar_pattern_ops)",
            "DROP INDEX CONCURRENTLY IF EXISTS letter_key_once",
            state_operations=[
                migrations.AddConstraint(
                    "letter",
                    models.UniqueConstraint(fields=("key",), name="letter_key_once", opclasses=["varchar_pattern_ops"]),
                )
            ],
        ),
        migrations.RunSQL(
            "DROP INDEX CONCURRENTLY IF EXISTS notifications_letter_key_4688ec69_like",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS notifications_letter_key_4688ec69_like"
            " ON notifications_letter (key varchar_pattern_ops)",
        ),
        # Taken back it builds its index under a lock: letters that left are forgotten, so that there are never many.
        migrations.RunSQL(
            "ALTER TABLE notifications_letter DROP CONSTRAINT IF EXISTS notifications_letter_key_key",
            "ALTER TABLE notifications_letter ADD CONSTRAINT notifications_letter_key_key UNIQUE (key)",
            state_operations=[migrations.AlterField("letter", "key", models.CharField(max_length=120))],
        ),
    ]
