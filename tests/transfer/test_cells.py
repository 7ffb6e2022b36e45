"""Checking single cells: no text breaks a check, an amount survives it."""

from contextlib import suppress
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from crm.transfer.targets import Bad, clean_amount, clean_count, clean_date


@given(st.text(max_size=20))
def test_no_cell_breaks_a_check(cell):
    for check in (clean_date, clean_count, clean_amount):
        with suppress(Bad):
            assert check(cell)


@given(st.integers(-(10**10), 10**10))
def test_an_amount_in_fen_survives(fen):
    written = f"{fen / 100:.2f}"
    assert Decimal(clean_amount(written)) == Decimal(written)
