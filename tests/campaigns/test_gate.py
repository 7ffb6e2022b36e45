"""The gate: groups, base, visits, review by two people; what is in the way of a season."""

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.urls import reverse
from django.utils.timezone import localdate

from campaigns import planning, review, seasons, timetable
from campaigns.models import (
    Duty,
    Milestone,
    OrientationReview,
    PilotFinding,
    PilotUser,
    Season,
    SeasonDocument,
    SeasonMember,
)
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify.models import Message
from delivery.models import Visit
from tests import factories as make
from tests.seasons import FACTS, issued, ordered, risk, season


@pytest.fixture
def row(cast):
    return season(cast.wuhan)


def signed(cast, row):
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])
    review.submit(row, by=cast.ping)
    return review.decide(row, by=cast.rui, is_signed=True, reply="同意")


def test_a_season_without_a_group_cannot_start(cast, row):
    signed(cast, row)
    with pytest.raises(Refused, match="武汉市") as refusal:
        seasons.issue(row, by=cast.chen)
    assert refusal.value.code == "season.group"


def test_a_group_lacks_whichever_of_the_five_departments_has_no_duty(cast, row):
    group = planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    assert seasons.missing_groups(row) == []
    planning.drop_duty(group.duties.get(department="letter"), by=cast.chen)
    ((office, lacking),) = seasons.missing_groups(row)
    assert office == cast.wuhan
    assert len(lacking) == 1


def test_the_leader_is_a_supervisor_there(cast, row):
    with pytest.raises(Refused) as refusal:
        planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.zhao)
    assert refusal.value.code == "group.leader"
    with pytest.raises(PermissionDenied):
        planning.set_group(row, cast.yichang, by=cast.chen, leader=cast.mei)


def test_a_running_season_keeps_each_department(cast):
    row = issued(cast)
    duty = Duty.objects.get(group__season=row, department="letter")
    with pytest.raises(Refused):
        planning.drop_duty(duty, by=cast.chen)


def test_nothing_is_issued_without_both_stages(cast, row):
    planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])
    review.submit(row, by=cast.ping)
    with pytest.raises(Refused) as refusal:
        seasons.issue(row, by=cast.chen)
    assert refusal.value.code == "season.review"
    review.decide(row, by=cast.rui, is_signed=True, reply="同意")
    assert seasons.issue(row, by=cast.chen).state == Season.State.ISSUED
    with pytest.raises(Refused):
        seasons.issue(row, by=cast.chen)


def test_the_same_person_cannot_review_twice(cast, row):
    both = make.user("both", ("planner", cast.wuhan), ("reviewer", cast.wuhan))
    review.write(row, by=both, facts=FACTS, risks=[risk()])
    review.submit(row, by=both)
    with pytest.raises(Refused) as refusal:
        review.decide(row, by=both, is_signed=True, reply="同意")
    assert refusal.value.code == "review.same"
    with pytest.raises(IntegrityError):
        OrientationReview.objects.update(countersigned_by=both, state="signed")


def test_an_edit_voids_the_countersignature(cast, row):
    signed(cast, row)
    again = review.write(
        row, by=cast.ping, facts=FACTS | {"complaints": 3}, risks=[risk()]
    )
    assert (again.state, again.countersigned_by) == ("draft", None)
    event = AuditEvent.objects.filter(action="review.written").latest("pk")
    assert event.details["voided"] is True


def test_it_is_sent_back_with_a_judgement_and_the_initiator_is_told(cast, row):
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])
    review.submit(row, by=cast.ping)
    with pytest.raises(Refused):
        review.decide(row, by=cast.rui, is_signed=False, reply=" ")
    review.decide(row, by=cast.rui, is_signed=False, reply="请补充退件预案")
    assert Message.objects.inbox_of(cast.ping).count() == 1
    review.submit(row, by=cast.ping)
    assert OrientationReview.objects.get().state == "submitted"


def test_every_field_of_the_decision_is_in_the_audit(cast):
    issued(cast)
    details = AuditEvent.objects.get(action="season.issued").details
    assert details["initiator"] == "ping"
    assert details["countersigned_by"] == "rui"
    assert details["script"] == FACTS["script"]
    assert details["risks"] == [["名址不准，退件增多", 3, 4, "虚拟投递"]]
    assert AuditEvent.objects.get(action="review.signed").details["reply"] == "同意"


def test_a_review_names_a_risk(cast, row):
    with pytest.raises(Refused) as refusal:
        review.write(row, by=cast.ping, facts=FACTS, risks=[])
    assert refusal.value.code == "review.risks"


