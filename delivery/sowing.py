"""What every place begins with: questionnaires and visit rules, sown after each migration."""

from typing import Any

from delivery import surveys, visit_rules


def sow(**_facts: Any) -> None:
    """Add what is missing; what is there stays as it is."""
    surveys.sow()
    visit_rules.sow()
