"""The columns of a customer file, and how their cells are checked."""

from django.utils.translation import gettext_lazy as _

from crm import text
from crm.numbers import is_credit_code, is_id_number
from crm.transfer.targets import (
    ROUNDED,
    Bad,
    Column,
    clean_choice,
    clean_day,
    clean_flag,
    clean_text,
    optional,
)
from customers.models import choices


def phone(cell: str) -> str:
    raw = text.ascii_digits(cell)
    if not raw:
        return ""
    if ROUNDED.fullmatch(raw):
        raise Bad("rounded")
    normal = text.normalise_phone(raw)
    if not normal or normal in text.SHORT_NUMBERS:
        raise Bad("phone")
    return normal


def credit_code(cell: str) -> str:
    code = text.ascii_digits(cell).upper()
    if ROUNDED.fullmatch(code):
        raise Bad("rounded")
    if code and not is_credit_code(code):
        raise Bad("credit_code")
    return code


def _id_number(cell: str) -> str:
    number = text.ascii_digits(cell).upper()
    if ROUNDED.fullmatch(number):
        raise Bad("rounded")
    if number and not is_id_number(number):
        raise Bad("id_number")
    return number


def _postcode(cell: str) -> str:
    code = text.ascii_digits(cell)
    if code and not (code.isdigit() and len(code) == 6):
        raise Bad("postcode")
    return code


COLUMNS = (
    Column(
        "code",
        _("Customer code"),
        clean_text(40),
        False,
        ("customer_id", "code", "客户代码", "客户编号", "客户号"),
    ),
    Column(
        "name",
        _("Customer name"),
        clean_text(120, required=True),
        True,
        ("customer_name", "customer", "客户名称", "单位名称", "姓名", "名称"),
        is_personal=True,
    ),
    Column("kind", _("Kind"), clean_choice(choices.Kind), False, ("类型", "性质")),
    Column(
        "segment", _("Segment"), clean_choice(choices.Segment), False, ("客户类别",)
    ),
    Column(
        "phone",
        _("Phone"),
        phone,
        False,
        ("tel", "mobile", "电话", "手机", "联系电话", "手机号", "手机号码"),
        is_personal=True,
    ),
    Column(
        "phone2",
        _("Second phone"),
        phone,
        False,
        ("电话2", "备用电话"),
        is_personal=True,
    ),
    Column(
        "address",
        _("Address"),
        clean_text(200),
        False,
        ("地址", "详细地址", "单位地址"),
        is_personal=True,
    ),
    Column("postcode", _("Postcode"), _postcode, False, ("邮编", "邮政编码")),
    Column(
        "credit_code",
        _("Credit code"),
        credit_code,
        False,
        ("统一社会信用代码", "信用代码"),
    ),
    Column(
        "id_number",
        _("ID number"),
        _id_number,
        False,
        ("身份证", "身份证号"),
        is_personal=True,
    ),
    Column(
        "contract_id",
        _("Number in the contract-customer system"),
        clean_text(60),
        False,
        ("协议客户编号", "协议客户系统编号"),
    ),
    Column(
        "dispatch_id",
        _("Number in 11183 pickup dispatch"),
        clean_text(60),
        False,
        ("11183编号", "派揽编号"),
    ),
    Column(
        "alias",
        _("Also called"),
        clean_text(60),
        False,
        ("简称", "别名"),
        is_personal=True,
    ),
    Column("nature", _("Nature"), clean_choice(choices.Nature), False, ("企业性质",)),
    Column("industry", _("Industry"), clean_choice(choices.Industry), False, ("行业",)),
    Column("size", _("Size"), clean_choice(choices.Size), False, ("规模",)),
    Column("is_headquarters", _("Headquarters"), clean_flag, False, ("总部",)),
    Column(
        "manager",
        _("Customer manager (user name)"),
        clean_text(60),
        False,
        ("客户经理",),
    ),
    Column(
        "verified_on", _("Last verified"), optional(clean_day), False, ("核实日期",)
    ),
)
