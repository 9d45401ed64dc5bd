from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("importing", "0002_words")]

    operations = [AddIndexConcurrently("Thing", models.Index(fields=["words"], name="thing_words"))]
