from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_card_saved_at")]

    operations = [
        migrations.AddField(model_name="bill", name="settled_minor", field=models.BigIntegerField(default=0)),
    ]