def test_visits_before_the_campaign_are_a_gate(cast):
    last = season(cast.wuhan, "2026")
    first, second = make.customer(cast.wuhan), make.customer(cast.wuhan)
    ordered(last, first)
    ordered(last, second)
    row = season(cast.wuhan, "2027", previous=last, pre_visits_wanted=50)
    planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    signed(cast, row)
    codes = [code for code, _words in seasons.obstacles(row)]
    assert codes == ["season.base", "season.visits"]
    seasons.freeze_base(row, by=cast.ping, is_sure=True)
    plan = seasons.plan_visits(row, by=cast.ping, when="before")
    assert plan.size == 2
    with pytest.raises(Refused):
        seasons.plan_visits(row, by=cast.ping, when="before")
    row.refresh_from_db()
    assert [code for code, _words in seasons.obstacles(row)] == ["season.visits"]
    visit = Visit.objects.filter(plan=plan).first()
    Visit.objects.filter(pk=visit.pk).update(state="done", closed_at=row.made_at)
    assert seasons.obstacles(Season.objects.get(pk=row.pk)) == []


def test_a_pilot_is_decided_before_the_season_starts(cast, row):
    planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    signed(cast, row)
    today = localdate()
    user = review.apply(
        PilotUser(
            season=row,
            customer=make.customer(cast.wuhan),
            applied_on=today,
            first_day=today,
            last_day=today,
            waiver=200,
        ),
        by=cast.chen,
    )
    assert seasons.obstacles(row)[0][0] == "season.pilot"
    problem = PilotFinding(user=user, kind="problem", words="校对慢", reward=50)
    with pytest.raises(Refused):
        review.found(problem, by=cast.chen)
    user = review.accept(user, by=cast.ping, is_accepted=True)
    assert review.accept(user, by=cast.ping, is_accepted=True).is_accepted
    with pytest.raises(Refused):
        review.accept(user, by=cast.ping, is_accepted=False)
    review.found(
        PilotFinding(user=user, kind="problem", words="慢", reward=50), by=cast.chen
    )
    assert seasons.obstacles(row) == []


def test_the_timetable_is_counted_back_in_working_days(cast, row):
    make.holidays_of(row.posting_on.year, row.posting_on.year + 1)
    assert timetable.lay(row, by=cast.ping) == len(timetable.HOUSE)
    posting = Milestone.objects.get(content="Posting")
    assert posting.due_on == row.posting_on or posting.due_on > posting.first_day
    # By hand it stays; the others follow a new posting day.
    first = Milestone.objects.order_by("first_day")[0]
    fixed = Milestone.objects.get(content="Posting")
    Milestone.objects.filter(pk=fixed.pk).update(anchor="")
    row.posting_on = row.posting_on.replace(day=28)
    row.save()
    timetable.lay(row, by=cast.ping)
    assert Milestone.objects.get(pk=fixed.pk).due_on == fixed.due_on
    assert Milestone.objects.get(pk=first.pk).first_day != first.first_day


def test_a_timetable_wants_a_posting_day(cast):
    row = season(cast.wuhan, "2028", posting_on=None)
    with pytest.raises(Refused) as refusal:
        timetable.lay(row, by=cast.ping)
    assert refusal.value.code == "season.posting"


def test_a_milestone_serves_a_duty_of_the_same_season(client, cast, row):
    group = planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    duty = group.duties.get(department="letter")
    other = season(cast.wuhan, "2028")
    foreign = planning.set_group(other, cast.wuhan, by=cast.chen, leader=cast.chen)
    make.sign_in(client, cast.ping)
    add = reverse("campaigns:plan_add", args=[row.code, "milestone"])
    day = f"{row.first_day}"
    sent = {
        "content": "退件处理",
        "department": "letter",
        "first_day": day,
        "due_on": day,
    }
    wrong = client.post(add, sent | {"duty": foreign.duties.first().pk})
    assert wrong.status_code == 422
    assert client.post(add, sent | {"duty": duty.pk}).status_code == 302
    assert duty.milestones.get().content == "退件处理"
    page = client.get(reverse("campaigns:plan", args=[row.code])).content.decode()
    assert page.count("退件处理") >= 2  # in the timetable and at the duty
    Duty.objects.create(
        group=group, department="letter", words="名址处理", owner=cast.chen
    )
    planning.drop_duty(duty, by=cast.chen)
    assert row.milestones.get(content="退件处理").duty is None


def test_a_change_in_another_tab_is_told_and_neither_text_is_lost(client, cast, row):
    day = row.first_day
    kept = planning.keep(
        Milestone(
            season=row, content="一", department="letter", first_day=day, due_on=day
        ),
        by=cast.ping,
    )
    make.sign_in(client, cast.ping)
    url = reverse("campaigns:milestone", args=[row.code, kept.pk])
    seen = client.get(url).context["form"].seen
    sent = {"department": "letter", "first_day": f"{day}", "due_on": f"{day}"}
    assert client.post(url, sent | {"content": "二", "seen": seen}).status_code == 302
    late = client.post(url, sent | {"content": "三", "seen": seen})
    assert late.status_code == 422
    assert "三" in late.content.decode()
    kept.refresh_from_db()
    assert kept.content == "二"
    again = {"content": "三", "seen": late.context["form"].seen}
    assert client.post(url, sent | again).status_code == 302
    kept.refresh_from_db()
    assert kept.content == "三"


