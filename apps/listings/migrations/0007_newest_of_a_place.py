from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models

SOLD = models.Q(("deleted_at", None), ("status", "PUBLISHED"))


class Migration(migrations.Migration):
    """The newest of a map section or a circle are found in indexes alone: either takes the place of one without."""

    atomic = False
    dependencies = [("listings", "0006_statistics_of_titles")]

    operations = [
        AddIndexConcurrently(
            model_name="listing",
            index=models.Index(
                fields=["-created_at", "-id"],
                include=("latitude", "longitude"),
                condition=SOLD,
                name="listing_newest_somewhere",
            ),
        ),
        RemoveIndexConcurrently(model_name="listing", name="listing_newest"),
        AddIndexConcurrently(
            model_name="listing",
            index=models.Index(
                fields=["latitude", "longitude"],
                include=("created_at", "id"),
                condition=SOLD,
                name="listing_coordinates_and_age",
            ),
        ),
        RemoveIndexConcurrently(model_name="listing", name="listing_coordinates"),
    ]
