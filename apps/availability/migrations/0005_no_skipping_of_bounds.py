from django.db import migrations

# What an index of its own knows of the values in it is asked for one thing alone: how often a scan would skip from one of them
# to the next (PostgreSQL 18). For a calendar that is wrong: of all the ends that there are a unit has a few. The planner expected
# thousands of skips of an index that is descended once, and took that of the constraint, which takes three times as long.
KEEP_NONE = """
ALTER INDEX allocation_taken_of_unit ALTER COLUMN 2 SET STATISTICS 0;
ALTER INDEX allocation_taken_of_unit ALTER COLUMN 3 SET STATISTICS 0;
ALTER INDEX allocation_taken_of_listing ALTER COLUMN 2 SET STATISTICS 0;
ALTER INDEX allocation_taken_of_listing ALTER COLUMN 3 SET STATISTICS 0;
DO $$
BEGIN
    -- What was gathered before would stay for ever. Older versions than this one do not look at it.
    IF current_setting('server_version_num')::integer >= 180000 THEN
        PERFORM pg_clear_attribute_stats(current_schema()::text, name, bound, false)
        FROM unnest(ARRAY['allocation_taken_of_unit', 'allocation_taken_of_listing']) AS name,
            unnest(ARRAY['upper', 'lower']) AS bound;
    END IF;
END $$;
"""
KEEP_SOME = """
ALTER INDEX allocation_taken_of_listing ALTER COLUMN 3 SET STATISTICS -1;
ALTER INDEX allocation_taken_of_listing ALTER COLUMN 2 SET STATISTICS -1;
ALTER INDEX allocation_taken_of_unit ALTER COLUMN 3 SET STATISTICS -1;
ALTER INDEX allocation_taken_of_unit ALTER COLUMN 2 SET STATISTICS -1;
"""


class Migration(migrations.Migration):
    """What the planner should not know of the indexes of calendars."""

    dependencies = [("availability", "0004_statistics_of_bounds")]
    operations = [migrations.RunSQL(KEEP_NONE, KEEP_SOME)]
