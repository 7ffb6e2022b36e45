"""Finding customers that may be one: while somebody types, and over the whole base.

Never all pairs: candidates share an indexed value (phone, credit code, ID number, contract
number, standard address, pinyin of a company's core name); rapidfuzz compares the names
inside such a block. A value that more than BLOCK customers share tells nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from rapidfuzz import fuzz

from crm import text
from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.fields import blind_index
from crm.jobs.models import Job
from customers.models import Customer, DuplicatePair
from customers.models.choices import Kind
from customers.services import LOOKUPS_PER_HOUR, limit

BLOCK = 12
FETCH = 20_000
Reason = DuplicatePair.Reason
# How sure an equal value alone makes it, and how much an equal name adds.
SURENESS = {
    Reason.CREDIT_CODE: 95,
    Reason.ID_NUMBER: 95,
    Reason.CONTRACT: 85,
    Reason.PHONE: 60,
    Reason.ADDRESS: 75,
    Reason.NAME: 70,
}
LIKE_NAME = 80  # rapidfuzz ratio from which two names are alike
LIKE_CORE = 92

PAIRS = """
WITH block AS (
    SELECT {value} AS value, array_agg(DISTINCT {customer}) AS ids
    FROM {table} WHERE {condition}
    GROUP BY 1 HAVING count(DISTINCT {customer}) BETWEEN 2 AND %(most)s)
SELECT a.id, b.id, a.name, b.name, a.kind, b.kind
FROM block JOIN customers_customer a ON a.id = ANY(block.ids)
JOIN customers_customer b ON b.id = ANY(block.ids) AND a.id < b.id
WHERE a.merged_into_id IS NULL AND b.merged_into_id IS NULL
  AND a.erased_at IS NULL AND b.erased_at IS NULL"""


@dataclass(frozen=True)
class Rule:
    """Which column of which table makes a block."""

    reason: str
    table: str
    customer: str
    value: str
    condition: str


OWN = "customers_customer"
RULES = (
    Rule(Reason.CREDIT_CODE, OWN, "id", "credit_code", "credit_code <> ''"),
    Rule(Reason.ID_NUMBER, OWN, "id", "id_index", "id_index IS NOT NULL"),
    Rule(Reason.CONTRACT, "customers_contract", "customer_id", "number", "true"),
    Rule(
        Reason.PHONE,
        "customers_customerphone",
        "customer_id",
        "number_index",
        "level = 'known' AND NOT is_invalid",
    ),
    Rule(
        Reason.ADDRESS,
        "customers_customeraddress",
        "customer_id",
        "text_index",
        "text_index IS NOT NULL AND quality IN ('A', 'B')",
    ),
    # Branches of one company in other places are not doubles: the office is in the value.
    Rule(
        Reason.NAME,
        OWN,
        "id",
        "(office_id, pinyin)",
        "kind = 'corporate' AND pinyin <> ''",
    ),
)
KEEP = """
INSERT INTO customers_duplicatepair (first_id, second_id, reasons, score, state, seen_at)
SELECT unnest(%(firsts)s), unnest(%(seconds)s), ARRAY[%(reason)s], unnest(%(scores)s), 'open',
       %(seen_at)s
ON CONFLICT (first_id, second_id) DO UPDATE SET
    reasons = CASE WHEN %(reason)s = ANY(customers_duplicatepair.reasons)
        THEN customers_duplicatepair.reasons
        ELSE customers_duplicatepair.reasons || ARRAY[%(reason)s]::varchar[] END,
    score = LEAST(99, GREATEST(customers_duplicatepair.score, excluded.score)
        + CASE WHEN %(reason)s = ANY(customers_duplicatepair.reasons) THEN 0 ELSE 4 END),
    seen_at = excluded.seen_at
