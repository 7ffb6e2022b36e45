"""A frozen figure is never changed again, by whatever statement."""

from django.db import migrations

KEEP = """
CREATE FUNCTION keep_frozen_figure() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'figure % is frozen', OLD.id USING ERRCODE = 'raise_exception';
END $$;
CREATE TRIGGER figure_frozen BEFORE UPDATE OR DELETE ON dashboards_figure
FOR EACH ROW WHEN (OLD.is_frozen) EXECUTE FUNCTION keep_frozen_figure();
"""
LET_GO = """
DROP TRIGGER figure_frozen ON dashboards_figure;
DROP FUNCTION keep_frozen_figure();
"""


class Migration(migrations.Migration):
    dependencies = [("dashboards", "0002_figures")]
    operations = [migrations.RunSQL(KEEP, LET_GO)]
