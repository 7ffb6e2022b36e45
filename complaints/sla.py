"""When a complaint is due: the legal ceiling in calendar days, the promise in working time.

Source: domain.md 6.2 — complaint: 72 h normal, ceiling 7 days [LAW-EXP].
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from crm.org.calendar import WorkCalendar, add_working_time

LEGAL_DAYS = 7  # 快递市场管理办法: answer within seven days of the complaint
FIRST_ANSWER_MINUTES = 120
PROMISE_MINUTES = (
    3 * 450
)  # three working days of 7.5 hours: the 72 hours of the promise


@dataclass(frozen=True)
class Deadlines:
    """Fixed at intake. A promise that leans on an undecreed year is provisional."""

    legal: datetime
    first_answer: datetime
    promised: datetime
    is_provisional: bool

    def columns(self) -> dict[str, datetime | bool]:
        """As a complaint keeps them."""
        return {
            "first_answer_due_at": self.first_answer,
            "promised_due_at": self.promised,
            "legal_due_at": self.legal,
            "is_provisional": self.is_provisional,
        }


def deadlines(calendar: WorkCalendar, opened: datetime) -> Deadlines:
    """The legal limit wins where it is earlier than a promise."""
    legal = opened + timedelta(days=LEGAL_DAYS)
    first = add_working_time(calendar, opened, FIRST_ANSWER_MINUTES)
    promised = add_working_time(calendar, opened, PROMISE_MINUTES)
    return Deadlines(
        legal,
        min(first.at, legal),
        min(promised.at, legal),
        first.is_provisional or promised.is_provisional,
    )
