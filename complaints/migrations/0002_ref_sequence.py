"""The sequence behind complaint numbers."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("complaints", "0001_initial")]
    operations = [
        migrations.RunSQL(
            "CREATE SEQUENCE complaints_ref", "DROP SEQUENCE complaints_ref"
        )
    ]
