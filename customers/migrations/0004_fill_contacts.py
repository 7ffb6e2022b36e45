"""Addresses move to rows of their own; phones get the index of their last digits."""

from django.db import migrations

from crm.fields import blind_index, decrypt, encrypt

CHUNK = 2000
OLD, NEW = "customers.customer.address", "customers.customeraddress.text"
NUMBER = "customers.customerphone.number"


def fill(apps, schema_editor):
    cursor = schema_editor.connection.cursor()
    cursor.execute("SELECT id, address FROM customers_customer WHERE address <> ''")
    while rows := cursor.fetchmany(CHUNK):
        with schema_editor.connection.cursor() as writer:
            writer.executemany(
                "INSERT INTO customers_customeraddress (customer_id, type, text, "
                "text_index, region, postcode, quality, score, source) "
                "VALUES (%s, 'pickup', %s, NULL, '', '', 'C', 0, 'customer')",
                [(pk, encrypt(decrypt(data, OLD), NEW)) for pk, data in rows],
            )
    cursor.execute("SELECT id, number FROM customers_customerphone")
    while rows := cursor.fetchmany(CHUNK):
        with schema_editor.connection.cursor() as writer:
            ends = [(decrypt(data, NUMBER)[-4:], pk) for pk, data in rows]
            writer.executemany(
                "UPDATE customers_customerphone SET last_index = %s WHERE id = %s",
                [(blind_index(f"last:{end}")[:2], pk) for end, pk in ends],
            )
    cursor.execute(
        "UPDATE customers_customerphone p SET is_primary = false WHERE EXISTS ("
        "SELECT 1 FROM customers_customerphone q"
        " WHERE q.customer_id = p.customer_id AND q.id < p.id)"
    )


class Migration(migrations.Migration):
    dependencies = [("customers", "0003_record")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
