"""How long work orders stay in each step at each office they pass.

Source: R-CMP-17, R-CMP-18 (speed of each unit, response of departments). Hours by the
clock, not working time: the customer waits at night, too.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from complaints.workflow import CLOSED, State

# A span lasts from one move to another state or office to the next; notes do not end it.
SPANS = """
WITH lines AS (
    SELECT m.complaint_id, m.id, m.at, m.office_id, m.after,
           lag(m.office_id) OVER told AS office_before, lag(m.after) OVER told AS state
    FROM complaints_complaintmove m
    JOIN complaints_complaint c ON c.id = m.complaint_id
    WHERE c.opened_at >= %(since)s AND c.opened_at < %(until)s
    WINDOW told AS (PARTITION BY m.complaint_id ORDER BY m.at, m.id)
), spans AS (
    SELECT office_id, after,
           extract(epoch FROM lead(at) OVER (PARTITION BY complaint_id ORDER BY at, id)
                   - at) / 3600 AS hours
    FROM lines
    WHERE (office_id, after) IS DISTINCT FROM (office_before, state)
)
SELECT o.code, o.name, s.after, count(*),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY hours)
FROM spans s JOIN org_office o ON o.id = s.office_id
WHERE hours IS NOT NULL AND s.after <> ALL(%(closed)s) AND ({scope})
GROUP BY 1, 2, 3 ORDER BY 1
"""
STEPS = [
    state
    for state in State
    if state not in CLOSED and state not in (State.SUSPENDED, State.FOLLOW_UP)
]


@dataclass(frozen=True)
class Stage:
    """One office: (how many spans, median hours) of each step, or None."""

    code: str
    name: str
    cells: list[tuple[int, float] | None]


def by_office(paths: list[str], since: datetime, until: datetime) -> list[Stage]:
    """The offices under `paths` that work orders taken in from `since` to `until` passed.
    One query; it grows with their moves."""
    if not paths:
        return []
    facts: dict[str, Any] = {"since": since, "until": until, "closed": list(CLOSED)}
    facts |= {f"p{n}": path for n, path in enumerate(paths)}
    scope = " OR ".join(f"starts_with(o.path, %(p{n})s)" for n in range(len(paths)))
    found: dict[tuple[str, str], dict[str, tuple[int, float]]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(SPANS.replace("{scope}", scope), facts)
        for code, name, state, count, hours in cursor.fetchall():
            found[code, name][state] = (count, hours)
    return [
        Stage(code, name, [cells.get(step) for step in STEPS])
        for (code, name), cells in found.items()
    ]
