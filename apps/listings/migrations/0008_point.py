import django.contrib.postgres.indexes
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """What lies in a ring around a place is found in one index alone, without what lies elsewhere at its latitude."""

    atomic = False
    dependencies = [("listings", "0007_newest_of_a_place")]

    operations = [
        AddIndexConcurrently(
            model_name="listing",
            index=django.contrib.postgres.indexes.SpGistIndex(
                models.Func(
                    models.F("longitude"), models.F("latitude"), function="point", output_field=models.TextField()
                ),
                condition=models.Q(("deleted_at", None), ("status", "PUBLISHED")),
                include=("latitude", "longitude", "id", "kind"),
                name="listing_point",
            ),
        ),
    ]
