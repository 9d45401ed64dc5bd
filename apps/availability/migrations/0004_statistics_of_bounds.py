from django.db import migrations

# Of a partial index the planner takes no statistics: it took a ninth of what a unit ever had for what is in the way of a stay,
# and read all of it by the index of the constraint.
CREATE = """
CREATE STATISTICS allocation_upper_statistics ON (upper(period)) FROM availability_allocation;
CREATE STATISTICS allocation_lower_statistics ON (lower(period)) FROM availability_allocation;
"""
DROP = """
DROP STATISTICS allocation_lower_statistics;
DROP STATISTICS allocation_upper_statistics;
"""


class Migration(migrations.Migration):
    """What the planner should know of when places are taken."""

    dependencies = [("availability", "0003_taken_of_a_unit")]
    operations = [migrations.RunSQL(CREATE, DROP)]
