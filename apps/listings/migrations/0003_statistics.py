from django.db import migrations

# A city tells its currency. Without knowing, and without the frequencies of what the searches compute, the planner
# takes every city for a small one and sorts all of it instead of walking an index to the end of the first page.
CREATE = """
CREATE STATISTICS listing_city_statistics (mcv, dependencies) ON lower(city), currency FROM listings_listing;
CREATE STATISTICS listing_stars_statistics ON (COALESCE(rating_average, 0)) FROM listings_listing;
"""
DROP = """
DROP STATISTICS listing_stars_statistics;
DROP STATISTICS listing_city_statistics;
"""


class Migration(migrations.Migration):
    """What the planner should know of listings."""

    dependencies = [("listings", "0002_search_by_words_and_place")]
    operations = [migrations.RunSQL(CREATE, DROP)]
