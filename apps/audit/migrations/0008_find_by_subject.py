from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The audit of one booking is found without reading all of it."""

    atomic = False
    dependencies = [("audit", "0007_name_what_it_is_about")]

    operations = [
        AddIndexConcurrently(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("subject", ""), _negated=True),
                fields=["subject", "at", "id"],
                name="audit_of_subject",
            ),
        ),
    ]
