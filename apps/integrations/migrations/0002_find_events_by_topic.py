from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What integrators were told of one booking is found without reading all of it."""

    atomic = False
    dependencies = [("integrations", "0001_endpoints_events_and_deliveries")]

    operations = [
        AddIndexConcurrently(
            model_name="webhookevent",
            index=models.Index(fields=["topic"], name="webhook_event_topic"),
        ),
    ]
