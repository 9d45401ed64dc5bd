import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="LiveEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("topic", models.CharField(max_length=60)),
                ("data", models.JSONField(default=dict)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("position", models.BigIntegerField(null=True, unique=True)),
            ],
            options={
                "indexes": [
                    models.Index(condition=models.Q(("position", None)), fields=["id"], name="live_event_waiting"),
                    models.Index(fields=["at"], name="live_event_age"),
                ],
            },
        ),
        migrations.RunSQL("CREATE SEQUENCE live_position", "DROP SEQUENCE live_position"),
    ]
