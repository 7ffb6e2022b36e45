"""How the night's work is cut: a job for each prefecture, so that workers share it."""

from django.utils.timezone import localdate

from crm.jobs.models import Job
from crm.jobs.services import enqueue
from crm.org.models import Office


def spread(kind: str, job: Job) -> None:
    """Queue `kind` for each prefecture, and for what the province itself keeps; as a step
    of `job`, so that doing it again queues nothing new."""
    for office in Office.objects.active().filter(depth__lte=2):
        params = {"office": office.code, "day": f"{localdate()}"}
        enqueue(kind, params, key=f"{kind}:{job.pk}:{office.code}")


def offices_in(office: Office) -> list[int]:
    """The ids of what one job works on: a prefecture with all below it, a province alone."""
    if office.depth == 1:
        return [office.pk]
    inside = Office.objects.filter(path__startswith=office.path)
    return list(inside.values_list("pk", flat=True))
