"""Usage ledgers: what an import of kind "usage" checks, and how a chunk is loaded.

A line's key is (office, file's SHA-256, line number), kept by crm.transfer, or (office,
ref) when a column is mapped to `ref`. Two equal lines in a file are two sales.
"""

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.copying import copy_lines
from crm.org.models import Office
from crm.transfer.targets import (
    Column,
    Loaded,
    Run,
    Target,
    clean_amount,
    clean_count,
    clean_date,
    clean_text,
)
from customers.models import Customer, UsageRef
from customers.partitions import ensure_partition, month_after, partition_months
from customers.reverting import take_back_customers

COLUMNS = (
    Column(
        "code",
        _("Customer code"),
        clean_text(40, required=True),
        True,
        (
            "customer_id",
            "customer",
            "customer code",
            "客户代码",
            "客户编号",
            "客户号",
            "大客户代码",
        ),
    ),
    Column(
        "posted_on",
        _("Date"),
        clean_date,
        True,
        ("date", "日期", "收寄日期", "业务日期"),
    ),
    Column(
        "pieces", _("Pieces"), clean_count, True, ("件数", "数量", "quantity", "业务量")
    ),
    Column(
        "revenue",
        _("Revenue"),
        clean_amount,
        True,
        ("amount", "金额", "收入", "资费", "业务收入"),
    ),
    Column(
        "name",
        _("Customer name"),
        clean_text(120),
        False,
        ("customer_name", "客户名称", "姓名"),
        is_personal=True,
    ),
    Column("product", _("Product"), clean_text(40), False, ("产品", "业务种类")),
    Column(
        "region",
        _("Destination"),
        clean_text(40),
        False,
        ("寄达地", "目的地", "destination"),
    ),
    Column("cost", _("Cost"), clean_amount, False, ("成本", "cost")),
    Column("payment", _("Payment"), clean_text(20), False, ("付款方式", "支付方式")),
    Column(
        "ref",
        _("Reference"),
        clean_text(60, required=True),
        False,
        ("邮件号", "流水号", "mail_no"),
    ),
)
TEXTS = ("product", "region", "payment", "ref", "name")
STAGING = """
CREATE TEMP TABLE IF NOT EXISTS staging (
    line bigint, code text, posted_on date, pieces int, revenue numeric(14,2),
    product text DEFAULT '', region text DEFAULT '', payment text DEFAULT '',
    ref text DEFAULT '', name text DEFAULT '', cost numeric(14,2) DEFAULT 0
) ON COMMIT DROP"""
NEW_CUSTOMERS = """
SELECT s.code, max(s.name) FROM staging s
LEFT JOIN customers_customer c ON c.office_id = %s AND c.code = s.code
WHERE c.id IS NULL GROUP BY s.code"""
# Without names there is nothing to compute in Python: one statement makes them all.
# An unknown customer counts as a person, whose name is masked (GB/T 41833).
INSERT_NAMELESS = """
INSERT INTO customers_customer (office_id, code, kind, segment, name, pinyin, initials,
    name_bigrams, source, imported_by, created_at)
SELECT %(office)s, code, 'individual', 'casual', '', '', '', '{}', 'import', %(batch)s, now()
FROM (SELECT DISTINCT code FROM staging) s
WHERE NOT EXISTS (SELECT 1 FROM customers_customer c
                  WHERE c.office_id = %(office)s AND c.code = s.code)
ORDER BY code"""
KEEP_NEW_REFS = """
WITH firsts AS (SELECT min(line) AS line, ref FROM staging GROUP BY ref),
     fresh AS (INSERT INTO customers_usageref (office_id, ref, customer_id, source_id)
               SELECT %(office)s, firsts.ref, c.id, %(source)s
               FROM firsts JOIN staging s USING (line)
               JOIN customers_customer c ON c.office_id = %(office)s AND c.code = s.code
               ORDER BY ref ON CONFLICT DO NOTHING RETURNING ref)
DELETE FROM staging s WHERE NOT EXISTS (
    SELECT 1 FROM fresh JOIN firsts USING (ref) WHERE fresh.ref = s.ref AND firsts.line = s.line)"""
# One join for both tables; in the customers' order, which spares their indexes.
INSERT_LINES = """
WITH joined AS MATERIALIZED (
    SELECT c.id AS customer_id, s.* FROM staging s
    JOIN customers_customer c ON c.office_id = %(office)s AND c.code = s.code
    ORDER BY c.id, s.posted_on),
lines AS (
    INSERT INTO customers_usage
        (posted_on, customer_id, source_id, line, pieces, revenue, product, region, payment,
         cost)
    SELECT posted_on, customer_id, %(source)s, line, pieces, revenue, product, region, payment,
           cost
    FROM joined)
INSERT INTO customers_usagemonth AS m (customer_id, month, lines, pieces, revenue, cost)
SELECT customer_id, date_trunc('month', posted_on)::date, count(*), sum(pieces), sum(revenue),
       sum(cost)
FROM joined GROUP BY 1, 2 ORDER BY 1, 2
ON CONFLICT (customer_id, month) DO UPDATE SET lines = m.lines + excluded.lines,
    pieces = m.pieces + excluded.pieces, revenue = m.revenue + excluded.revenue,
    cost = m.cost + excluded.cost, is_summed = false"""
