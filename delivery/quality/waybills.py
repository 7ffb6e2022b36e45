"""Waybill numbers: which are ours, and their check digits. Pure.

UPU S10: two letters, eight digits, a check digit, the country (of origin: mail from abroad
is ours to deliver). Registered mail within China replaces the country by the province's
two digits; parcels and express have thirteen digits without a public check digit.
"""

import re

WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
S10 = re.compile(r"[A-Z]{2}(\d{8})(\d)([A-Z]{2}|\d{2})")
PLAIN = re.compile(r"[19]\d{12}")


def check_digit(serial: str) -> int:
    """The S10 check digit of eight digits: eleven minus the weighted sum modulo eleven,
    where 10 is 0 and 11 is 5."""
    rest = 11 - sum(int(d) * w for d, w in zip(serial, WEIGHTS, strict=True)) % 11
    return {10: 0, 11: 5}.get(rest, rest)


def trouble_with(number: str) -> str:
    """Empty, or why a number (upper case, no spaces) is no waybill of ours."""
    if found := S10.fullmatch(number):
        is_right = check_digit(found[1]) == int(found[2])
        return "" if is_right else "check_digit"
    return "" if PLAIN.fullmatch(number) else "other_carrier"
