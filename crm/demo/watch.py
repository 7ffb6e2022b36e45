"""The watch of the demo province: rules, two months of key customers, alerts, forecasts."""

from datetime import datetime, timedelta
from random import Random

from django.utils.timezone import get_current_timezone, localdate

from crm.access.models import User
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from crm.org.models import Office
from customers import alerts, watch_night, watch_rules
from customers.key_months import keep_months
from customers.models import Alert, Customer, KeyMonth, Task, WatchRule
from customers.queries import add_months

SMALL = 300  # yuan: the demo's customers send little
ANSWERS = [
    ("kept", "客户暑期放假,九月起恢复交寄"),
    ("kept", "价格有异议,已与客户重签折扣"),
    ("false", "两张账单合并到下月入账,业务并未下降"),
    ("lost", "客户已改用其他公司,合同到期不续"),
]
# What the manager says, the city, and the province.
REPORTS = [
    ("客户在比价，对手报价低两成", "请省公司支持总部价格", "可按总部项目报九折，附方案上报"),
    ("客户货量转走一半，原因未明", "已约负责人走访，先行报备", ""),
    ("合同到期前两周未答复续签", "涉及全省用邮，请省公司协调", ""),
]  # fmt: skip


def seed(rng: Random, root: Office, users: dict[str, User]) -> None:
    watch_rules.usual_rules(root, by=users["supervisor.hubei"])
    WatchRule.objects.filter(at_least__gte=1000).update(at_least=SMALL)
    _served(rng, users["manager.wuhan"])
    _months(rng, root)
    run_inline(enqueue("customers.trends"))
    run_inline(enqueue("customers.forecasts"))
    kinds = ("customers.alert", "customers.forecast")
    for job in Job.objects.filter(kind__in=kinds).order_by("pk"):
        run_inline(job)
    _answers(users["manager.wuhan"])
    levels = ("manager.wuhan", "supervisor.wuhan", "supervisor.hubei")
    _reports(*(users[name] for name in levels))


def _served(rng: Random, manager: User) -> None:
    """Visits of four months ago, so that the effect of service can be seen."""
    month = add_months(localdate(), -4)
    day = datetime.combine(month, datetime.min.time(), get_current_timezone())
    mine = list(Customer.objects.filter(manager=manager)[:40])
    Task.objects.bulk_create(
        Task(
            customer=customer,
            kind="stale",
            title="Check the record with the customer",
            due_on=month + timedelta(days=20),
            assignee=manager,
            source=f"stale:{customer.pk}:demo",
            done_at=day + timedelta(days=rng.randint(1, 25), hours=10),
            done_by=manager,
        )
        for customer in mine
    )


def _months(rng: Random, root: Office) -> None:
    """The month before the last one, with some who joined and some who left since."""
    offices = [root, *Office.objects.filter(path__startswith=root.path, depth=2)]
    today = add_months(localdate(), -1)
    watch_night.renew_trends(list(Customer.objects.values_list("pk", flat=True)), today)
    for office in offices:
        keep_months(office, today)
    kept = list(KeyMonth.objects.values_list("pk", "customer"))
    rng.shuffle(kept)
    KeyMonth.objects.filter(pk__in=[pk for pk, _customer in kept[:6]]).delete()
    gone = [customer for _pk, customer in kept[6:10]]
    Customer.objects.filter(pk__in=gone).update(segment="standard")


def _answers(manager: User) -> None:
    mine = Alert.objects.filter(owner=manager, state=Alert.State.OPEN)
    for alert, (outcome, note) in zip(mine.order_by("pk")[:4], ANSWERS, strict=False):
        alerts.close_alert(alert, by=manager, outcome=outcome, note=note)


def _reports(manager: User, city: User, province: User) -> None:
    """The gravest go up to the province; of one it has said what to do."""
    mine = Alert.objects.filter(owner=manager).exclude(state=Alert.State.CLOSED)
    for alert, told in zip(mine.order_by("rank", "pk")[:3], REPORTS, strict=False):
        alerts.report_alert(alert, by=manager, text=told[0])
        alerts.report_alert(alert, by=city, text=told[1])
        if told[2]:
            alerts.answer_report(alert, by=province, text=told[2])
