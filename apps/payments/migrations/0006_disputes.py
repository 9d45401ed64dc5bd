import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_cards")]

    operations = [
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("processor_id", models.CharField(max_length=255, unique=True)),
                ("status", models.CharField(max_length=40)),
                ("reason", models.CharField(blank=True, max_length=100)),
                ("amount_minor", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "charge",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disputes",
                        to="payments.charge",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="intent_id",
            field=models.CharField(blank=True, max_length=255),
        ),
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(
                condition=models.Q(("intent_id", ""), _negated=True),
                fields=["intent_id"],
                name="webhook_event_intent",
            ),
        ),
    ]
