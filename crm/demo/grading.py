"""A grading scheme of the demo province, a published run, and one that waits for approval."""

from dataclasses import replace
from datetime import date

from crm.access.models import User
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.org.models import Office
from customers import grade_runs, grading
from customers.models import GradeRun, GradeScheme


def seed(root: Office, users: dict[str, User]) -> None:
    first, second = users["supervisor.wuhan"], users["supervisor.hubei"]
    rules = grading.PRESETS["three"]
    grades = (
        replace(rules.grades[0], amount=6_000, score=60),
        replace(rules.grades[1], amount=1_500, score=40),
        rules.grades[2],
    )
    rules = replace(rules, grades=grades, top=1, top_grade="important")
    last = grade_runs.last_period_end("quarter")
    before = grade_runs.last_period_end("quarter", last)
    draft = GradeScheme(office=root, name="速递客户分级", valid_from=before)
    scheme = grade_runs.save_scheme(draft, rules, by=second)
    published = _computed(scheme, root, before, second)
    grade_runs.propose_run(published, by=second)
    GradeRun.objects.filter(pk=published.pk).update(
        state=GradeRun.State.APPROVED, approved_by=first
    )
    params = {"run": published.pk}
    run_inline(grade_runs.enqueue("customers.grade_publish", params))
    wuhan = first.postings.get().office
    waiting = _computed(scheme, wuhan, last, first)
    grade_runs.propose_run(waiting, by=first)


def _computed(scheme: GradeScheme, root: Office, until: date, by: User) -> GradeRun:
    run = grade_runs.start_run(scheme, root, until, by=by)
    waiting = Job.objects.filter(kind="customers.grade", state=Job.State.QUEUED)
    while job := waiting.first():
        run_inline(job)
    run.refresh_from_db()
    return run
