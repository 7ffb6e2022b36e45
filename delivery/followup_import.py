"""Results of follow-ups that were asked elsewhere: a row an order or a call, put beside our
own surveys (R-VIS-14: a quarter's pick-up orders, all of them).

Each import makes one finished round for each target named in the file; the customer is
found by code where there is one, else the row counts for the unit alone.
"""

from datetime import date
from typing import Any

from django.db.models import F
from django.db.models.functions import Greatest, Least
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from crm.org.models import Office
from crm.transfer.targets import (
    Bad,
    Column,
    Loaded,
    Run,
    Target,
    clean_choice,
    clean_date,
    clean_text,
    optional,
)
from customers.models import Customer
from delivery import surveys
from delivery.models import (
    Answer,
    Invitation,
    Question,
    SurveyMember,
    SurveyRound,
)

CHUNK = 5_000
State, Code = SurveyMember.State, SurveyMember.Code


def clean_rating(cell: str) -> str:
    """1 to 5, or the words that call centres write; empty: nobody was reached."""
    words = {
        "非常满意": "5",
        "满意": "4",
        "一般": "3",
        "不满意": "2",
        "非常不满意": "1",
    }
    found = words.get(cell.strip(), cell.strip())
    if found not in ("", "1", "2", "3", "4", "5"):
        raise Bad("choice")
    return found


COLUMNS = (
    Column(
        "ref",
        _("Order or call number"),
        clean_text(40, required=True),
        True,
        ("工单号", "订单号", "order", "waybill", "邮件号"),
    ),
    Column("asked_on", _("Asked on"), clean_date, True, ("回访日期", "日期", "date")),
    Column("rating", _("Rating"), clean_rating, True, ("评分", "满意度", "rating")),
    Column(
        "target",
        pgettext_lazy("survey", "About"),
        clean_choice(SurveyRound.Target),
        False,
        ("调查目标", "目标"),
    ),
    Column(
        "outlet",
        _("Code of the outlet"),
        clean_text(20),
        False,
        ("网点代码", "机构代码", "outlet"),
    ),
    Column("code", _("Customer code"), clean_text(40), False, ("客户代码", "客户编号")),
    Column("product", _("Product"), clean_text(40), False, ("业务品种", "产品")),
    Column(
        "words",
        _("What was said"),
        optional(clean_text(300)),
        False,
        ("意见", "备注", "comment"),
        is_personal=True,
    ),
)


def _rounds(run: Run, targets: set[str]) -> dict[str, SurveyRound]:
    """The import's rounds, made when their first row comes."""
    version = surveys.current(surveys.OUTSIDE)
    found = {}
    for target in targets:
        found[target], _made = SurveyRound.objects.get_or_create(
            office=run.office,
            whom={"import": str(run.batch_id)},
            target=target,
            defaults={
                "name": str(_("Imported follow-ups")),
                "version": version,
                "way": SurveyRound.Way.PHONE,
                "opens_on": date(2100, 1, 1),
                "closes_on": date(2100, 1, 1),
                "is_census": True,
                "made_by": run.by,
            },
        )
    return found


def _load(run: Run, lines: list[list], columns: list[str]) -> Loaded:
    rows = [(line[0], dict(zip(columns, line[1:], strict=True))) for line in lines]
    inside = Office.objects.filter(path__startswith=run.office.path)
    outlets = {office.code: office for office in inside}
    codes = {row.get("code", "") for _line, row in rows} - {""}
    people = {
        row.code: row
        for row in Customer.objects.filter(
            code__in=codes, office__in=inside, merged_into=None
        )
    }
    refs = [row["ref"] for _line, row in rows]
    known = set(
        SurveyMember.objects.filter(ref__in=refs, office__in=inside).values_list(
            "ref", flat=True
        )
    )
    usual = str(SurveyRound.Target.OVERALL)
    rounds = _rounds(run, {row.get("target") or usual for _line, row in rows})
    imported, rejected, kept = [], [], []
    for line, row in rows:
        if row["ref"] in known:
            continue
        outlet = outlets.get(row.get("outlet") or run.office.code)
        if outlet is None:
            rejected.append((line, "outlet", "no_office"))
            continue
        known.add(row["ref"])
        asked = rounds[row.get("target") or usual]
        kept.append((asked, outlet, people.get(row.get("code", "")), row))
        imported.append(line)
    _store(run, kept)
    for asked in rounds.values():
        _span(asked, [row for of, _outlet, _who, row in kept if of == asked])
    return Loaded(imported, len(kept), rejected)