WHERE customers_duplicatepair.state = 'open'"""


def alike(first: str, second: str, *, corporate: bool) -> int:
    """How alike two names are, 0 to 100; companies by the core of their names."""
    shape = text.company_core if corporate else text.fold
    return round(fuzz.ratio(shape(first), shape(second)))


def score(reason: str, likeness: int, *, named: bool) -> int:
    """How sure a pair is of 100, or 0 when the reason needs a like name and has none."""
    if reason == Reason.ADDRESS and likeness < LIKE_NAME:
        return 0
    if reason == Reason.NAME and likeness < LIKE_CORE:
        return 0
    if reason == Reason.PHONE and named:
        return 90 if likeness >= LIKE_NAME else 40  # several people on one number
    return SURENESS[Reason(reason)]


def sweep_step(job: Job) -> bool:
    """Job: one rule over the whole base a step; pairs that no rule finds any more go.

    Cost: a hash aggregate over one column and a COPY-sized insert of its pairs.
    """
    place = job.cursor.get("rule", 0)
    job.total_units = len(RULES)
    started = job.created_at
    if place < len(RULES):
        found = _sweep(RULES[place], started)
        job.cursor = {"rule": place + 1}
        job.done_units = place + 1
        job.result = {**job.result, RULES[place].reason: found}
        return False
    stale = DuplicatePair.objects.filter(state="open", seen_at__lt=started)
    stale.delete()
    job.result = {
        **job.result,
        "open": DuplicatePair.objects.filter(state="open").count(),
    }
    audit.record(job.actor, "duplicates.swept", details=job.result)
    return True


def _sweep(rule: Rule, seen_at) -> int:
    """Keep the pairs of one rule; return how many rows they are."""
    sql = PAIRS.format(
        value=rule.value,
        customer=rule.customer,
        table=rule.table,
        condition=rule.condition,
    )
    kept = 0
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '128MB'")
        cursor.execute(f"DECLARE pairs NO SCROLL CURSOR FOR {sql}", {"most": BLOCK})
        while True:
            cursor.execute(f"FETCH {FETCH} FROM pairs")
            rows = cursor.fetchall()
            if not rows:
                break
            good = list(_scored(rule.reason, rows))
            if good:
                firsts, seconds, scores = zip(*good, strict=True)
                values = {
                    "firsts": list(firsts),
                    "seconds": list(seconds),
                    "scores": list(scores),
                    "reason": str(rule.reason),
                    "seen_at": seen_at,
                }
                cursor.execute(KEEP, values)
            kept += len(good)
        cursor.execute("CLOSE pairs")
    return kept


def _scored(reason: str, rows: list[tuple]) -> Iterator[tuple[int, int, int]]:
    for first, second, name, other, kind, other_kind in rows:
        corporate = kind == other_kind == Kind.CORPORATE
        named = bool(name and other)
        sure = score(reason, alike(name, other, corporate=corporate), named=named)
        if sure:
            yield first, second, sure


def likely(
    *,
    name: str = "",
    kind: str = Kind.CORPORATE,
    phone: str = "",
    credit_code: str = "",
    id_number: str = "",
    most: int = 5,
) -> QuerySet[Customer]:
    """Customers of any office that may be the one being typed in, unmerged.

    SECURITY: outside visible_to on purpose: the caller shows what its reader may see and
    only counts the rest (anchors.md 2.4).
    """
    wanted = Q(pk__in=[])
    if normal := text.normalise_phone(phone):
        wanted |= Q(phones__number_index=blind_index(normal))
    if credit_code:
        wanted |= Q(credit_code=credit_code.upper())
    if id_number:
        wanted |= Q(id_index=blind_index(id_number.upper()))
    core = text.company_core(name) if kind == Kind.CORPORATE else text.fold(name)
    if len(core) >= (3 if kind == Kind.CORPORATE else 2):
        full, _initials = text.pinyin_of(core)
        same = Q(pinyin=full[:200], kind=kind)
        wanted |= same if kind == Kind.CORPORATE else same & Q(name=name)
    rows = Customer.objects.filter(wanted, merged_into=None).distinct()
    return rows.select_related("office", "manager")[:most]


@transaction.atomic
def look_for_likely(*, by: User, **typed: Any) -> list[Customer]:
    """likely() for the screen. Personal values are looked up outside one's offices, so such
    a look is audited and limited like one by phone: Refused("likely.too_many")."""
    is_person = typed.get("kind") == Kind.INDIVIDUAL and typed.get("name")
    if typed.get("phone") or typed.get("id_number") or is_person:
        limit(by, "customer.likely_looked_up", LOOKUPS_PER_HOUR, "likely.too_many")
        found = list(likely(**typed))
        details = {"found": [customer.pk for customer in found]}
        audit.record(by, "customer.likely_looked_up", details=details)
        return found
    return list(likely(**typed))


@transaction.atomic
def decide_different(pair: DuplicatePair, *, by: User) -> None:
    """Two customers are two: the pair leaves the queue for good."""
    row = DuplicatePair.objects.select_for_update().get(pk=pair.pk)
    for customer in (row.first, row.second):
        require(by, "customer.merge", customer.office)
    row.state, row.decided_by, row.decided_at = "different", by, now()
    row.save(update_fields=["state", "decided_by", "decided_at"])
    details = {"other": row.second_id}
    audit.record(
        by, "duplicate.different", row.first, office=row.first.office, details=details
    )


def queue(user: User) -> QuerySet[DuplicatePair]:
    """Open pairs of which `user` sees both sides, the surest first."""
    visible = Customer.objects.visible_to(user).values("pk")
    pairs = DuplicatePair.objects.filter(state="open")
    return pairs.filter(first__in=visible, second__in=visible)


def elsewhere(user: User) -> int:
    """How many open pairs have one side outside the reader's offices: counted, not shown."""
    visible = Customer.objects.visible_to(user).values("pk")
    one = Q(first__in=visible) ^ Q(second__in=visible)
    return DuplicatePair.objects.filter(one, state="open")[:1001].count()
