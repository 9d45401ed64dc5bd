"""Nor does the database empty the audit as a whole."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER audit_no_truncating BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
"""
BACKWARD = "DROP TRIGGER audit_no_truncating ON audit_auditevent;"


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_rights_groups_and_sessions")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
