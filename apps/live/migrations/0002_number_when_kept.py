import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("live", "0001_initial"),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name="liveevent",
            name="live_event_age",
        ),
        migrations.AddField(
            model_name="liveevent",
            name="numbered_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddIndex(
            model_name="liveevent",
            index=models.Index(fields=["numbered_at", "position"], name="live_event_kept"),
        ),
    ]
