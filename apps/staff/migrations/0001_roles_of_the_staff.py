"""A group for each role of `apps.users.roles`. What members may do stands in that table, so a group alone is all it takes."""

from django.db import migrations

NAMES = ("support", "finance", "content")


def make_groups(apps, schema_editor):
    group = apps.get_model("auth", "Group")
    for name in NAMES:
        group.objects.get_or_create(name=name)


class Migration(migrations.Migration):
    # Three rows, each made where it is missing: half of it is no harm.
    atomic = False
    dependencies = [("auth", "0012_alter_user_first_name_max_length")]

    # Back: the groups stay, since people may be in them and others may have been made by hand.
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop, elidable=False)]
