"""Check digits, lunar dates, addresses: pure arithmetic against published values."""

from datetime import date, timedelta

import pytest
from borax.calendars.lunardate import LunarDate
from hypothesis import given
from hypothesis import strategies as st

from crm import numbers
from crm.text import mask_address
from customers import addresses

TODAY = date(2026, 11, 22)


@pytest.mark.parametrize(
    ("code", "good"),
    [
        ("91420100MA4KMGEH6J", True),
        ("91420100ma4kmgeh6j", True),
        ("91420100MA4KMGEH6T", False),
        ("91420100MA4KMGEH6", False),
        ("9142010OMA4KMGEH6J", False),  # the letter O is no digit of it
    ],
)
def test_a_credit_code_is_judged_by_its_check_character(code, good):
    assert numbers.is_credit_code(code) is good


@pytest.mark.parametrize(
    ("number", "good"),
    [
        ("11010519491231002X", True),  # the example of GB 11643
        ("11010519491231002x", True),
        ("110105194912310021", False),
        ("110105194902300022", False),  # 30 February
        ("１１010519491231002X", False),
    ],
)
def test_an_id_number_is_judged_by_date_and_check_digit(number, good):
    assert numbers.is_id_number(number) is good


@pytest.mark.parametrize(
    ("on", "month", "day", "leap", "expected"),
    [
        ("2026-11-22", 1, 1, False, "2027-02-06"),  # Spring Festival 2027
        ("2026-01-01", 12, 30, False, "2026-02-16"),  # the 12th month has 29 days
        ("2025-07-25", 6, 1, True, "2025-07-25"),  # leap month of 2025
        ("2026-01-01", 6, 1, True, "2026-07-14"),  # none in 2026: the ordinary month
        ("2026-09-25", 8, 15, False, "2026-09-25"),  # Mid-Autumn
    ],
)
def test_lunar_birthdays_fall_on_the_known_days(on, month, day, leap, expected):
    found = numbers.next_lunar(date.fromisoformat(on), month, day, leap=leap)
    assert found == date.fromisoformat(expected)


@given(
    st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(1, 12), st.integers(1, 29)
)
def test_the_next_lunar_date_is_the_first_one_ahead(on, month, day):
    found = numbers.next_lunar(on, month, day)
    assert timedelta(0) <= found - on <= timedelta(days=385)
    lunar = LunarDate.from_solar(found)
    assert (lunar.month, lunar.day) == (month, day)


def test_the_29th_of_february_falls_back_to_the_28th():
    assert numbers.next_yearly(date(2026, 1, 1), 2, 29) == date(2026, 2, 28)
    assert numbers.next_yearly(date(2027, 3, 1), 2, 29) == date(2028, 2, 29)


@pytest.mark.parametrize(
    ("address", "region", "road", "number"),
    [
        ("湖北省武汉市武昌区中山路1号2栋303室", "420106", "中山路", "1号"),
        ("武漢市江漢區解放大道688-1號", "420103", "解放大道", "688-1号"),
        ("北京朝阳区建国路88号院", "110105", "建国路", "88号"),
        ("湖北仙桃市沔州大道12号", "429004", "沔州大道", "12号"),
        ("恩施市舞阳大道５号", "422801", "舞阳大道", "5号"),
        ("重庆市渝中区解放碑街道民族路100号", "500103", "解放碑街道民族路", "100号"),
    ],
)
def test_an_address_falls_into_its_parts(address, region, road, number):
    parsed = addresses.parse(address)
    assert (parsed.region, parsed.road, parsed.number) == (region, road, number)


def test_an_ambiguous_county_is_never_picked():
    parsed = addresses.parse("西湖区文三路1号")
    assert parsed.region == ""
    assert set(parsed.choices) == {"浙江省杭州市西湖区", "江西省南昌市西湖区"}
    assert addresses.grade("西湖区文三路1号", today=TODAY)[0] == "C"


def test_two_spellings_have_one_standard_form():
    one = addresses.parse("武汉武昌区中山路1号2栋")
    other = addresses.parse("湖北省 武漢市，武昌區中山路１號2栋")
    assert one.standard == other.standard == "湖北省武汉市武昌区中山路1号2栋"


@pytest.mark.parametrize(
    ("address", "postcode", "facts", "expected"),
    [
        ("武汉市武昌区中山路1号", "430060", {}, "B"),
        ("武汉市武昌区中山路1号", "430060", {"verified_on": TODAY}, "A"),
        ("武汉市武昌区中山路1号", "", {"verified_on": date(2025, 1, 1)}, "B"),
        ("武汉市武昌区中山路", "430060", {}, "C"),
        ("武汉市武昌区中山路1号", "100000", {}, "C"),  # a postcode of Beijing
        ("中山路1号", "", {}, "C"),
        ("武汉市武昌区中山路1号", "430060", {"returned": True}, "D"),
    ],
)
def test_quality_classes_follow_the_rules(address, postcode, facts, expected):
    assert addresses.grade(address, postcode, today=TODAY, **facts)[0] == expected


@pytest.mark.parametrize(
    "address",
    [
        "武汉市武昌区中山路1号2栋303室",
        "中山路1号东湖小区3栋",
        "宜昌市夷陵区樟村坪镇5组12号",
    ],
)
def test_a_masked_address_names_no_house(address):
    masked = mask_address(address)
    assert not any(sign.isdigit() for sign in masked)
    assert "303" not in masked
    assert masked.endswith("***")
