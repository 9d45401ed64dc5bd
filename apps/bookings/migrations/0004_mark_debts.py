from django.db import migrations

# What was a debt before there was a mark for it. The marks of later ones are written where bookings end.
MARK = """
    UPDATE payments_bill AS bill SET owed_since = found.completed_at
    FROM (
        SELECT unpaid.id, booking.completed_at FROM payments_bill AS unpaid
        JOIN bookings_booking AS booking ON booking.bill_id = unpaid.id
        WHERE booking.status = 'COMPLETED' AND booking.completed_at IS NOT NULL
            AND unpaid.total_minor > unpaid.settled_minor AND unpaid.owed_since IS NULL
        LIMIT 2000
    ) AS found WHERE found.id = bill.id
"""


def mark(apps, schema_editor):
    """A few thousand at a time, each batch in a transaction of its own."""
    with schema_editor.connection.cursor() as cursor:
        while True:
            cursor.execute(MARK)
            if not cursor.rowcount:
                return


class Migration(migrations.Migration):
    """Bookings that are over and were not paid in full are known as debts since they were completed."""

    atomic = False
    dependencies = [("bookings", "0003_permissions_of_staff"), ("payments", "0010_keep_what_needs_a_human")]

    operations = [migrations.RunPython(mark, migrations.RunPython.noop)]