EQUAL_LINES = """
SELECT count(*) FROM staging s
JOIN customers_customer c ON c.office_id = %s AND c.code = s.code
WHERE EXISTS (SELECT 1 FROM customers_usage u WHERE u.customer_id = c.id
    AND u.posted_on = s.posted_on AND u.pieces = s.pieces AND u.revenue = s.revenue)"""


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked lines in, in the caller's transaction; make customers that are new.

    Cost: one COPY and five statements a chunk, whatever its length.
    """
    if not lines:
        return Loaded([], 0)
    office = run.office
    with connection.cursor() as cursor:
        stage(cursor, lines, columns)
        created = create_customers(cursor, run, are_named="name" in columns)
        imported = [line[0] for line in lines]
        if "ref" in columns:
            ids = {"office": office.pk, "source": run.source_id}
            cursor.execute(KEEP_NEW_REFS, ids)
            cursor.execute("SELECT line FROM staging ORDER BY line")
            imported = [row[0] for row in cursor.fetchall()]
        _make_partitions(cursor)
        cursor.execute("SET LOCAL work_mem = '64MB'")  # a chunk is sorted in memory
        cursor.execute(INSERT_LINES, {"office": office.pk, "source": run.source_id})
        cursor.execute("TRUNCATE staging")
    return Loaded(imported, created)


def likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    """The share of these lines that equal stored ones of the office."""
    with transaction.atomic(), connection.cursor() as cursor:
        stage(cursor, lines, columns)
        cursor.execute(EQUAL_LINES, [office.pk])
        equal = cursor.fetchone()[0]
        cursor.execute("TRUNCATE staging")
    return equal / len(lines)


def stage(cursor, lines: list[list], columns: list[str]) -> None:
    cursor.execute(STAGING)
    copy_lines(cursor, "staging", lines, columns, {"code", *TEXTS})


def create_customers(cursor, run: Run, *, are_named: bool) -> int:
    """Make the customers that the chunk names and the office lacks; return how many."""
    office = run.office
    if not are_named:
        values = {"office": office.pk, "batch": run.batch_id}
        cursor.execute(INSERT_NAMELESS, values)
        return cursor.rowcount
    cursor.execute(NEW_CUSTOMERS, [office.pk])
    fresh = []
    for code, name in cursor.fetchall():
        kind = (
            Customer.Kind.CORPORATE
            if text.is_company(name)
            else Customer.Kind.INDIVIDUAL
        )
        customer = Customer(office=office, code=code, kind=kind, source="import")
        customer.imported_by = run.batch_id
        customer.set_name(name)
        fresh.append(customer)
    Customer.objects.bulk_create(fresh, batch_size=2000)
    return len(fresh)


def _make_partitions(cursor) -> None:
    cursor.execute(
        "SELECT DISTINCT date_trunc('month', posted_on)::date FROM staging ORDER BY 1"
    )
    for (month,) in cursor.fetchall():
        ensure_partition(cursor, month, "customers_usage")


# Month by month, so that a step is short; the source's lines of one partition at a time.
REVERT_MONTH = """
WITH gone AS (
    DELETE FROM customers_usage WHERE source_id = %(source)s
       AND posted_on >= %(first)s AND posted_on < %(next)s
    RETURNING customer_id, pieces, revenue, cost),
sums AS (
    SELECT customer_id, count(*) AS lines, sum(pieces) AS pieces, sum(revenue) AS revenue,
           sum(cost) AS cost FROM gone GROUP BY 1)
UPDATE customers_usagemonth m SET lines = m.lines - s.lines, pieces = m.pieces - s.pieces,
    revenue = m.revenue - s.revenue, cost = m.cost - s.cost, is_summed = false
FROM sums s WHERE m.customer_id = s.customer_id AND m.month = %(first)s"""
DROP_EMPTY = """
WITH empty AS (
    DELETE FROM customers_usagemonth WHERE month = %(first)s AND lines = 0
    RETURNING customer_id)
DELETE FROM customers_usageday d USING empty e WHERE d.customer_id = e.customer_id
   AND d.day >= %(first)s AND d.day < %(next)s"""


def revert(run: Run, place: int) -> int | None:
    """Take the lines of a source back, the months that have partitions one a step.

    Then its references, and the customers that the import made and nobody has used since.
    """
    months = partition_months("customers_usage")
    with connection.cursor() as cursor:
        if place < len(months):
            first = months[place]
            span = {"first": first, "next": month_after(first)}
            cursor.execute(REVERT_MONTH, {"source": run.source_id, **span})
            cursor.execute(DROP_EMPTY, span)
            return place + 1
    UsageRef.objects.filter(source_id=run.source_id).delete()
    take_back_customers(run.batch_id)
    return None


TARGET = Target("usage", _("Usage ledger"), COLUMNS, load, likeness, revert)
