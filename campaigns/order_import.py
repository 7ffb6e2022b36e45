"""Ledgers of card orders: delivered orders of seasons, from a file.

A line belongs to the season whose days hold its date; the shell may name the one season
that is meant. Keys as in usage ledgers: (office, file, line), or (season, ref).
"""

from django.db import connection, transaction
from django.utils.translation import gettext_lazy as _

from campaigns.models import CardOrder, Season
from crm.org.models import Office
from crm.org.queries import ancestry
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
from customers import usage_import
from customers.reverting import take_back_customers

COLUMNS = (
    Column(
        "code",
        _("Customer code"),
        clean_text(40, required=True),
        True,
        ("customer_id", "customer", "客户代码", "客户编号", "客户号"),
    ),
    Column(
        "ordered_on",
        _("Ordered on"),
        clean_date,
        True,
        ("date", "日期", "订购日期", "下单日期"),
    ),
    Column(
        "pieces", _("Pieces"), clean_count, True, ("件数", "数量", "枚数", "quantity")
    ),
    Column(
        "revenue",
        _("Revenue"),
        clean_amount,
        True,
        ("amount", "金额", "收入", "订单额"),
    ),
    Column(
        "name",
        _("Customer name"),
        clean_text(120),
        False,
        ("customer_name", "客户名称", "单位名称"),
        is_personal=True,
    ),
    Column("product", _("Product"), clean_text(20), False, ("产品", "贺卡品种")),
    Column("cost", _("Cost"), clean_amount, False, ("成本", "制作成本")),
    Column(
        "ref",
        _("Order number"),
        clean_text(40, required=True),
        False,
        ("订单号", "合同号", "order"),
    ),
)
AS_USAGE = {"ordered_on": "posted_on"}
# A date lies in one season of this office and those above it: the nearest, then the newest.
CHOOSE = """
CREATE TEMP TABLE order_lines ON COMMIT DROP AS
SELECT s.line, c.id AS customer_id, s.posted_on, s.pieces, s.revenue, s.cost, s.ref,
       s.product, (SELECT x.id FROM campaigns_season x JOIN org_office o ON o.id = x.office_id
        WHERE x.id = ANY(%(seasons)s) AND s.posted_on BETWEEN x.first_day AND x.last_day
        ORDER BY o.depth DESC, x.first_day DESC, x.id DESC LIMIT 1) AS season_id
FROM staging s JOIN customers_customer c ON c.office_id = %(office)s AND c.code = s.code"""
NO_PRODUCT = """
DELETE FROM order_lines l WHERE l.product <> '' AND NOT EXISTS (
    SELECT 1 FROM campaigns_cardproduct p WHERE p.code = l.product) RETURNING line"""
INSERT = """
INSERT INTO campaigns_cardorder (season_id, customer_id, ref, ordered_on, product_id, pieces,
    revenue, cost, content, contract_number, state, reason, source_id, line, made_at)
SELECT season_id, customer_id, ref, posted_on,
       (SELECT p.id FROM campaigns_cardproduct p WHERE p.code = l.product
        ORDER BY p.first_year DESC LIMIT 1),
       pieces, revenue, cost, '', '', 'done', '', %(source)s, line, now()
FROM order_lines l ORDER BY season_id, customer_id, line
ON CONFLICT DO NOTHING RETURNING line"""
EQUAL_LINES = """
SELECT count(*) FROM staging s
JOIN customers_customer c ON c.office_id = %s AND c.code = s.code
WHERE EXISTS (SELECT 1 FROM campaigns_cardorder o WHERE o.customer_id = c.id
    AND o.ordered_on = s.posted_on AND o.pieces = s.pieces AND o.revenue = s.revenue)"""


def seasons_for(office: Office, code: str = "") -> list[int]:
    """Ids of the seasons that take orders of an office: its own and those above it."""
    rows = Season.objects.filter(office__path__in=ancestry(office))
    rows = rows.exclude(state=Season.State.CLOSED)
    return list((rows.filter(code=code) if code else rows).values_list("pk", flat=True))


def load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    """Put checked orders in, in the caller's transaction; make customers that are new.

    Lines outside every open season are rejected before a customer is made of them. Cost:
    one COPY and seven statements a chunk, whatever its length.
    """
    if not lines:
        return Loaded([], 0)
    seasons = seasons_for(run.office, run.options.get("season", ""))
    kept, rejected = _in_season(lines, columns, seasons)
    values = {"office": run.office.pk, "seasons": seasons, "source": run.source_id}
    with connection.cursor() as cursor:
        _stage(cursor, kept, columns)
        created = usage_import.create_customers(
            cursor, run, are_named="name" in columns
        )
        cursor.execute(CHOOSE, values)
        cursor.execute(NO_PRODUCT)
        rejected += [(line, "product", "no_product") for (line,) in cursor.fetchall()]
        cursor.execute(INSERT, values)
        imported = sorted(line for (line,) in cursor.fetchall())
        cursor.execute("DROP TABLE order_lines; TRUNCATE staging")
    return Loaded(imported, created, rejected)


def _in_season(
    lines: list[list], columns: list[str], seasons: list[int]
) -> tuple[list[list], list[tuple[int, str, str]]]:
    """Lines whose date lies in one of the seasons, and the others with the reason."""
    place = columns.index("ordered_on") + 1
    spans = [
        (f"{first}", f"{last}")
        for first, last in Season.objects.filter(pk__in=seasons).values_list(
            "first_day", "last_day"
        )
    ]
    kept, rejected = [], []
    for line in lines:
        if any(first <= line[place] <= last for first, last in spans):
            kept.append(line)
        else:
            rejected.append((line[0], "ordered_on", "season_days"))
    return kept, rejected


def _stage(cursor, lines: list[list], columns: list[str]) -> None:
    usage_import.stage(cursor, lines, [AS_USAGE.get(name, name) for name in columns])


def likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    """The share of these lines that equal stored orders of the office."""
    with transaction.atomic(), connection.cursor() as cursor:
        _stage(cursor, lines, columns)
        cursor.execute(EQUAL_LINES, [office.pk])
        equal = cursor.fetchone()[0]
        cursor.execute("TRUNCATE staging")
    return equal / len(lines)


def revert(run: Run, place: int) -> int | None:
    """Take the orders of a file back, then the customers that it made and nobody has used
    since."""
    rows = CardOrder.objects.filter(source_id=run.source_id)
    rows.exclude(season__state=Season.State.CLOSED).delete()  # those stay as they were
    take_back_customers(run.batch_id)
    return None


TARGET = Target("orders", _("Card orders"), COLUMNS, load, likeness, revert)
