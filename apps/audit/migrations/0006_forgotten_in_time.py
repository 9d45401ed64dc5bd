"""Rows of the audit go when whoever deletes them has said how old they are to be, and never before ninety days are over."""

from django.db import migrations

FORWARD = """
CREATE FUNCTION audit_goes_in_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at < now() - interval '90 days'
        AND OLD.at < nullif(current_setting('holdfast.audit_forgotten_before', true), '')::timestamptz
    THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'rows of the audit are never changed or removed' USING ERRCODE = 'restrict_violation';
END
$$;
DROP TRIGGER audit_append_only ON audit_auditevent;
CREATE TRIGGER audit_append_only BEFORE UPDATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_forgotten_in_time BEFORE DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_goes_in_time();
"""
BACKWARD = """
DROP TRIGGER audit_forgotten_in_time ON audit_auditevent;
DROP TRIGGER audit_append_only ON audit_auditevent;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
DROP FUNCTION audit_goes_in_time();
"""


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_tell_of_second_factors")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
