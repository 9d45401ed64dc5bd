from django.db import migrations


class Migration(migrations.Migration):
    """`local_instant` need not say that it is null of null: it is so by itself.

    Saying it keeps PostgreSQL from putting the function's one expression in its place, and to call it each statement
    has to parse and plan it anew.
    """

    dependencies = [("core", "0004_let_jobs_name_who_promised_them")]
    operations = [
        migrations.RunSQL(
            "ALTER FUNCTION local_instant(timestamp, text) CALLED ON NULL INPUT",
            "ALTER FUNCTION local_instant(timestamp, text) STRICT",
        )
    ]
