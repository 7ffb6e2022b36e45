"""Value of customers: histories from the ledger, fits, expectations, RFM scores.

Sources: domain.md 5.4 (RFM inside segment and prefecture, ties by rank, fixed cut points
under five customers), R-CUS-36, R-GRD-14…17; the models are in lifetime.py.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import connection

from crm.jobs.models import Job
from crm.org.models import Office
from customers import lifetime
from customers.models import Customer, CustomerValue, ValueFit, ValueTally
from customers.models.value import AT_RISK
from customers.shards import offices_in, spread

FIT_MOST = 50_000  # customers that a fit reads; more do not move its third figure
CHUNK = 5_000
YEAR, WEEKS_12, WEEKS_36 = 365, 365 / 7, 3 * 365 / 7
DISCOUNT = 0.1  # a year, on what is expected later (own judgement)

# A purchase day is one with a line that is no refund; its money is all its lines.
DAYS = """
WITH days AS (
    SELECT s.id, u.posted_on AS day, sum(u.revenue) AS revenue
    FROM customers_usage u JOIN customers_customer c ON c.id = u.customer_id
    JOIN customers_customer s ON s.id = coalesce(c.merged_into_id, c.id)
    WHERE u.posted_on <= %(until)s AND {which}
    GROUP BY s.id, u.posted_on HAVING bool_or(u.revenue >= 0))
SELECT id, min(day), max(day), count(*), sum(revenue),
       (array_agg(revenue ORDER BY day))[1],
       count(*) FILTER (WHERE day > %(year)s),
       count(DISTINCT date_trunc('month', day)) FILTER (WHERE day > %(year)s),
       coalesce(sum(revenue) FILTER (WHERE day > %(year)s), 0)
FROM days GROUP BY id ORDER BY id"""
IN_OFFICE = "s.office_id = ANY(%(offices)s)"
IN_CHUNK = "c.id = ANY(%(members)s)"


@dataclass(frozen=True)
class Histories:
    """Columns over customers, ordered by id. `x`, `t_x`, `T` as in lifetime.py, in weeks;
    `mean` is revenue a repeat day, 0 without one."""

    ids: list[int]
    first: list[date]
    last: list[date]
    x: np.ndarray
    t_x: np.ndarray
    T: np.ndarray
    mean: np.ndarray
    days_12: list[int]
    months_12: list[int]
    revenue_12: list[Decimal]

    def __len__(self) -> int:
        return len(self.ids)

    def sample(self, most: int) -> tuple[np.ndarray, ...]:
        """x, t_x, T and mean of at most `most` customers, taken evenly."""
        every = -(-len(self) // most) or 1
        return self.x[::every], self.t_x[::every], self.T[::every], self.mean[::every]


def _histories(until: date, which: str, params: dict[str, Any]) -> Histories:
    year = until - timedelta(days=YEAR)
    with connection.cursor() as cursor:
        cursor.execute(
            DAYS.format(which=which), {**params, "until": until, "year": year}
        )
        rows = cursor.fetchall()
    columns: list[Any] = list(zip(*rows, strict=True)) or [()] * 9
    ids, first, last, count, total, opening, days_12, months_12, revenue_12 = columns
    x = np.array(count, float) - 1
    later = np.array(
        [float(t - o) for t, o in zip(total, opening, strict=True)], dtype=float
    )
    return Histories(
        list(ids),
        list(first),
        list(last),
        x,
        np.array([(b - a).days / 7 for a, b in zip(first, last, strict=True)], float),
        np.array([(until - a).days / 7 for a in first], float),
        np.where(x > 0, later / np.maximum(x, 1), 0.0),
        list(days_12),
        list(months_12),
        list(revenue_12),
    )


def histories_of(office: Office, until: date) -> Histories:
    """Customers of an office and below with a purchase up to a day. One query over lines."""
    offices = Office.objects.filter(path__startswith=office.path)
    ids = list(offices.values_list("pk", flat=True))
    return _histories(until, IN_OFFICE, {"offices": ids})


def fit(office: Office, until: date, found: Histories | None = None) -> ValueFit:
    """Fit both models to an office's customers and keep the fit; again renews it."""
    found = histories_of(office, until) if found is None else found
    facts: dict[str, Any] = dict.fromkeys(
        ["r", "alpha", "a", "b", "log_likelihood", "p", "q", "gamma"]
    )
    facts |= {"customers": len(found), "repeaters": int((found.x > 0).sum())}
    x, t_x, weeks, mean = found.sample(FIT_MOST)
    try:
        often = lifetime.fit_bg_nbd(x, t_x, weeks)
        is_flat = lifetime.is_flat(often.r, often.a, often.b)
        facts |= vars(often) | {"problem": "flat" if is_flat else ""}
        facts |= vars(lifetime.fit_gamma_gamma(x, mean))
    except lifetime.NoFit as none:
        facts["problem"] = str(none)
    made, _new = ValueFit.objects.update_or_create(
        office=office, until=until, defaults=facts
    )
    return made


