"""Phones, masks, pinyin, bigrams, company names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypinyin import lazy_pinyin

from crm import text


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        ("13800138000", "+8613800138000"),
        ("138 0013 8000", "+8613800138000"),
        ("１３８００１３８０００", "+8613800138000"),
        ("+86 138-0013-8000", "+8613800138000"),
        ("027-82345678", "+862782345678"),
        ("11183", "11183"),
        ("12", ""),
        ("not a phone", ""),
        ("", ""),
    ],
)
def test_a_phone_has_one_normal_form(typed, normal):
    assert text.normalise_phone(typed) == normal


@pytest.mark.parametrize(
    "number", ["+8613800138000", "+862782345678", "11183", "+85223456789"]
)
def test_a_masked_phone_hides_at_least_six_digits(number):
    masked = text.mask_phone(number)
    assert masked.count("*") >= min(6, len(number))
    assert number.lstrip("+") not in masked


def test_a_masked_name_keeps_one_character():
    assert text.mask_name("王秀英") == "王**"
    assert text.mask_name("王") == "王*"
    assert text.mask_name("") == ""


@given(st.text(min_size=2, max_size=30))
def test_a_mask_never_shows_a_second_character(name):
    assert set(text.mask_name(name)[1:]) == {"*"}


def test_pinyin_knows_surnames_that_read_otherwise():
    assert text.pinyin_of("王秀英") == ("wangxiuying", "wxy")
    assert text.pinyin_of("单小明")[0] == "shanxiaoming"
    assert text.pinyin_of("曾华")[1] == "zh"


def test_two_spellings_fold_to_one():
    assert text.fold("臺灣 郵政") == text.fold("台湾邮政")
    assert text.fold("ＡＢＣ") == "abc"


def test_the_core_of_a_company_name_is_what_tells_it_apart():
    assert text.company_core("武汉市邮科电子有限公司") == "邮科电子"
    assert text.company_core("湖北省长江商贸股份有限公司") == "长江商贸"
    assert text.company_core("公司") == "公司"


def test_bigrams_are_the_neighbouring_pairs():
    assert text.bigrams("长江电子") == sorted(["长江", "江电", "电子"])
    assert text.bigrams("王") == ["王"]


@pytest.mark.parametrize(
    "name",
    [
        "重庆银行长江支行",
        "朝阳区朝天门",
        "乐山音乐学院",
        "ABC科技12公司",
        "长沙长大集团",
    ],
)
def test_remembered_words_give_the_pinyin_of_the_whole(name):
    expected = "".join(lazy_pinyin(name, errors="default")).lower()
    for _time in range(2):
        assert text.pinyin_of(name)[0] == expected
