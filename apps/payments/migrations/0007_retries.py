from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_disputes")]

    operations = [
        migrations.AddField(
            model_name="bill",
            name="retry_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="bill",
            name="retries",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddIndex(
            model_name="bill",
            index=models.Index(
                condition=models.Q(("retry_at", None), _negated=True),
                fields=["retry_at"],
                name="bill_retry",
            ),
        ),
    ]
