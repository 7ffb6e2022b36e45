"""One box: what was typed is taken for every kind of thing it can be, the surest first.

Source: issue "Customers", point 4; anchors.md 2.2 and 2.12. Each kind is one indexed
query inside the reader's own scope; nothing is ordered by the database, so a name that a
hundred thousand customers share costs no more than a rare one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from crm import text
from crm.access.models import User
from crm.fields import blind_index
from crm.numbers import is_credit_code, is_id_number
from customers.models import Customer, CustomerPhone, UsageRef
from customers.models.contacts import LAST_DIGITS, last_index

MOST = 50
CANDIDATES = 100  # rows of one kind that are looked at
LAST_CANDIDATES = 2000  # numbers that share their last four digits

PUNCTUATION = str.maketrans("", "", " -+()")

PHONE, ENDING = _("phone"), _("end of the phone")
MAYBE_PHONE = _("phone seen in a complaint")
PERSON = _("contact person")
CODE, NAME, ALIAS = _("customer code"), _("name"), _("also called")
PINYIN, INITIALS = _("pinyin"), _("initials")
CONTRACT, EXTERNAL = _("contract number"), _("number in another system")
WAYBILL, CREDIT = _("waybill"), _("credit code")
ID_NUMBER = _("ID number")


@dataclass(frozen=True)
class Hit:
    """A customer (as for_list gives it), why it was found, and how sure that is."""

    customer: Customer
    reason: Any
    rank: int  # the lower the surer


def find(user: User, query: str, most: int = MOST) -> list[Hit]:
    """Visible customers for what was typed, best first, `most` at most.

    Cost: one query a kind that the text can be (2 to 6), one for the rows.
    """
    query = text.ascii_digits(query)
    scope = Customer.objects.visible_to(user)
    reasons: dict[int, tuple[int, Any]] = {}
    for rank, (pks, reason) in enumerate(_kinds(scope, query)):
        for pk in pks:
            reasons.setdefault(pk, (rank, reason))
        if len(reasons) >= most:
            break
    best = sorted(reasons, key=lambda pk: reasons[pk][0])[:most]
    rows = Customer.objects.for_list().in_bulk(best)
    hits = [Hit(row, reasons[pk][1], reasons[pk][0]) for pk, row in rows.items()]
    hits.sort(key=lambda hit: (hit.rank, hit.customer.pinyin, hit.customer.pk))
    return hits


def ending_of(query: str) -> str:
    """The digits, when what was typed is taken for the end of a phone; else ""."""
    digits = text.ascii_digits(query).translate(PUNCTUATION)
    is_ending = digits.isascii() and digits.isdigit()
    return digits if is_ending and LAST_DIGITS <= len(digits) < 11 else ""


def _kinds(scope: QuerySet, query: str) -> Iterator[tuple[list[int], Any]]:
    """(customer ids, reason) for each kind of thing the query can be, the surest first."""
    folded = text.fold(query)
    if not folded:
        return
    digits = query.translate(PUNCTUATION)
    if digits.isascii() and digits.isdigit():
        yield from _by_phone(scope, query, digits)
    if folded.isascii() and len(folded) >= 3:
        yield from _by_number(scope, query)
    if folded.isascii() and folded.isalpha():
        yield _some(scope.filter(initials=folded)), INITIALS
        yield _some(scope.filter(initials__startswith=folded)), INITIALS
        yield _some(scope.filter(pinyin__startswith=folded)), PINYIN
    if not digits.isdigit():
        yield from _by_name(scope, query, folded)


def _some(rows: QuerySet) -> list[int]:
    return list(rows.order_by().values_list("pk", flat=True)[:CANDIDATES])


def _by_phone(scope: QuerySet, query: str, digits: str) -> Iterator:
    levels = CustomerPhone.Level
    normal = text.normalise_phone(query)
    numbers = CustomerPhone.objects.filter(customer__in=scope)
    if normal:
        exact = numbers.filter(number_index=blind_index(normal))
        found = list(exact.values_list("customer", "level")[:CANDIDATES])
        yield [pk for pk, level in found if level == levels.KNOWN], PHONE
        yield [pk for pk, level in found if level == levels.MAYBE], MAYBE_PHONE
    if ending_of(query):
        ends = numbers.filter(last_index=last_index(digits)).order_by()
        pairs = ends.values_list("customer", "number")[:LAST_CANDIDATES]
        yield [pk for pk, number in pairs if number.endswith(digits)], ENDING


def _by_number(scope: QuerySet, query: str) -> Iterator:
    """Codes and numbers are exact, but the customer's code may be its beginning."""
    code = query.strip()
    upper = code.upper()
    yield _some(scope.filter(code__in={code, upper})), CODE
    yield _some(scope.filter(contracts__number__in={code, upper})), CONTRACT
    yield _some(scope.filter(external_ids__value__in={code, upper})), EXTERNAL
    refs = UsageRef.objects.filter(ref__in={code, upper})
    owners = list(refs.exclude(customer_id=None).values_list("customer_id", flat=True))
    if owners:
        yield _some(scope.filter(Q(pk__in=owners) | Q(merged__in=owners))), WAYBILL
    if is_credit_code(upper):
        yield _some(scope.filter(credit_code=upper)), CREDIT
    if is_id_number(upper):
        yield _some(scope.filter(id_index=blind_index(upper))), ID_NUMBER
    prefix = Q(code__startswith=code) | Q(code__startswith=upper)
    yield _some(scope.filter(prefix)), CODE


def _by_name(scope: QuerySet, query: str, folded: str) -> Iterator:
    if len(folded) < 2:
        yield _some(scope.filter(name__startswith=query)), NAME
        return
    yield _some(scope.filter(name=query)), NAME
    yield _some(scope.filter(contacts__name=query)), PERSON
    yield _some(scope.filter(name__startswith=query)), NAME
    pairs = text.bigrams(folded)
    rows = scope.filter(name_bigrams__contains=pairs).order_by()
    found = list(rows.values_list("pk", "name", "aliases")[:CANDIDATES])
    # Pairs of neighbours can stand apart or in two names: the whole text must be there.
    yield [pk for pk, name, _more in found if folded in text.fold(name)], NAME
    yield (
        [
            pk
            for pk, _name, aliases in found
            if any(folded in text.fold(alias) for alias in aliases)
        ],
        ALIAS,
    )
