import django.db.models.functions.text
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The newest of a city are read from an index: also where nearly nothing is free, nobody else's listings are."""

    atomic = False
    dependencies = [("listings", "0004_words_of_titles")]

    operations = [
        AddIndexConcurrently(
            model_name="listing",
            index=models.Index(
                django.db.models.functions.text.Lower("city"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                condition=models.Q(("deleted_at", None), ("status", "PUBLISHED")),
                name="listing_city_newest",
            ),
        ),
    ]
