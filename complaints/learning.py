"""Learning from complaints: words by day, what is suddenly named, cases alike.

Source: R-CMP-25, R-CMP-28, R-CMP-31. The words of a new work order are read within a
minute by a job; pages only count and compare them.
"""

from datetime import date, timedelta
from itertools import takewhile
from typing import Any

from django.db import connection, transaction
from django.db.models import Max
from django.utils.module_loading import import_string
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from complaints.models import CaseTerms, Complaint, TopicAlert
from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office

BATCH = 500
LAG = timedelta(seconds=60)  # longer than any transaction that logs a work order
WEEKS = 8  # of the same weekday
AT_LEAST = 5  # cases of a day, below which nothing is an alert
LEVELS = 2  # province and prefecture are watched
TELLING = 3  # the rarest words of a case look for cases alike
CANDIDATES = 2000
NEAR = 60  # of them, to find some that the reader sees and that are answered
SHOWN = 3
EMERGING = gettext_noop("Suddenly named often")  # translated when it is read

COUNT = """
INSERT INTO complaints_termday (day, office_id, word, cases)
SELECT (c.opened_at AT TIME ZONE 'Asia/Shanghai')::date, c.office_id, word, count(*)
FROM complaints_caseterms t
JOIN complaints_complaint c ON c.id = t.complaint_id, unnest(t.terms) word
WHERE t.complaint_id = ANY(%s)
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (day, office_id, word)
DO UPDATE SET cases = complaints_termday.cases + excluded.cases
"""
WEIGH = """
INSERT INTO complaints_term (word, cases)
SELECT word, count(*) FROM complaints_caseterms t, unnest(t.terms) word
WHERE t.complaint_id = ANY(%s) GROUP BY 1 ORDER BY 1
ON CONFLICT (word) DO UPDATE SET cases = complaints_term.cases + excluded.cases
"""
# A day's counts of the watched offices against the mean of the same weekday before:
# far is three standard deviations of a count that rare.
SUDDEN = """
WITH watched AS (SELECT id, path, depth FROM org_office WHERE depth <= %(levels)s),
counted AS (
    SELECT w.id, t.word,
           sum(t.cases) FILTER (WHERE t.day = %(day)s) AS cases,
           coalesce(sum(t.cases) FILTER (WHERE t.day <> %(day)s), 0) / %(weeks)s::float
               AS usual
    FROM complaints_termday t
    JOIN org_office o ON o.id = t.office_id
    JOIN watched w ON starts_with(o.path, w.path)
    WHERE t.day = ANY(%(days)s)
    GROUP BY 1, 2
)
SELECT id, word, cases, usual FROM counted
WHERE cases >= %(least)s AND cases > usual + 3 * sqrt(greatest(usual, 1))
"""
RAREST = """
SELECT word FROM complaints_term WHERE strpos(%(text)s, word) > 0 AND cases > %(own)s
ORDER BY cases LIMIT %(telling)s
"""
ALIKE = """
SELECT complaint_id FROM (
    SELECT complaint_id, terms FROM complaints_caseterms
    WHERE terms && %(words)s::varchar[] ORDER BY complaint_id DESC LIMIT %(candidates)s
) near
ORDER BY cardinality(ARRAY(SELECT unnest(terms) INTERSECT SELECT unnest(%(words)s::varchar[])))
         DESC, complaint_id DESC
LIMIT %(near)s
"""


