"""What every place begins with, sown after each migration: questionnaires, visit rules,
greetings."""

from delivery import care, surveys, visit_rules


def sow() -> None:
    """Add what is missing; what is there stays as it is."""
    surveys.sow()
    visit_rules.sow()
    care.sow()
