"""Calendars are asked of a unit or a listing, and what has ended is passed over; of all rows, active or not, nobody asks."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

ACTIVE = models.Q(("is_active", True))
BOUNDS = (models.Func("period", function="upper"), models.Func("period", function="lower"))


def without(name: str, column: str, *state: Operation) -> migrations.RunSQL:
    """The index gone, while people write; back again where the migration is taken back."""
    return migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON availability_allocation ({column})",
        state_operations=list(state),
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("availability", "0002_permission_to_block"), ("listings", "0001_initial")]

    operations = [
        AddIndexConcurrently(
            "allocation",
            models.Index(models.F("unit"), *BOUNDS, condition=ACTIVE, name="allocation_taken_of_unit"),
        ),
        without(
            "availability_allocation_unit_id_22318cf1",
            "unit_id",
            migrations.AlterField(
                "allocation",
                "unit",
                models.ForeignKey(
                    blank=True,
                    db_index=False,
                    null=True,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="allocations",
                    to="availability.unit",
                ),
            ),
        ),
        AddIndexConcurrently(
            "allocation",
            models.Index(models.F("listing"), *BOUNDS, condition=ACTIVE, name="allocation_taken_of_listing"),
        ),
        RemoveIndexConcurrently("allocation", "allocation_active_of_listing"),
        without(
            "availability_allocation_listing_id_c5cee68a",
            "listing_id",
            migrations.AlterField(
                "allocation",
                "listing",
                models.ForeignKey(
                    db_index=False,
                    on_delete=django.db.models.deletion.CASCADE,
                    related_name="allocations",
                    to="listings.listing",
                ),
            ),
        ),
        AddIndexConcurrently(
            "allocation",
            models.Index(
                condition=models.Q(("held_until__isnull", False), ("is_active", True)),
                fields=["listing", "held_until"],
                name="allocation_held_of_listing",
            ),
        ),
        RemoveIndexConcurrently("allocation", "allocation_held"),
        RemoveIndexConcurrently("allocation", "allocation_of_holder"),
    ]
