from django.db import migrations

# Like `listing_words`, for the words of titles alone.
CREATE = """
CREATE INDEX CONCURRENTLY listing_title_words ON listings_listing USING gin (ts_filter(search_vector, '{a}'))
    WITH (fastupdate = off) WHERE status = 'PUBLISHED' AND deleted_at IS NULL;
"""
DROP = "DROP INDEX CONCURRENTLY listing_title_words"


class Migration(migrations.Migration):
    """A page of what is most alike begins with the titles: an index, and statistics, of their words."""

    atomic = False
    dependencies = [("listings", "0003_statistics")]
    operations = [migrations.RunSQL(CREATE, DROP)]
