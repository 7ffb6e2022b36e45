"""The cost of a usage line, sums by day, and defaults for rows that imports insert."""

from django.db import migrations, models

DAYS = """
ALTER TABLE customers_usage ADD COLUMN cost numeric(14, 2) NOT NULL DEFAULT 0;
CREATE TABLE customers_usageday (
    day date NOT NULL,
    customer_id bigint NOT NULL,
    product varchar(40) NOT NULL,
    region varchar(40) NOT NULL,
    payment varchar(20) NOT NULL,
    pieces bigint NOT NULL,
    revenue numeric(16, 2) NOT NULL,
    cost numeric(16, 2) NOT NULL,
    PRIMARY KEY (customer_id, day, product, region, payment)
) PARTITION BY RANGE (day);
ALTER TABLE customers_usagemonth ALTER cost SET DEFAULT 0, ALTER is_summed SET DEFAULT false"""
# What an import leaves out when it inserts customers by one statement.
TEXTS = [
    "credit_code",
    "id_number",
    "nature",
    "industry",
    "size",
    "strategic_class",
    "source",
    "membership",
    "signing_habit",
    "service_plan",
]
DEFAULTS = "ALTER TABLE customers_customer " + ", ".join(
    [
        *[f"ALTER {name} SET DEFAULT ''" for name in TEXTS],
        *[
            f"ALTER {name} SET DEFAULT false"
            for name in ("is_headquarters", "is_potential_key_account", "legal_hold")
        ],
        "ALTER aliases SET DEFAULT '{}'",
        "ALTER legal_basis SET DEFAULT 'contract'",
        "ALTER list_state SET DEFAULT 'none'",
        "ALTER version SET DEFAULT 1",
    ]
)


class Migration(migrations.Migration):
    dependencies = [("customers", "0004_fill_contacts")]
    operations = [
        migrations.RemoveField("customer", "address"),
        migrations.AddConstraint(
            "customerphone",
            models.UniqueConstraint(
                condition=models.Q(("is_primary", True)),
                fields=("customer",),
                name="customer_phone_one_primary",
            ),
        ),
        migrations.RunSQL(DAYS, "DROP TABLE customers_usageday"),
        # Codes of customers that people make: K00000001, …
        migrations.RunSQL(
            "CREATE SEQUENCE customers_code", "DROP SEQUENCE customers_code"
        ),
        migrations.RunSQL(DEFAULTS, migrations.RunSQL.noop),
    ]
