"""Counts of work orders by day, office and class, kept by the database itself, so that
they are right whatever way a row comes or changes (decision 0015)."""

import django.db.models.deletion
from django.db import migrations, models

DAY = "(opened_at AT TIME ZONE 'Asia/Shanghai')::date"
COLUMNS = "day, office_id, category, opened, open"
FUNCTION = f"""
CREATE FUNCTION complaints_count() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO complaints_ordercount ({COLUMNS})
        SELECT {DAY}, office_id, category, count(*), count(due_at)
        FROM fresh GROUP BY 1, 2, 3;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO complaints_ordercount ({COLUMNS})
        SELECT {DAY}, office_id, category, -count(*), -count(due_at)
        FROM old GROUP BY 1, 2, 3;
    ELSE
        INSERT INTO complaints_ordercount ({COLUMNS})
        SELECT day, office_id, category, sum(opened), sum(open) FROM (
            SELECT {DAY} AS day, office_id, category, 1 AS opened,
                   (due_at IS NOT NULL)::int AS open FROM fresh
            UNION ALL
            SELECT {DAY}, office_id, category, -1, -(due_at IS NOT NULL)::int FROM old
        ) changed
        GROUP BY 1, 2, 3 HAVING sum(opened) <> 0 OR sum(open) <> 0;
    END IF;
    RETURN NULL;
END $$"""
TRIGGERS = """
CREATE TRIGGER count_insert AFTER INSERT ON complaints_complaint
    REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION complaints_count();
CREATE TRIGGER count_update AFTER UPDATE ON complaints_complaint
    REFERENCING OLD TABLE AS old NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION complaints_count();
CREATE TRIGGER count_delete AFTER DELETE ON complaints_complaint
    REFERENCING OLD TABLE AS old
    FOR EACH STATEMENT EXECUTE FUNCTION complaints_count();
"""
FILL = f"""
INSERT INTO complaints_ordercount ({COLUMNS})
SELECT {DAY}, office_id, category, count(*), count(due_at)
FROM complaints_complaint GROUP BY 1, 2, 3
"""
UNDO = """
DROP TRIGGER count_insert ON complaints_complaint;
DROP TRIGGER count_update ON complaints_complaint;
DROP TRIGGER count_delete ON complaints_complaint;
DROP FUNCTION complaints_count();
"""


class Migration(migrations.Migration):
    dependencies = [("org", "0002_whole_day"), ("complaints", "0016_macros")]
    operations = [
        migrations.CreateModel(
            name="OrderCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("category", models.CharField(max_length=10)),
                ("opened", models.BigIntegerField()),
                ("open", models.BigIntegerField()),
                (
                    "office",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="org.office",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["day", "office"], name="order_count_day")
                ]
            },
        ),
        migrations.RunSQL(FUNCTION, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, UNDO),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