def models_of(
    made: ValueFit,
) -> tuple[lifetime.BgNbd | None, lifetime.GammaGamma | None]:
    """The stored fit as the models that it stands for."""
    often = much = None
    if made.log_likelihood is not None:
        names = ("r", "alpha", "a", "b", "log_likelihood")
        often = lifetime.BgNbd(*(getattr(made, name) for name in names))
    if made.p is not None:
        much = lifetime.GammaGamma(*(getattr(made, n) for n in ("p", "q", "gamma")))
    return often, much


def expected(made: ValueFit, found: Histories, weeks: float) -> np.ndarray:
    """Purchase days that each customer is expected to have in the next `weeks`; none
    without a fit."""
    often, _much = models_of(made)
    if often is None:
        return np.zeros(len(found))
    return lifetime.expected_purchases(often, found.x, found.t_x, found.T, weeks)


# --- the nightly job --------------------------------------------------------------------


def spread_step(job: Job) -> bool:
    """Job: one job for each prefecture and one for what the province itself keeps, so that
    several workers share the night."""
    spread("customers.value", job)
    return True


def value_step(job: Job) -> bool:
    """Job: fit an office (first step), value its customers by chunks, then score them."""
    office = Office.objects.get(code=job.params["office"])
    until = date.fromisoformat(job.params["day"])
    place, offices = job.cursor.get("after"), offices_in(office)
    if place is None:
        made = fit(office, until, _histories(until, IN_OFFICE, {"offices": offices}))
        job.cursor = {"after": 0, "fit": made.pk}
        job.total_units = made.customers
        job.result = {"customers": made.customers, "problem": made.problem}
        return False
    rows = Customer.objects.filter(office__in=offices, merged_into=None, pk__gt=place)
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:CHUNK])
    if not ids:
        _score(offices, until)
        return True
    members = Customer.objects.filter(merged_into__in=ids).values_list("pk", flat=True)
    found = _histories(until, IN_CHUNK, {"members": [*ids, *members]})
    _store(ValueFit.objects.get(pk=job.cursor["fit"]), found, until)
    old = CustomerValue.objects.filter(customer__in=[*ids, *members])
    old.exclude(customer__in=found.ids).delete()  # merged, or its usage was taken back
    job.cursor = {**job.cursor, "after": ids[-1]}
    job.done_units += len(found)
    return False


def worth(made: ValueFit, found: Histories) -> dict[str, np.ndarray]:
    """alive, purchases_12, purchases_36, value_12, value_36 over customers; {} without a
    fit. Values are expected revenue, discounted by 10 % a year, year by year."""
    often, much = models_of(made)
    if often is None:
        return {}
    series = (found.x, found.t_x, found.T)
    yearly = [
        lifetime.expected_purchases(often, *series, WEEKS_12 * n) for n in (1, 2, 3)
    ]
    columns = {
        "alive": lifetime.probability_alive(often, *series),
        "purchases_12": yearly[0],
        "purchases_36": yearly[2],
    }
    if much is not None:
        spending = lifetime.expected_spending(much, found.x, found.mean)
        steps = np.diff(np.vstack([np.zeros(len(found)), *yearly]), axis=0)
        worth_by_year = [
            step * spending / (1 + DISCOUNT) ** (year + 0.5)
            for year, step in enumerate(steps)
        ]
        columns["value_12"] = worth_by_year[0]
        columns["value_36"] = sum(worth_by_year)
    return columns


def _store(made: ValueFit, found: Histories, until: date) -> None:
    columns = worth(made, found)
    rows = []
    for place, pk in enumerate(found.ids):
        row = CustomerValue(
            customer_id=pk,
            fit=made,
            until=until,
            purchase_days=int(found.x[place]) + 1,
            first_on=found.first[place],
            last_on=found.last[place],
            mean_spending=Decimal(f"{found.mean[place]:.2f}"),
            days_12=found.days_12[place],
            months_12=found.months_12[place],
            revenue_12=found.revenue_12[place],
        )
        for name, column in columns.items():
            figure = float(column[place])
            money = name.startswith("value")
            setattr(row, name, Decimal(f"{figure:.2f}") if money else figure)
        rows.append(row)
    kept = [f.name for f in CustomerValue._meta.concrete_fields if f.name not in KEPT]
    CustomerValue.objects.bulk_create(
        rows,
        update_conflicts=True,
        unique_fields=["customer"],
        update_fields=kept,
        batch_size=1000,
    )