def terms_step(job: Job) -> bool:
    """Job: read the words of the next 500 work orders and count them by day.

    RACE: rows are read in the order of their ids, a minute late, so that none is passed
    over; two workers take turns.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('complaints.terms'))")
    last = CaseTerms.objects.aggregate(n=Max("complaint"))["n"] or 0
    rows = Complaint.objects.filter(pk__gt=last).order_by("pk")
    waiting = list(rows.values_list("pk", "opened_at", "text", "demand")[:BATCH])
    until = now() - LAG
    ready = list(takewhile(lambda row: row[1] <= until, waiting))
    if not ready:
        return True
    terms_of = import_string("complaints.segmenting.terms_of")  # loads the dictionary
    CaseTerms.objects.bulk_create(
        CaseTerms(complaint_id=pk, terms=terms_of(f"{text}。{demand}"))
        for pk, _at, text, demand in ready
    )
    with connection.cursor() as cursor:
        read = [row[0] for row in ready]
        cursor.execute(COUNT, [read])
        cursor.execute(WEIGH, [read])
    job.done_units += len(ready)
    return len(ready) < BATCH


def sudden(day: date) -> list[tuple[int, str, int, float]]:
    """(office, word, cases, usual) of what is named far more than usual. One query."""
    days = [day - timedelta(weeks=n) for n in range(WEEKS + 1)]
    facts: dict[str, Any] = {"day": day, "days": days, "weeks": WEEKS}
    with connection.cursor() as cursor:
        cursor.execute(SUDDEN, {**facts, "levels": LEVELS, "least": AT_LEAST})
        return cursor.fetchall()


def alert_step(job: Job) -> bool:
    """Job, every hour: today and yesterday against the weekday; each word is told once a
    day to the supervisors of the lowest office that sees it."""
    for day in (localdate() - timedelta(days=1), localdate()):
        found = sudden(day)
        offices = Office.objects.in_bulk({row[0] for row in found})
        lowest: dict[str, list[Office]] = {}
        for office, word, _cases, _usual in found:
            lowest.setdefault(word, []).append(offices[office])
        for office, word, cases, usual in found:
            here = offices[office]
            below = [o for o in lowest[word] if o.pk != office and here.contains(o)]
            if not below:
                job.done_units += _raise(here, day, word, cases, usual)
    return True


def _raise(office: Office, day: date, word: str, cases: int, usual: float) -> bool:
    alert, made = TopicAlert.objects.get_or_create(
        office=office,
        day=day,
        word=word,
        defaults={"cases": cases, "usual": usual, "raised_at": now()},
    )
    if not made:
        TopicAlert.objects.filter(pk=alert.pk).update(cases=cases)
        return False
    posted = Posting.objects.in_force(localdate()).select_related("user")
    for posting in posted.filter(office=office, role=Role.SUPERVISOR):
        tell(
            posting.user,
            "topic",
            subject=EMERGING,
            body=f"{word} {cases} / {usual:.1f}",
            url="/complaints/topics/",
            key=f"topic:{alert.pk}:{posting.user_id}",
        )
    return True


@transaction.atomic
def decide(alert: TopicAlert, *, by: User, state: str, note: str) -> TopicAlert:
    """Followed up, or nothing in it. Refused("topic.decided")."""
    alert = TopicAlert.objects.select_for_update(of=("self",)).get(pk=alert.pk)
    require(by, "topic.decide", alert.office)
    if alert.state != TopicAlert.State.RAISED:
        raise Refused("topic.decided", _("Somebody else has decided."))
    alert.state, alert.note = state, note
    alert.decided_by, alert.decided_at = by, now()
    alert.save(update_fields=["state", "note", "decided_by", "decided_at"])
    audit.record(by, "topic.decided", alert, office=alert.office)
    return alert


TREND = """
SELECT t.word,
       sum(t.cases) FILTER (WHERE t.day > %(since)s) AS cases,
       coalesce(sum(t.cases) FILTER (WHERE t.day <= %(since)s), 0) AS before,
       array_agg(ARRAY[%(until)s - t.day, t.cases]) AS days
FROM complaints_termday t JOIN org_office o ON o.id = t.office_id
WHERE t.day > %(start)s AND t.day <= %(until)s AND ({scope})
GROUP BY t.word
HAVING sum(t.cases) FILTER (WHERE t.day > %(since)s) >= %(least)s
ORDER BY {order}, t.word LIMIT 50
"""
ORDERS = {
    "cases": "cases DESC",
    "rise": "sum(t.cases) FILTER (WHERE t.day > %(since)s)"
    " - coalesce(sum(t.cases) FILTER (WHERE t.day <= %(since)s), 0) DESC",
}
HIDDEN_BELOW = 3  # a word of one or two people could tell who they are


def trends(
    paths: list[str], until: date, days: int, order: str = "cases"
) -> list[dict[str, Any]]:
    """The fifty words of the offices under `paths` in the last `days`, with the days
    before as comparison and a line of all. One query; it grows with the days."""
    if not paths:
        return []
    scope = " OR ".join(f"starts_with(o.path, %(p{n})s)" for n in range(len(paths)))
    facts: dict[str, Any] = {f"p{n}": path for n, path in enumerate(paths)}
    facts |= {"until": until, "since": until - timedelta(days=days)}
    facts |= {"start": until - timedelta(days=2 * days), "least": HIDDEN_BELOW}
    with connection.cursor() as cursor:
        cursor.execute(TREND.format(scope=scope, order=ORDERS[order]), facts)
        rows = cursor.fetchall()
    found = []
    for word, cases, before, pairs in rows:
        line = [0] * (2 * days)
        for ago, count in pairs:
            line[-1 - ago] += count
        found.append({"word": word, "cases": cases, "before": before, "line": line})
    return found


def alike(user: User, said: str, *, but: int | None = None) -> list[Complaint]:
    """Answered work orders that `user` sees, whose words are most like `said`, with their
    outcome; three at most. Three queries."""
    if len(said.strip()) < 5:
        return []
    asked: dict[str, Any] = {
        "text": said[:2000],
        "telling": TELLING,
        "own": 1 if but else 0,
    }
    facts: dict[str, Any] = {"candidates": CANDIDATES, "near": NEAR}
    with connection.cursor() as cursor:
        cursor.execute(RAREST, asked)
        facts["words"] = [row[0] for row in cursor.fetchall()]
        if not facts["words"]:
            return []
        cursor.execute(ALIKE, facts)
        near = [row[0] for row in cursor.fetchall() if row[0] != but]
    if not near:
        return []
    rows = Complaint.objects.visible_to(user).filter(pk__in=near)
    rows = rows.exclude(outcome=None).exclude(outcome__answer="")
    found = rows.select_related("outcome", "subcategory").in_bulk()
    return [found[pk] for pk in near if pk in found][:SHOWN]
