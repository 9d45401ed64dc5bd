from typing import Any

from django.db import migrations
from django.db.models import F
from django.db.models.functions import Least


def settle(apps: Any, schema_editor: Any) -> None:
    """What was captured so far settled as much of its bill, whatever went back of it since."""
    del schema_editor
    apps.get_model("payments", "Bill").objects.update(settled_minor=Least(F("captured_minor"), F("total_minor")))


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_bill_settled")]

    operations = [migrations.RunPython(settle, migrations.RunPython.noop)]
