"""The season's work plan by hand: groups and duties, milestones, documents, resources.

Sources: R-ORG-02…06, 10, 12; R-CAM-37, 38.
"""

from datetime import date
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.timezone import localdate, now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from campaigns import seasons
from campaigns.models import (
    CompetitorNote,
    Department,
    Duty,
    Milestone,
    Resource,
    Season,
    SeasonDocument,
    ServiceGroup,
)
from crm.access.capabilities import require
from crm.access.models import Posting, User
from crm.access.roles import Role
from crm.audit import services as audit
from crm.errors import Refused
from crm.jobs.models import Job
from crm.notify.services import tell
from crm.org.models import Office
from crm.org.queries import ancestry, has_biu_team

LATE = gettext_noop("A milestone of the card season is late")
CHUNK = 100
D = Department
# Annex 2, put together from the seed's text and comparable plans (domain.md 4.6).
DUTIES: tuple[tuple[str, str], ...] = (
    (D.MARKETING, "制定方案与时间表，组织客户导向评估，跟踪保有率、新增率、回访率"),
    (D.KEY_ACCOUNT, "走访老客户，报价与签约，中奖提示，售后回访"),
    (D.OPERATIONS, "规范投递流程，处理投递异常，统计投递质量"),
    (D.PROCESSING, "高峰期运能与分拣安排，分拣前移"),
    (D.LETTER, "设计、制作与名址处理，采集兑奖码，退件处理"),
)


@transaction.atomic
def set_group(
    season: Season, office: Office, *, by: User, leader: User
) -> ServiceGroup:
    """Name the bureau leader in charge of a bureau's group; a new group gets the five
    departments' duties of annex 2, owned by the leader until they are given away.

    Refused("group.office") for a bureau outside the season, ("group.leader") for a leader
    who is no supervisor there.
    """
    row = seasons.locked(season)
    require(by, "season.plan", office)
    if not office.path.startswith(row.office.path):
        raise Refused("group.office", _("This bureau does not belong to the season."))
    leads = Posting.objects.in_force(localdate()).filter(
        user=leader, role=Role.SUPERVISOR, office__path__in=ancestry(office)
    )
    if not leads.exists():
        message = _("The leader must be a supervisor of this bureau.")
        raise Refused("group.leader", message)
    group, made = ServiceGroup.objects.update_or_create(
        season=row, office=office, defaults={"leader": leader}
    )
    if made:
        Duty.objects.bulk_create(
            Duty(group=group, department=name, words=words, owner=leader)
            for name, words in DUTIES
        )
    audit.record(by, "season.group", group, office=office)
    return group


@transaction.atomic
def take_over_groups(season: Season, *, by: User) -> int:
    """Set up the groups of the season before, where this one has none yet: leaders who are
    still supervisors there, and the duties with their owners; how many."""
    row = seasons.locked(season)
    require(by, "season.plan", row.office)
    known = set(row.groups.values_list("office", flat=True))
    older = ServiceGroup.objects.filter(season=row.previous).exclude(office__in=known)
    number = 0
    for old in older.select_related("office", "leader").prefetch_related("duties"):
        try:
            group = set_group(row, old.office, by=by, leader=old.leader)
        except Refused:
            continue  # who led it does not any more: somebody names another
        group.duties.all().delete()
        Duty.objects.bulk_create(
            Duty(
                group=group,
                department=duty.department,
                words=duty.words,
                owner_id=duty.owner_id,
            )
            for duty in old.duties.all()
        )
        number += 1
    return number


@transaction.atomic
def keep_duty(duty: Duty, *, by: User) -> Duty:
    """Add a duty, or give it to somebody."""
    seasons.locked(duty.group.season)
    require(by, "season.plan", duty.group.office)
    duty.save()
    audit.record(by, "season.duty", duty, office=duty.group.office)
    return duty


@transaction.atomic
def drop_duty(duty: Duty, *, by: User) -> None:
    """Strike a duty. Refused("group.last") for the last of one of the five departments."""
    season = seasons.locked(duty.group.season)
    require(by, "season.plan", duty.group.office)
    others = duty.group.duties.filter(department=duty.department).exclude(pk=duty.pk)
    if season.state == Season.State.ISSUED and not others.exists():
        message = _("While the season runs, each department has a duty.")
        raise Refused("group.last", message)
    audit.record(by, "season.duty_dropped", duty, office=duty.group.office)
    duty.delete()


@transaction.atomic
def keep(row: Any, *, by: User) -> Any:
    """Save a checked milestone, resource or competitor note of a season."""
    season = seasons.locked(row.season)
    require(by, "season.plan", season.office)
    if isinstance(row, Milestone) and row.pk:
        old = Milestone.objects.select_for_update().get(pk=row.pk)
        row.done_on, row.done_by, row.told_on = old.done_on, old.done_by, old.told_on
        if old.content != row.content:
            row.content_zh = ""  # what somebody wrote has no translation
    if isinstance(row, CompetitorNote):
        row.made_by = by
    row.save()
    audit.record(by, f"season.{row._meta.model_name}", row, office=season.office)
    return row


