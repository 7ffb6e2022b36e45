"""How an item counts, as bits of one number: written by SQL, read by SQL and pages.

A mark never depends on today: an item is evaluated from its `ripe_on` day on, and which
day it is decides the reader.
"""

from enum import IntFlag


class Mark(IntFlag):
    LIMITED = 1  # a standard or a promise says when it is due
    DELIVERED = 1 << 1
    ON_TIME = 1 << 2  # delivered within its limit
    ATTEMPT_ON_TIME = 1 << 3  # the first valid attempt within its limit
    IN_72H = 1 << 4
    PLUS_1 = 1 << 5
    PLUS_2 = 1 << 6
    PLUS_3 = 1 << 7
    STEPPED = 1 << 8  # a two-step standard holds for it
    IN_FIRST = 1 << 9
    IN_MAX = 1 << 10
    ATTEMPTED = 1 << 11  # it is known how often
    FIRST_ATTEMPT = 1 << 12
    TWO_TRIES = 1 << 13
    RETURNED = 1 << 14
    BY_ADDRESS = 1 << 15
    BY_RECIPIENT = 1 << 16
    BY_OPERATOR = 1 << 17
    LOST = 1 << 18  # confirmed
    DAMAGED = 1 << 19
    SHORTAGE = 1 << 20
    SCANNED = 1 << 21  # every mandatory event is there
    FALSE_SIGNED = 1 << 22
    WANTED = 1 << 23  # the customer had a requirement
    WANTED_MET = 1 << 24
    STAGED = 1 << 25  # all four stages can be told apart
    TRACKED = 1 << 26  # it has events at all
