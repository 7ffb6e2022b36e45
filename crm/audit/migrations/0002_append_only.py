"""The database itself refuses to change, delete or truncate the trail and its chain."""

from django.db import migrations

FUNCTION = """
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'insufficient_privilege';
END $$"""
TABLES = ("audit_auditevent", "audit_auditseal")
TRIGGERS = [
    f"""CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table}
        FOR EACH ROW EXECUTE FUNCTION audit_append_only();
        CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table}
        FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"""
    for table in TABLES
]
DROPS = [
    f"DROP TRIGGER append_only ON {table}; DROP TRIGGER no_truncate ON {table}"
    for table in TABLES
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION audit_append_only()"),
        *[migrations.RunSQL(*pair) for pair in zip(TRIGGERS, DROPS, strict=True)],
    ]
