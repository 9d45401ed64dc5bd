import django.db.models.expressions
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What is stuck is found in indexes that hold nothing else."""

    atomic = False
    dependencies = [("payments", "0010_keep_what_needs_a_human")]

    operations = [
        AddIndexConcurrently(
            model_name="bill",
            index=models.Index(
                condition=models.Q(("owed_since__isnull", False), ("total_minor__gt", models.F("settled_minor"))),
                fields=["owed_since"],
                name="bill_debt",
            ),
        ),
        AddIndexConcurrently(
            model_name="bill",
            index=models.Index(
                condition=models.Q(
                    (
                        "captured_minor__gt",
                        django.db.models.expressions.CombinedExpression(
                            models.F("refunded_minor"), "+", models.F("kept_minor")
                        ),
                    )
                ),
                fields=["id"],
                name="bill_kept_too_much",
            ),
        ),
        AddIndexConcurrently(
            model_name="dispute",
            index=models.Index(
                condition=models.Q(("status__in", ("won", "warning_closed")), _negated=True),
                fields=["created_at"],
                name="dispute_costs_us",
            ),
        ),
        AddIndexConcurrently(
            model_name="refund",
            index=models.Index(condition=models.Q(("status", "FAILED")), fields=["updated_at"], name="refund_failed"),
        ),
    ]
