"""What a customer is owed for a lost, damaged or late item, by rule and version; pure.

Source: domain.md 2.2. Each suggestion names its rule; a person decides. Amounts in yuan
with two places, rounded half up in the customer's favour.
"""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Regime(models.TextChoices):
    UNIVERSAL_SERVICE = "universal", _("Postal universal service")
    EXPRESS_INSURED = "express_insured", _("Express, insured")
    EXPRESS_UNINSURED = "express_uninsured", _("Express, not insured")
    ZHEJIANG = "zhejiang", _("Express in Zhejiang")


class Mail(models.TextChoices):
    ORDINARY = "ordinary", _("Ordinary mail")
    REGISTERED = "registered", _("Registered letter")
    RECORDED = "recorded", _("Parcel or other recorded mail")


class Damage(models.TextChoices):
    LOST = "lost", _("Lost or wholly destroyed")
    PART = "part", _("Damaged or short in part")
    DELAY = "delay", _("Late")


class Excuse(models.TextChoices):
    """Art. 48: what ends liability; insured items stay covered by force majeure."""

    FORCE = "force", _("Force majeure")
    NATURE = "nature", _("Nature of the goods, normal wear")
    CUSTOMER = "customer", _("Fault of sender or recipient")


class Rule(models.TextChoices):
    NONE = "none", pgettext_lazy("compensation", "No liability")
    ORDINARY = "ordinary", _("Ordinary mail: none, art. 46")
    INSURED_LOST = "insured_lost", _("Insured value, art. 47 (1)")
    INSURED_PART = "insured_part", _("Loss × insured ÷ total value, art. 47 (1)")
    TIMES_POSTAGE = (
        "times_postage",
        _("Actual loss, at most so many postages, art. 47 (2)"),
    )
    REGISTERED = "registered", _("Registered letter: so many postages, art. 47 (2)")
    AGREED = "agreed", _("Insurance as agreed, express regulation art. 27")
    CIVIL = "civil", _("Actual loss, civil law")
    DECLARED = "declared", _("Declared value, Zhejiang")
    PROVED = "proved", _("Proved value, Zhejiang")
    CHARGES = "charges", _("So many charges with a ceiling, Zhejiang")
    FEE_BACK = "fee_back", _("Postage back for a late item")


@dataclass(frozen=True)
class Version:
    """The numbers of the law as they stood from a day on."""

    code: str
    since: date
    uninsured_postages: int  # art. 47 (2)
    registered_postages: int
    zhejiang_charges: int
    zhejiang_ceiling: Decimal


VERSIONS = (
    # Postal law as amended 2015-04-24; Zhejiang's rule as found in 2026.
    Version("2015-04", date(2015, 4, 24), 3, 3, 10, Decimal(800)),
)


@dataclass(frozen=True)
class Case:
    """What happened to one item, money in yuan. Values that nobody knows are None."""

    regime: str
    damage: str
    postage: Decimal
    mail: str = Mail.RECORDED
    loss: Decimal | None = None  # actual, in part or whole
    insured: Decimal | None = None
    total: Decimal | None = None
    declared: Decimal | None = None
    excuse: str = ""
    on: date = date(2026, 1, 1)  # posted


@dataclass(frozen=True)
class Suggestion:
    """`ceiling` is what the rule gives at most, None where no rule limits it; more than
    that is an over-limit claim (超额异常赔偿)."""

    amount: Decimal
    ceiling: Decimal | None
    rule: str
    version: str


class Missing(ValueError):
    """A value without which the rule cannot be reckoned; `field` of Case."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def suggest(case: Case) -> Suggestion:
    """The amount by the rule that fits. Raises Missing."""
    version = next(v for v in reversed(VERSIONS) if v.since <= case.on)
    rule, amount, ceiling = _reckon(case, version)
    cents = amount.quantize(Decimal("0.01"), ROUND_HALF_UP)
    return Suggestion(cents, ceiling, rule, version.code)


def _reckon(case: Case, version: Version) -> tuple[str, Decimal, Decimal | None]:
    zero = Decimal(0)
    is_covered = case.insured is not None and case.excuse == Excuse.FORCE
    if case.excuse and not is_covered:
        return Rule.NONE, zero, zero
    if case.damage == Damage.DELAY:
        return Rule.FEE_BACK, case.postage, case.postage
    if case.regime == Regime.UNIVERSAL_SERVICE:
        return _universal(case, version)
    if case.regime == Regime.EXPRESS_INSURED:
        insured = _needed(case, "insured")
        return Rule.AGREED, _insured(case, insured), insured
    if case.regime == Regime.ZHEJIANG:
        return _zhejiang(case, version)
    loss = _needed(case, "loss")
    return Rule.CIVIL, loss, None


def _universal(case: Case, version: Version) -> tuple[str, Decimal, Decimal | None]:
    if case.mail == Mail.ORDINARY:
        return Rule.ORDINARY, Decimal(0), Decimal(0)
    if case.insured is not None:
        is_lost = case.damage == Damage.LOST
        rule = Rule.INSURED_LOST if is_lost else Rule.INSURED_PART
        return rule, _insured(case, case.insured), case.insured
    if case.mail == Mail.REGISTERED and case.damage == Damage.LOST:
        fixed = version.registered_postages * case.postage
        return Rule.REGISTERED, fixed, fixed
    most = version.uninsured_postages * case.postage
    return Rule.TIMES_POSTAGE, min(_needed(case, "loss"), most), most


def _insured(case: Case, insured: Decimal) -> Decimal:
    """Lost: the insured value; in part: the loss in the proportion insured, never more."""
    if case.damage == Damage.LOST:
        return insured
    total = _needed(case, "total")
    if total <= 0:
        raise Missing("total")
    return min(insured, _needed(case, "loss") * insured / total)


def _zhejiang(case: Case, version: Version) -> tuple[str, Decimal, Decimal | None]:
    if case.declared is not None:
        part = _needed(case, "loss") if case.damage == Damage.PART else case.declared
        return Rule.DECLARED, min(part, case.declared), case.declared
    if case.loss is not None:
        return Rule.PROVED, case.loss, case.loss
    most = min(version.zhejiang_charges * case.postage, version.zhejiang_ceiling)
    return Rule.CHARGES, most, most


def _needed(case: Case, field: str) -> Decimal:
    value: Decimal | None = getattr(case, field)
    if value is None:
        raise Missing(field)
    return value
