"""The published limits, as a start: GB/T 27917.2-2011, YZ/T 0129 (domain.md 2.3)."""

from datetime import date

from django.db import migrations

GB = "GB/T 27917.2-2011"
US = "YZ/T 0129 (2017)"
ROWS = [
    # product, relation, mode, limit, first step, second step, shares, lost after
    ("", "", "hours", 72, None, None, 70, 90, 7, GB),
    ("", "same_city", "hours", 24, None, None, 70, 90, 3, GB),
    ("", "regional", "working", 6, None, None, 70, 90, 21, GB),
    ("", "international", "working", 8, None, None, 70, 90, 21, GB),
    ("函件", "", "calendar", 8, None, None, 70, 90, 10, US),
    ("函件", "same_city", "calendar", 2, 1, 2, 70, 90, 10, US),
    ("函件", "province", "calendar", 5, 3, 5, 70, 95, 10, US),
    ("包裹", "", "calendar", 8, None, None, 70, 90, 10, US),
    ("包裹", "province", "calendar", 5, None, None, 70, 90, 7, US),
]


def sow(apps, schema_editor):
    standard = apps.get_model("delivery", "DeliveryStandard")
    for product, relation, mode, limit, first, most, low, high, lost, source in ROWS:
        standard.objects.create(
            product=product,
            relation=relation,
            valid_from=date(2005, 1, 1),
            mode=mode,
            limit=limit,
            first_days=first,
            max_days=most,
            first_share=low,
            max_share=high,
            lost_days=lost,
            source=source,
        )


class Migration(migrations.Migration):
    dependencies = [("delivery", "0005_items")]
    operations = [migrations.RunPython(sow, migrations.RunPython.noop)]
