"""Rows that another system sends by the API: checked and loaded as those of a file."""

from dataclasses import dataclass
from typing import Any

from django.db import transaction

from crm.access.capabilities import require
from crm.access.models import User
from crm.audit import services as audit
from crm.org.models import Office
from crm.transfer.checking import Checker
from crm.transfer.reading import Record
from crm.transfer.targets import REASONS, Run, Target

MOST_ROWS = 1000


@dataclass(frozen=True)
class Taken:
    """What became of so many rows: imported + duplicates + len(rejected) = rows."""

    rows: int
    imported: int
    duplicates: int
    rejected: list[dict[str, Any]]  # {"row": from 1, "column", "reason"}
    counts: dict[str, int]


@transaction.atomic
def take_in(
    rows: list[dict[str, str]], *, target: Target, office: Office, by: User
) -> Taken:
    """Check rows by the target's columns and load the good ones; the bad are named.

    Every row has the same columns, those of the first; sending again changes nothing.
    """
    require(by, target.capability, office)
    headers = sorted({name for row in rows for name in row})
    checker = Checker(target, headers, {name: name for name in headers})
    cells = [[row.get(name, "") for name in headers] for row in rows]
    records = [Record(n, line, 0) for n, line in enumerate(cells, 1)]
    checked = checker.check(records)
    loaded = target.load(Run(office, by=by), checked.lines, checked.columns)
    rejected = [(bad.line, bad.column, bad.reason) for bad in checked.rejections]
    rejected += loaded.rejected
    details = {"target": target.name, "rows": len(rows), "rejected": len(rejected)}
    audit.record(by, "items.sent", office, office=office, details=details)
    return Taken(
        len(rows),
        len(loaded.imported),
        len(checked.lines) - len(loaded.imported) - len(loaded.rejected),
        [
            {"row": line, "column": column, "reason": str(REASONS[reason])}
            for line, column, reason in sorted(rejected)
        ],
        loaded.counts,
    )
