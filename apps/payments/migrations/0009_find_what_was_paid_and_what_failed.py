from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The dashboard reads what was paid and what failed in some days, however many charges there are."""

    atomic = False
    dependencies = [("payments", "0008_what_the_processor_is_to_be_told")]

    operations = [
        AddIndexConcurrently(
            model_name="charge",
            index=models.Index(condition=models.Q(("paid_at__isnull", False)), fields=["paid_at"], name="charge_paid"),
        ),
        AddIndexConcurrently(
            model_name="charge",
            index=models.Index(condition=models.Q(("status", "FAILED")), fields=["updated_at"], name="charge_failed"),
        ),
    ]
