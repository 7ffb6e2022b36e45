"""What every search and every screen does to text; pure.

Phones are compared as E.164 digits, names by pinyin, initials and bigrams of the
simplified, core form. Masks follow GB/T 41833-2022: a name keeps one character, a phone
hides at least six digits.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import phonenumbers
from opencc import OpenCC
from pypinyin import Style, lazy_pinyin
from pypinyin.seg.mmseg import seg as mmseg

SHORT_NUMBERS = {"11183", "11185", "95580", "12305", "12315", "12345", "110"}
# Surnames that read otherwise than the common word (pypinyin takes the common word).
SURNAMES = {
    "单": "shan",
    "仇": "qiu",
    "曾": "zeng",
    "解": "xie",
    "区": "ou",
    "查": "zha",
}
COMPANY_TAILS = re.compile(
    r"(股份有限公司|有限责任公司|有限公司|股份公司|总公司|分公司|公司|集团|厂|店|商行|经营部|工作室)+$"
)
MOBILE = re.compile(r"1[3-9]")
WHOLE_MOBILE = re.compile(r"1[3-9][0-9]{9}")
LATIN = re.compile(r"[\x00-\x7f]")
LONG_DIGITS = re.compile(r"\d{7,}")
PLACES = re.compile(
    r"^(中国|湖北省?|武汉市?|宜昌市?|襄阳市?|荆州市?|十堰市?|鄂州市?|黄冈市?|咸宁市?|孝感市?|荆门市?|黄石市?|随州市?|恩施州?|仙桃市?|潜江市?|天门市?)+"
)


@lru_cache(maxsize=1)
def _simplifier() -> OpenCC:
    return OpenCC("t2s")


@lru_cache(maxsize=4096)  # COST: a name is folded for its core, its pairs and its kind
def fold(text: str) -> str:
    """NFKC, simplified characters, lower case, no spaces: two spellings become one."""
    return re.sub(
        r"\s+", "", _simplifier().convert(unicodedata.normalize("NFKC", text))
    ).lower()


def ascii_digits(text: str) -> str:
    """Full-width digits and signs as their ASCII twins, trimmed."""
    if text.isascii():
        return text.strip()
    return unicodedata.normalize("NFKC", text).strip()


def normalise_phone(text: str, region: str = "CN") -> str:
    """E.164 ("+8613800138000"), a short service number as it is, or "" if it is neither."""
    cleaned = ascii_digits(text)
    if region == "CN" and WHOLE_MOBILE.fullmatch(cleaned):
        return f"+86{cleaned}"
    digits = re.sub(r"\D", "", cleaned)
    if digits in SHORT_NUMBERS:
        return digits
    try:
        parsed = phonenumbers.parse(cleaned, region)
    except phonenumbers.NumberParseException:
        return ""
    if not phonenumbers.is_possible_number(parsed):
        return ""
    national = str(parsed.national_number)
    if parsed.country_code == 86 and MOBILE.match(national) and len(national) != 11:
        return ""  # a mobile number with a digit too many or too few
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def is_mobile(number: str) -> bool:
    """Whether a normalised number is a Chinese mobile one, which takes messages."""
    return number.startswith("+861") and len(number) == 14


def mask_phone(number: str) -> str:
    """`+8613800138000` → `138******00`: the first three and the last two digits stay."""
    digits = re.sub(r"\D", "", number)
    if number.startswith("+86"):
        digits = digits[2:]
    keep = 3 if len(digits) >= 11 else max(0, len(digits) - 8)
    hidden = len(digits) - keep - 2
    return (
        digits[:keep]
        + "*" * max(hidden, min(6, len(digits)))
        + digits[keep + max(hidden, 0) :]
    )


def written_phone(number: str) -> str:
    """A number as people write it here: without +86, with the area code's zero."""
    if not number.startswith("+86"):
        return number
    digits = number[3:]
    return digits if digits.startswith("1") and len(digits) == 11 else f"0{digits}"


def mask_name(name: str) -> str:
    """A person's name keeps its first character: `王秀英` → `王**`."""
    return name[:1] + "*" * max(1, len(name) - 1) if name else ""


# To the first road, else the village, else the county: what stands behind is a house.
ROAD = re.compile(r".*?(?:路|街|道|巷|弄|胡同)|.*?(?:村|镇|乡)|.*[区县市省]")


def mask_address(address: str) -> str:
    """Up to the road; number, building and room are hidden: `武汉市武昌区中山路***`."""
    if not address:
        return ""
    found = ROAD.match(address)
    return f"{found.group() if found else address[:3]}***"


@lru_cache(maxsize=20_000)
def _spoken(word: str) -> tuple[str, ...]:
    return tuple(lazy_pinyin(word, style=Style.NORMAL, errors="default"))


def _syllables(name: str) -> list[str]:
    """As lazy_pinyin gives them, word by word.

    COST: names are made of few words; remembered, they cost a tenth. Letters and digits
    stand together in a name and not in its words, so such names go the slow way.
    """
    if LATIN.search(name):
        return list(_spoken.__wrapped__(name))
    return [part for word in mmseg.cut(name) for part in _spoken(word)]


def pinyin_of(name: str, *, is_name: bool = True) -> tuple[str, str]:
    """(full, initials) in lower ASCII letters: `王秀英` → ("wangxiuying", "wxy"). A name
    begins with a surname, which some characters read differently; a word does not."""
    syllables = _syllables(name)
    if is_name and name[:1] in SURNAMES and len(name) <= 4:
        syllables[0] = SURNAMES[name[0]]
    letters = [re.sub(r"[^a-z0-9]", "", part.lower()) for part in syllables]
    full = "".join(letters)
    initials = "".join(part if part.isdigit() else part[:1] for part in letters)
    return full, initials


def bigrams(name: str) -> list[str]:
    """The pairs of neighbouring characters of the folded name: what two characters match."""
    folded = fold(name)
    if len(folded) < 2:
        return [folded] if folded else []
    return sorted({folded[i : i + 2] for i in range(len(folded) - 1)})


def is_company(name: str) -> bool:
    """Whether a name ends like a company's."""
    return bool(COMPANY_TAILS.search(fold(name)))


def safe_cell(cell: str) -> str:
    """SECURITY: what a spreadsheet would take for a formula gets a quote before it."""
    return f"'{cell}" if cell[:1] in "=+-@\t\r＝＋－＠" and cell else cell


def star_digits(text: str) -> str:
    """Runs of seven or more digits keep their first two: they may be phones or ids."""
    return LONG_DIGITS.sub(lambda found: found.group()[:2] + "*" * 6, text)


def company_core(name: str) -> str:
    """The telling part of a company's name: `武汉市邮科电子有限公司` → `邮科电子`."""
    folded = re.sub(r"[()（）].*?[()（）]", "", fold(name))
    core = COMPANY_TAILS.sub("", PLACES.sub("", folded))
    return core or folded


def number_of(typed: str, otherwise: Any = None) -> Any:
    """A whole number as an address or a hidden field carries it; else `otherwise`."""
    is_number = typed.isascii() and typed.isdecimal() and len(typed) < 19
    return int(typed) if is_number else otherwise


def words_of(typed: str, most: int) -> str:
    """A line that somebody typed, as the database can keep it."""
    return typed.replace("\0", "").strip()[:most]
