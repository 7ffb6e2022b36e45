"""The catalogue of metrics: label, definition, which items stand behind it, target."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from delivery.quality.rates import (
    Counts,
    Share,
    address_quality,
    address_return_rate,
    attempt_on_time_rate,
    attempt_rule_rate,
    complaints_per_10k,
    damage_rate,
    delivered_72h_rate,
    delivery_success_rate,
    false_signing_rate,
    first_attempt_rate,
    loss_rate,
    max_day_rate,
    next_day_rate,
    on_time_rate,
    recipient_return_rate,
    requirement_fulfilment,
    return_rate,
    scan_completeness,
    shortage_rate,
    substantial_delay_rate,
    timely_pickup_rate,
    upheld_appeals_per_million,
    upheld_complaints_per_10k,
    variance_plus_1,
    variance_plus_2,
    variance_plus_3,
    wrongful_return_rate,
)


@dataclass(frozen=True)
class Metric:
    """`which` names the items behind the figure: a filter of the list of items; `opposite`
    those that spoil it. `target` is of `per`, None where the house has none."""

    name: str
    label: Any
    share: Callable[[Counts], Share]
    which: str = ""
    spoilt: str = ""
    target: float | None = None
    is_low_good: bool = False


METRICS = (
    Metric("on_time_rate", _("On time"), on_time_rate, "on_time", "late", 90),
    Metric(
        "attempt_on_time_rate",
        _("First attempt within the limit"),
        attempt_on_time_rate,
        "attempt_on_time",
        "attempt_late",
        90,
    ),
    Metric(
        "delivered_72h_rate", _("Within 72 hours"), delivered_72h_rate, "in_72h", "", 80
    ),
    Metric("variance_plus_1", _("Limit + 1 day"), variance_plus_1, "plus_1"),
    Metric("variance_plus_2", _("Limit + 2 days"), variance_plus_2, "plus_2"),
    Metric("variance_plus_3", _("Limit + 3 days"), variance_plus_3, "plus_3"),
    Metric(
        "substantial_delay_rate",
        _("Later than limit + 3 days"),
        substantial_delay_rate,
        "much_late",
        is_low_good=True,
    ),
    Metric("next_day_rate", _("First step of two"), next_day_rate, "in_first", "", 70),
    Metric("max_day_rate", _("Second step of two"), max_day_rate, "in_max", "", 90),
    Metric(
        "delivery_success_rate",
        pgettext_lazy("rate", "Delivered"),
        delivery_success_rate,
        "delivered",
        "undelivered",
        98,
    ),
    Metric(
        "first_attempt_rate",
        _("At the first attempt"),
        first_attempt_rate,
        "first_attempt",
        "later_attempt",
        90,
    ),
    Metric(
        "attempt_rule_rate",
        _("Undelivered, and attempted as prescribed"),
        attempt_rule_rate,
        "undelivered_twice",
        "undelivered_once",
        100,
    ),
    Metric(
        "return_rate",
        pgettext_lazy("rate", "Returned"),
        return_rate,
        "returned",
        is_low_good=True,
    ),
    Metric(
        "address_return_rate",
        _("Returned for the address"),
        address_return_rate,
        "by_address",
        is_low_good=True,
    ),
    Metric(
        "address_quality", _("Right addresses"), address_quality, "", "by_address", 99
    ),
    Metric(
        "recipient_return_rate",
        _("Returned for the recipient"),
        recipient_return_rate,
        "by_recipient",
        is_low_good=True,
    ),
    Metric(
        "wrongful_return_rate",
        _("Returned by our mistake"),
        wrongful_return_rate,
        "by_operator",
        is_low_good=True,
    ),
    Metric(
        "loss_rate",
        _("Lost, per 10,000"),
        loss_rate,
        "gone",
        is_low_good=True,
        target=5,
    ),
    Metric(
        "damage_rate",
        _("Damaged, per 10,000"),
        damage_rate,
        "damaged",
        is_low_good=True,
        target=5,
    ),
    Metric(
        "shortage_rate",
        _("Contents short, per 10,000"),
        shortage_rate,
        "shortage",
        is_low_good=True,
    ),
    Metric(
        "false_signing_rate",
        _("False signings, per 10,000 delivered"),
        false_signing_rate,
        "false_signed",
        is_low_good=True,
    ),
    Metric(
        "scan_completeness",
        _("Completely scanned"),
        scan_completeness,
        "scanned",
        "unscanned",
        95,
    ),
    Metric(
        "requirement_fulfilment",
        _("Customers' requirements met"),
        requirement_fulfilment,
        "wanted_met",
        "wanted_unmet",
        100,
    ),
    Metric(
        "timely_pickup_rate",
        _("Collected in time"),
        timely_pickup_rate,
        target=90,
    ),
    Metric(
        "complaints_per_10k",
        _("Complaints, per 10,000"),
        complaints_per_10k,
        is_low_good=True,
    ),
    Metric(
        "upheld_complaints_per_10k",
        _("Complaints upheld, per 10,000"),
        upheld_complaints_per_10k,
        is_low_good=True,
    ),
    Metric(
        "upheld_appeals_per_million",
        _("Appeals upheld, per million"),
        upheld_appeals_per_million,
        is_low_good=True,
        target=0.2,
    ),
)
BY_NAME = {metric.name: metric for metric in METRICS}