@transaction.atomic
def drop(row: Milestone | Resource | CompetitorNote, *, by: User) -> None:
    """Strike a row of the plan."""
    season = seasons.locked(row.season)
    require(by, "season.plan", season.office)
    audit.record(
        by, f"season.{row._meta.model_name}_dropped", row, office=season.office
    )
    row.delete()


@transaction.atomic
def done(milestone: Milestone, *, by: User) -> Milestone:
    """Say that a milestone is done: its owner, or who plans the season. Twice is once."""
    seasons.locked(milestone.season)
    row = Milestone.objects.select_for_update().get(pk=milestone.pk)
    if row.owner_id != by.pk:
        require(by, "season.plan", milestone.season.office)
    if row.done_on is None:
        row.done_on, row.done_by = localdate(), by
        row.save(update_fields=["done_on", "done_by"])
        audit.record(by, "season.milestone_done", row, office=milestone.season.office)
    return row


# --- documents -----------------------------------------------------------------------------


def _may_write(document: SeasonDocument, season: Season, by: User) -> None:
    """A proposal belongs to who keeps its customer, all else to who plans the season."""
    if document.customer:
        require(by, "member.note", document.customer.office)
    else:
        require(by, "season.plan", season.office)


@transaction.atomic
def write(document: SeasonDocument, *, by: User) -> SeasonDocument:
    """Write a draft, or a revision of what was issued: a new version that replaces it when
    it is issued in turn. Refused("document.state") for one that was replaced,
    ("proposal.team") where no business-intelligence team is (R-ORG-07)."""
    season = seasons.locked(document.season)
    _may_write(document, season, by)
    if document.customer and not has_biu_team(document.customer.office):
        message = _("The bureau has no business-intelligence team to write proposals.")
        raise Refused("proposal.team", message)
    if document.pk:  # the text of a draft changes, that of an issued one is revised
        old = SeasonDocument.objects.select_for_update().get(pk=document.pk)
        if old.state == SeasonDocument.State.REVISED or (
            old.state == SeasonDocument.State.ISSUED
            and SeasonDocument.objects.filter(replaces=old).exists()
        ):
            message = _("There is a newer version of this document.")
            raise Refused("document.state", message)
        if old.state == SeasonDocument.State.ISSUED:
            document.pk, document._state.adding = None, True
            document.version, document.replaces = old.version + 1, old
            document.state, document.issued_at = SeasonDocument.State.DRAFT, None
    document.made_by = by
    document.save()
    audit.record(by, "season.document", document, office=season.office)
    return document


@transaction.atomic
def issue_document(document: SeasonDocument, *, by: User) -> SeasonDocument:
    """Issue a draft; what it replaces is marked as revised. Twice is once."""
    season = seasons.locked(document.season)
    _may_write(document, season, by)
    row = SeasonDocument.objects.select_for_update().get(pk=document.pk)
    if row.state != SeasonDocument.State.DRAFT:
        return row
    row.state, row.issued_at = SeasonDocument.State.ISSUED, now()
    row.save(update_fields=["state", "issued_at"])
    if row.replaces_id:
        old = SeasonDocument.objects.filter(pk=row.replaces_id)
        old.update(state=SeasonDocument.State.REVISED)
    audit.record(by, "season.document_issued", row, office=season.office)
    return row


# --- who is late ---------------------------------------------------------------------------


def late(today: date) -> Any:
    """Milestones of open seasons that should be done."""
    rows = Milestone.objects.filter(done_on=None, due_on__lt=today)
    return rows.exclude(season__state=Season.State.CLOSED)


def late_step(job: Job) -> bool:
    """Job, each morning: tell owners, and the supervisors of the season's office, of
    milestones that are late, once each; by chunks."""
    today = localdate()
    rows = late(today).filter(told_on=None).select_related("season__office", "owner")
    chunk = list(rows.order_by("pk")[:CHUNK])
    postings = Posting.objects.in_force(today).select_related("user")
    for row in chunk:
        bosses = postings.filter(
            Q(role=Role.SUPERVISOR) | Q(role=Role.PLANNER), office=row.season.office
        )
        people = {posting.user for posting in bosses} | {row.owner} - {None}
        for person in people:
            tell(
                person,
                "season",
                subject=LATE,
                body=row.content_zh or row.content,
                url=f"{row.season.get_absolute_url()}plan/",
                key=f"milestone:{row.pk}:{row.due_on}:{person.pk}",
            )
    Milestone.objects.filter(pk__in=[row.pk for row in chunk]).update(told_on=today)
    return len(chunk) < CHUNK