def _span(asked: SurveyRound, rows: list[dict[str, Any]]) -> None:
    """A round lasts from its first day to its last; four statements a chunk at most."""
    if not rows:
        return
    days = sorted(row["asked_on"] for row in rows)
    found = SurveyRound.objects.filter(pk=asked.pk)
    is_new = asked.opens_on == date(2100, 1, 1)
    first = days[0] if is_new else Least(F("opens_on"), date.fromisoformat(days[0]))
    last = (
        days[-1] if is_new else Greatest(F("closes_on"), date.fromisoformat(days[-1]))
    )
    found.update(opens_on=first, closes_on=last, size=asked.members.count())
    asked.refresh_from_db()


def _member(
    run: Run,
    asked: SurveyRound,
    outlet: Office,
    customer: Customer | None,
    row: dict[str, Any],
) -> SurveyMember:
    """Unsaved, with its invitation when there is a rating."""
    at = now()
    member = SurveyMember(
        round=asked,
        customer=customer,
        office=outlet,
        segment=customer.segment if customer else "",
        product=row.get("product", ""),
        ref=row["ref"],
        attempts=1,
        next_at=at,
        imported_by=run.batch_id,
    )
    if not row["rating"]:
        member.state, member.code = State.UNREACHED, Code.NO_ANSWER
        return member
    member.state = State.ANSWERED
    member.invitation = Invitation(
        token=Invitation.new_token(),
        version=asked.version,
        source="import",
        subject=row["ref"],
        office=outlet,
        customer=customer,
        way=Invitation.Way.PHONE,
        sent_by=run.by,
        sent_at=at,
        expires_at=at,
        answered_at=at,
        rating=int(row["rating"]),
    )
    return member


def _store(run: Run, kept: list[tuple]) -> None:
    """Members, invitations with their rating, and answers: three statements."""
    questions: dict[int, dict[str, Question]] = {}
    for asked, *_rest in kept:
        if asked.version_id not in questions:
            rows = asked.version.questions.all()
            questions[asked.version_id] = {row.code: row for row in rows}
    members, invitations, answers = [], [], []
    for asked, outlet, customer, row in kept:
        member = _member(run, asked, outlet, customer, row)
        members.append(member)
        if member.invitation is None:
            continue
        invitations.append(member.invitation)
        known, facts = questions[asked.version_id], {"invitation": member.invitation}
        rating = member.invitation.rating
        answers.append(Answer(question=known["rating"], number=rating, **facts))
        if row.get("words"):
            answers.append(Answer(question=known["words"], words=row["words"], **facts))
    Invitation.objects.bulk_create(invitations, batch_size=1000)
    SurveyMember.objects.bulk_create(members, batch_size=1000)
    Answer.objects.bulk_create(answers, batch_size=1000)


def _likeness(office: Office, lines: list[list], columns: list[str]) -> float:
    place = columns.index("ref") + 1
    refs = {line[place] for line in lines}
    inside = Office.objects.filter(path__startswith=office.path)
    stored = SurveyMember.objects.filter(ref__in=refs, office__in=inside)
    return stored.count() / len(lines)


def _revert(run: Run, place: int) -> int | None:
    """Take an import back, a chunk a step; its rounds go with their last row."""
    rows = SurveyMember.objects.filter(imported_by=run.batch_id)
    chunk = list(rows.values_list("pk", "invitation")[:CHUNK])
    if chunk:
        SurveyMember.objects.filter(pk__in=[pk for pk, _asked in chunk]).delete()
        asked = [one for _pk, one in chunk if one]
        Invitation.objects.filter(pk__in=asked).delete()
        return place + 1
    made = SurveyRound.objects.filter(whom={"import": str(run.batch_id)})
    made.filter(improvements=None).delete()
    return None


TARGET = Target(
    "followups",
    _("Results of follow-ups"),
    COLUMNS,
    _load,
    _likeness,
    _revert,
    keys=("ref",),
    chunk=CHUNK,
)
