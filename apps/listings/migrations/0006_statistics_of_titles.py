from django.db import migrations

# What is known of an index's expressions the planner does not use where the index is a partial one.
CREATE = "CREATE STATISTICS listing_title_statistics ON (ts_filter(search_vector, '{a}')) FROM listings_listing"
DROP = "DROP STATISTICS listing_title_statistics"


class Migration(migrations.Migration):
    """How frequent a word is in titles, for the planner."""

    dependencies = [("listings", "0005_newest_of_a_city")]
    operations = [migrations.RunSQL(CREATE, DROP)]
