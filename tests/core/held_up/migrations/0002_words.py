from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("importing", "0001_things")]

    operations = [migrations.AddField("Thing", "words", models.TextField(db_default=""))]
