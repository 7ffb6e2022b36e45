"""Encryption at rest, the blind index, rotation."""

import pytest
from cryptography.exceptions import InvalidTag
from django.db import connection

from crm import fields
from customers.models import CustomerAddress
from tests import factories as make


def test_what_is_encrypted_comes_back_and_differs_each_time():
    first, second = (
        fields.encrypt("13800138000", "a.b.c"),
        fields.encrypt("13800138000", "a.b.c"),
    )
    assert first != second
    assert (
        fields.decrypt(first, "a.b.c")
        == fields.decrypt(second, "a.b.c")
        == "13800138000"
    )


def test_a_value_moved_to_another_column_does_not_open():
    with pytest.raises(InvalidTag):
        fields.decrypt(fields.encrypt("secret", "a.b.c"), "a.b.d")


def test_equal_values_have_equal_indexes_in_any_spelling():
    assert fields.blind_index("ＡＢ１２") == fields.blind_index("ab12")
    assert fields.blind_index("ab12") != fields.blind_index("ab13")


def test_old_values_stay_readable_when_the_key_rotates(settings):
    old = fields.encrypt("secret", "a.b.c")
    settings.FIELD_KEYS = {**settings.FIELD_KEYS, 2: "ab" * 32}
    new = fields.encrypt("secret", "a.b.c")
    assert (old[0], new[0]) == (1, 2)
    assert fields.decrypt(old, "a.b.c") == fields.decrypt(new, "a.b.c")


def test_no_clear_phone_or_address_lies_in_the_tables(cast):
    make.customer(cast.wuhan, phone="13912345678", address="中山路1号2栋303室")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT number, encode(number_index, 'escape') FROM customers_customerphone"
        )
        number, index = cursor.fetchone()
        cursor.execute("SELECT text FROM customers_customeraddress")
        address = bytes(cursor.fetchone()[0])
    assert b"12345678" not in bytes(number)
    assert "12345678" not in index
    assert "中山路".encode() not in address
    assert CustomerAddress.objects.get().text == "中山路1号2栋303室"