KEPT = ("customer", "recency", "frequency", "money", "frequency_class", "value_class")

# Middle ranks: equal customers get equal scores, and all equal means a 3 for everybody.
# In groups under five a quintile says nothing: fixed cut points (domain.md 5.4).
SCORE = """
WITH ranked AS (
    SELECT v.customer_id, count(*) OVER g AS n, v.last_on, v.days_12, v.revenue_12,
           rank() OVER (g ORDER BY v.last_on) AS r_rank,
           count(*) OVER (PARTITION BY c.segment, v.last_on) AS r_peers,
           rank() OVER (g ORDER BY v.days_12) AS f_rank,
           count(*) OVER (PARTITION BY c.segment, v.days_12) AS f_peers,
           rank() OVER (g ORDER BY v.revenue_12) AS m_rank,
           count(*) OVER (PARTITION BY c.segment, v.revenue_12) AS m_peers
    FROM customers_customervalue v JOIN customers_customer c ON c.id = v.customer_id
    WHERE c.office_id = ANY(%(offices)s) AND c.merged_into_id IS NULL
    WINDOW g AS (PARTITION BY c.segment)),
scored AS (
    SELECT customer_id, days_12,
       CASE WHEN n >= 5 THEN 1 + floor(5 * (r_rank - 1 + (r_peers - 1) / 2.0) / n)
            ELSE 1 + (%(until)s - last_on <= 30)::int + (%(until)s - last_on <= 90)::int
               + (%(until)s - last_on <= 180)::int + (%(until)s - last_on <= 365)::int
       END AS r,
       CASE WHEN n >= 5 THEN 1 + floor(5 * (f_rank - 1 + (f_peers - 1) / 2.0) / n)
            ELSE 1 + (days_12 >= 4)::int + (days_12 >= 12)::int + (days_12 >= 24)::int
               + (days_12 >= 48)::int END AS f,
       CASE WHEN n >= 5 THEN 1 + floor(5 * (m_rank - 1 + (m_peers - 1) / 2.0) / n)
            ELSE 1 + (revenue_12 >= 1000)::int + (revenue_12 >= 10000)::int
               + (revenue_12 >= 50000)::int + (revenue_12 >= 200000)::int END AS m,
       EXISTS (SELECT 1 FROM customers_receivable b WHERE b.customer_id = ranked.customer_id
               AND b.paid < b.amount AND b.due_on < %(until)s - 90)::int AS owes
    FROM ranked),
classed AS (
    SELECT customer_id, r, f, m,
       CASE WHEN days_12 >= 48 THEN 'high' WHEN days_12 >= 12 THEN 'medium' ELSE 'low' END
           AS often,
       CASE WHEN m - owes >= 5 THEN 'high' WHEN m - owes >= 3 THEN 'medium' ELSE 'low' END
           AS worth
    FROM scored)
UPDATE customers_customervalue v
SET recency = r, frequency = f, money = m, frequency_class = often, value_class = worth
FROM classed k WHERE v.customer_id = k.customer_id
AND (v.recency, v.frequency, v.money, v.frequency_class, v.value_class)
    IS DISTINCT FROM (r, f, m, often, worth)"""
TALLY = """
INSERT INTO customers_valuetally
    (office_id, value_class, frequency_class, customers, at_risk, value_12, active,
     repeaters, months_12)
SELECT c.office_id, v.value_class, v.frequency_class, count(*),
       count(*) FILTER (WHERE v.alive < %(risk)s AND v.value_class <> 'low'),
       sum(v.value_12), count(*) FILTER (WHERE v.days_12 > 0),
       count(*) FILTER (WHERE v.days_12 > 1), coalesce(sum(v.months_12), 0)
FROM customers_customervalue v JOIN customers_customer c ON c.id = v.customer_id
WHERE c.office_id = ANY(%(offices)s) AND c.merged_into_id IS NULL AND c.erased_at IS NULL
GROUP BY 1, 2, 3"""


def _score(offices: list[int], until: date) -> None:
    """RFM scores and classes inside segment and prefecture; unchanged rows stay unwritten.

    Frequency: 48 purchase days in 12 months are high, 12 medium. Value: the money score,
    one lower for arrears over 90 days (R-GRD-15); 5 is high, 3 and 4 medium.
    """
    with connection.cursor() as cursor:
        cursor.execute(SCORE, {"offices": offices, "until": until})
        ValueTally.objects.filter(office__in=offices).delete()
        cursor.execute(TALLY, {"offices": offices, "risk": AT_RISK})
