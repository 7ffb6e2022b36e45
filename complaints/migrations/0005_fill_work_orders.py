"""Complaints of before become work orders: due times from their clocks, rounds and bounces
from their moves, the two categories that are classes no more, callers found by number."""

from django.db import migrations

from crm import text
from crm.fields import blind_index

CATEGORIES = """
INSERT INTO complaints_category (code, "group", name, name_zh, initials, pinyin, severity,
    kind, needs_item, script, script_zh, is_active)
SELECT * FROM (VALUES
    ('501', 'other', 'Misdelivery', '误投错投', 'wtct', 'wutoucuotou', 'normal', '', true, '', '', true),
    ('502', 'other', 'Charges', '资费争议', 'zfzy', 'zifeizhengyi', 'normal', '', true, '', '', true)
) AS given WHERE EXISTS (SELECT 1 FROM complaints_complaint
    WHERE category IN ('misdelivery', 'charge'))
"""
CLASSES = """
UPDATE complaints_complaint c SET category = 'other', subcategory_id = s.id
FROM complaints_category s
WHERE (c.category, s.code) IN (('misdelivery', '501'), ('charge', '502'))
"""
# What was answered and is not closed yet waits for its follow-up: a clock of its own.
ANSWERED = """
INSERT INTO complaints_milestone (complaint_id, kind, round, starts_at, days, due_at,
    is_provisional, next_at, told)
SELECT id, 'follow_up', 1, now(), 2, now() + interval '2 days', false,
    now() + interval '1 day', 0
FROM complaints_complaint c
WHERE state NOT IN ('archived', 'cancelled') AND NOT EXISTS (
    SELECT 1 FROM complaints_milestone m WHERE m.complaint_id = c.id AND m.met_at IS NULL)
"""
TIMES = """
UPDATE complaints_complaint c
SET due_at = m.due, legal_due_at = m.legal
FROM (
    SELECT c.id, min(m.due_at) AS due, min(m.due_at) FILTER (WHERE m.kind = 'legal') AS legal
    FROM complaints_complaint c
    LEFT JOIN complaints_milestone m ON m.complaint_id = c.id AND m.met_at IS NULL
        AND c.state NOT IN ('archived', 'cancelled')
    GROUP BY c.id
) m WHERE m.id = c.id
"""
COUNTS = """
UPDATE complaints_complaint c
SET rounds = 1 + m.again, bounces = m.back
FROM (
    SELECT complaint_id, count(*) FILTER (WHERE after = 'reopened') AS again,
        count(*) FILTER (WHERE after = 'returned') AS back
    FROM complaints_complaintmove GROUP BY complaint_id
) m WHERE m.complaint_id = c.id AND m.again + m.back > 0
"""


def index_callers(apps, schema_editor):
    model = apps.get_model("complaints", "Complaint")
    rows = model.objects.filter(caller_index=None).only("pk", "caller_phone")
    chunk = []
    for row in rows.iterator(chunk_size=1000):
        number = text.normalise_phone(row.caller_phone)
        if number:
            row.caller_index = blind_index(number)
            chunk.append(row)
        if len(chunk) == 1000:
            model.objects.bulk_update(chunk, ["caller_index"])
            chunk = []
    model.objects.bulk_update(chunk, ["caller_index"])


class Migration(migrations.Migration):
    dependencies = [("complaints", "0004_work_orders")]
    operations = [
        *(
            migrations.RunSQL(sql, migrations.RunSQL.noop)
            for sql in (CATEGORIES, CLASSES, ANSWERED, TIMES, COUNTS)
        ),
        migrations.RunPython(index_callers, migrations.RunPython.noop),
    ]
