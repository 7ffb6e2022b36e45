"""The columns of a ledger of items, and how their cells are checked."""

from dataclasses import replace

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.transfer.targets import Column, clean_choice, clean_text, optional
from delivery.models import Cause, Method, Outcome, Relation
from delivery.quality import cells

TEXT = optional(clean_text(40))
COLUMNS = (
    Column(
        "waybill",
        _("Waybill"),
        cells.clean_waybill,
        True,
        ("邮件号", "运单号", "mail_no"),
        is_unique=True,
    ),
    Column(
        "accepted_at", _("Accepted at"), cells.moment(), False, ("收寄时间", "揽收时间")
    ),
    Column(
        "promised_at",
        _("Promised until"),
        cells.moment(ahead=cells.PROMISES, is_day_whole=True),
        False,
        ("承诺时间", "承诺送达"),
    ),
    Column(
        "attempted_at", _("First attempt at"), cells.moment(), False, ("首次投递时间",)
    ),
    Column("attempts", _("Attempts"), cells.clean_small(99), False, ("投递次数",)),
    Column(
        "delivered_at",
        _("Delivered at"),
        cells.moment(),
        False,
        ("妥投时间", "签收时间"),
    ),
    Column("returned_at", _("Came back at"), cells.moment(), False, ("退回时间",)),
    Column(
        "return_cause",
        _("Returned because of"),
        clean_choice(Cause),
        False,
        ("退回原因",),
    ),
    Column("outcome", _("What went wrong"), clean_choice(Outcome), False, ("异常",)),
    Column(
        "product", _("Product"), optional(clean_text(20)), False, ("产品", "业务种类")
    ),
    Column("relation", _("Relation"), clean_choice(Relation), False, ("流向",)),
    Column(
        "from_region",
        pgettext_lazy("route", "From"),
        TEXT,
        False,
        ("寄出地", "收寄地", "origin"),
    ),
    Column(
        "to_region", _("Destination"), TEXT, False, ("寄达地", "目的地", "destination")
    ),
    Column("customer", _("Customer code"), TEXT, False, ("客户代码", "大客户代码")),
    Column("accepting", _("Accepting office"), TEXT, False, ("收寄机构", "收寄局")),
    Column("office", _("Delivering office"), TEXT, False, ("投递机构", "投递局")),
    Column("courier", _("Courier"), TEXT, False, ("投递员", "快递员", "courier")),
    Column(
        "method",
        pgettext_lazy("item", "How it was handed out"),
        clean_choice(Method),
        False,
        ("投递方式", "妥投方式"),
    ),
    Column(
        "requirement",
        _("Requirement of the customer"),
        optional(clean_text(60)),
        False,
        ("投递要求",),
    ),
    Column(
        "requirement_met",
        _("Requirement met"),
        cells.clean_yes_no,
        False,
        ("要求是否满足",),
    ),
    Column(
        "ratings", _("Ratings, 1 to 5"), cells.clean_ratings, False, ("满意度", "评分")
    ),
    Column(
        "status",
        pgettext_lazy("item", "Status"),
        optional(clean_text(20)),
        False,
        ("状态",),
    ),
    Column(
        "version",
        pgettext_lazy("item", "Version"),
        cells.clean_small(30000),
        False,
        ("版本",),
    ),
)


def _by_days() -> tuple[Column, ...]:
    """The same columns for market places: any order number, times with the month first."""
    checks = {
        "waybill": cells.clean_reference,
        "promised_at": cells.moment(cells.MONTH_FIRST, ahead=cells.PROMISES),
    }
    moments = {"accepted_at", "attempted_at", "delivered_at", "returned_at"}
    checks |= dict.fromkeys(moments, cells.moment(cells.MONTH_FIRST))
    return tuple(
        replace(column, check=checks.get(column.name, column.check))
        for column in COLUMNS
    )


ORDER_COLUMNS = _by_days()
