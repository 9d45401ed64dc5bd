"""What begins with the same column serves as well, and nobody looks for the beginning of a reference."""

from django.conf import settings
from django.db import migrations, models
from django.db.migrations.operations.base import Operation


def without(name: str, table: str, columns: str, *state: Operation) -> migrations.RunSQL:
    """The index gone, while people write; back again where the migration is taken back."""
    return migrations.RunSQL(
        f"DROP INDEX CONCURRENTLY IF EXISTS {name}",
        f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {table} ({columns})",
        state_operations=list(state),
    )


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("bookings", "0004_mark_debts"),
        ("listings", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        without(
            "bookings_booking_guest_id_8ba294cc",
            "bookings_booking",
            "guest_id",
            migrations.AlterField(
                "booking",
                "guest",
                models.ForeignKey(
                    blank=True,
                    db_index=False,
                    null=True,
                    on_delete=models.deletion.SET_NULL,
                    related_name="bookings",
                    to=settings.AUTH_USER_MODEL,
                ),
            ),
        ),
        without(
            "bookings_booking_listing_id_3af24c7b",
            "bookings_booking",
            "listing_id",
            migrations.AlterField(
                "booking",
                "listing",
                models.ForeignKey(
                    db_index=False,
                    on_delete=models.deletion.PROTECT,
                    related_name="bookings",
                    to="listings.listing",
                ),
            ),
        ),
        without(
            "bookings_bookingline_booking_id_f1bc57ff",
            "bookings_bookingline",
            "booking_id",
            migrations.AlterField(
                "bookingline",
                "booking",
                models.ForeignKey(
                    db_index=False,
                    on_delete=models.deletion.CASCADE,
                    related_name="lines",
                    to="bookings.booking",
                ),
            ),
        ),
        without(
            "bookings_bookingevent_booking_id_98f25503",
            "bookings_bookingevent",
            "booking_id",
            migrations.AlterField(
                "bookingevent",
                "booking",
                models.ForeignKey(
                    db_index=False,
                    on_delete=models.deletion.CASCADE,
                    related_name="history",
                    to="bookings.booking",
                ),
            ),
        ),
        without(
            "bookings_booking_reference_af3214d4_like",
            "bookings_booking",
            "reference varchar_pattern_ops",
        ),
    ]