def test_what_waits_for_its_countersignature_is_changed_by_who_handed_it_in(
    client, cast, row
):
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])
    review.submit(row, by=cast.ping)
    with pytest.raises(Refused) as refusal:
        review.write(row, by=cast.chen, facts=FACTS, risks=[risk()])
    assert refusal.value.code == "review.submitted"
    make.sign_in(client, cast.chen)
    page = client.get(reverse("campaigns:review", args=[row.code]))
    assert not page.context["may_write"]
    assert page.context["signers"] == [f"{cast.rui}"]
    review.write(row, by=cast.ping, facts=FACTS, risks=[risk()])


def test_a_season_that_still_sells_is_frozen_by_somebody_who_is_sure(client, cast, row):
    ordered(row, make.customer(cast.wuhan))
    following = season(cast.wuhan, "2028", previous=row)
    make.sign_in(client, cast.ping)
    act = reverse("campaigns:season_act", args=[following.code])
    client.post(act, {"act": "freeze"})
    following.refresh_from_db()
    assert following.base_frozen_at is None
    assert "freeze_sure" in client.get(following.get_absolute_url()).content.decode()
    client.post(act, {"act": "freeze_sure"})
    following.refresh_from_db()
    assert following.base_frozen_at


def test_groups_of_last_season_are_taken_over_with_their_duties(client, cast, row):
    group = planning.set_group(row, cast.wuhan, by=cast.chen, leader=cast.chen)
    planning.keep_duty(
        Duty(group=group, department="letter", words="一户一策", owner=cast.zhao),
        by=cast.chen,
    )
    following = season(cast.wuhan, "2028", previous=row)
    make.sign_in(client, cast.ping)
    for _time in range(2):
        client.post(reverse("campaigns:groups_before", args=[following.code]))
    taken = following.groups.get()
    assert (taken.office, taken.leader) == (cast.wuhan, cast.chen)
    duties = taken.duties.values_list("words", "owner")
    assert list(duties) == list(group.duties.values_list("words", "owner"))


def test_late_milestones_are_told_once_to_owner_and_supervisor(cast, row):
    today = localdate()
    Milestone.objects.create(
        season=row,
        content="走访",
        department="marketing",
        owner=cast.zhao,
        first_day=row.first_day,
        due_on=row.first_day,
    )
    assert row.first_day < today
    for _time in range(2):
        job = Job.objects.create(kind="campaigns.milestones", due_at=row.made_at)
        run_inline(job)
    assert Message.objects.inbox_of(cast.zhao).count() == 1
    assert Message.objects.inbox_of(cast.chen).count() == 1


def test_a_revision_replaces_what_was_issued(cast, row):
    draft = SeasonDocument(season=row, kind="plan", title="方案", body="讨论稿")
    first = planning.write(draft, by=cast.ping)
    planning.issue_document(first, by=cast.ping)
    edited = SeasonDocument.objects.get(pk=first.pk)
    edited.body = "修订稿"
    second = planning.write(edited, by=cast.ping)
    assert (second.version, second.replaces_id) == (2, first.pk)
    assert SeasonDocument.objects.get(pk=first.pk).body == "讨论稿"
    planning.issue_document(second, by=cast.ping)
    assert SeasonDocument.objects.get(pk=first.pk).state == "revised"
    with pytest.raises(Refused):
        planning.write(SeasonDocument.objects.get(pk=first.pk), by=cast.ping)


def test_findings_of_last_season_are_carried_over(cast):
    last = season(cast.wuhan, "2026")
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    ordered(last, customer)
    seasons.note(last, customer, by=cast.zhao, facts={"finding": "要提前报价"})
    row = season(cast.wuhan, "2027", previous=last)
    seasons.freeze_base(row, by=cast.ping, is_sure=True)
    assert SeasonMember.objects.get(season=row).carried == "要提前报价"


def test_a_season_of_another_office_takes_no_notes(cast):
    row = season(cast.yichang, "2027Y")
    customer = make.customer(cast.wuhan)
    with pytest.raises(Refused):
        seasons.note(row, customer, by=cast.chen, facts={"lost": "price"})


def test_a_season_is_closed_after_its_last_day(cast, row):
    with pytest.raises(Refused) as refusal:
        seasons.close(row, by=cast.chen)
    assert refusal.value.code == "season.days"
