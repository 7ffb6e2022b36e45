"""Phones, addresses, persons, contracts, bills and doubles of the demo customers."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random

from django.utils.timezone import localdate, make_aware, now

from crm import text
from crm.access.models import User
from crm.demo import names
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.jobs.services import enqueue
from customers import addresses
from customers.models import (
    Consent,
    ContactPerson,
    Contract,
    CorrectionRequest,
    Customer,
    CustomerAddress,
    CustomerPhone,
    Household,
    Opportunity,
    Organisation,
    Receivable,
    Recipient,
    ServicePoint,
    TimelineEntry,
    UsageMonth,
)
from customers.models.choices import Industry, Nature, Size, Source
from customers.notes import message_id
from customers.recipients import count, judge, open_list, version_of
from customers.records import grade_address, set_birthday

PROFILED = ("manager.wuhan", "manager.yichang")
NOTES = [
    ("need_basic", "要求次日上午十点前送达，周五件量最大。"),
    ("need_extended", "需要回单服务和代收货款。"),
    ("competitor", "另一家快递报价每件低一元，客户正在比较时限。"),
    ("news", "新仓库十二月启用，预计月发件量增加三成。"),
    ("recommendation", "推荐了对账明信片和贺卡定制，客户表示年底再谈。"),
    ("need_latent", "希望包装上印自己的标志。"),
]
POSTS = ["行政主管", "物流经理", "财务", "办公室主任"]
PROJECTS = ["电商仓配一体化", "标书寄递包年", "贺卡与对账单", "同城次日达"]
DOUBLES = 24


def seed(rng: Random, customers: list[Customer], users: dict[str, User]) -> None:
    """What every customer has: a number and an address; what profiled ones have more."""
    _phones(customers)
    _addresses(rng, customers)
    mine = [c for c in customers if c.manager_id]
    for customer in mine:
        _describe(rng, customer)
    fields = ["nature", "industry", "size", "source", "signing_habit", "verified_on"]
    Customer.objects.bulk_update(
        mine, [*fields, "is_headquarters", "strategic_class", "aliases", "name_bigrams"]
    )
    _people(rng, mine)
    _contracts(rng, customers)
    _consents(rng, mine, users)


def finish(rng: Random, customers: list[Customer], users: dict[str, User]) -> None:
    """What leans on usage and on everything else: bills, notes, doubles, the night's jobs."""
    _bills(rng, customers)
    _notes(rng, customers, users)
    _households(customers)
    _doubles(rng, customers)
    _directory(rng, users)
    _recipients(rng, users)
    run_inline(enqueue("customers.duplicates"))
    run_inline(enqueue("customers.watch"))
    run_inline(enqueue("customers.quality"))
    run_inline(enqueue("customers.values"))
    for job in Job.objects.filter(kind="customers.value").order_by("pk"):
        run_inline(job)


def _phones(customers: list[Customer]) -> None:
    phones = []
    for number, customer in enumerate(customers, start=1):
        phone = CustomerPhone(customer=customer, is_primary=True)
        phone.set_number(text.normalise_phone(f"1300000{number:04d}"))
        phones.append(phone)
    CustomerPhone.objects.bulk_create(phones, batch_size=1000)


def _addresses(rng: Random, customers: list[Customer]) -> None:
    """Most are whole; some lack a number, some were returned by the delivery office."""
    rows: list[CustomerAddress] = []
    counties: dict[str, str] = {}
    for customer in customers:
        place = customer.office.name.removesuffix("邮政局").removesuffix("分局")
        street = names.address(
            rng, f"{place}{counties.setdefault(place, _county(place))}"
        )
        if rng.random() < 0.15:
            street = street.split("号")[0].rstrip("0123456789")
        row = CustomerAddress(customer=customer)
        if rng.random() < 0.3:
            row.verified_on = localdate() - timedelta(days=rng.randint(5, 500))
        grade_address(row, street)
        if rng.random() < 0.03:
            row.quality, row.score = "D", 30
        rows.append(row)
    CustomerAddress.objects.bulk_create(rows, batch_size=1000)


def _county(place: str) -> str:
    """The first county of a prefecture; nothing where the place is a county itself."""
    region = addresses.parse(place).region
    return addresses.first_under(region) if len(region) == 4 else ""


def _describe(rng: Random, customer: Customer) -> None:
    customer.source = rng.choice(Source.values)
    customer.signing_habit = rng.choice(["", "", "前台代收", "收发室", "本人签收"])
    if rng.random() < 0.7:
        customer.verified_on = localdate() - timedelta(days=rng.randint(10, 600))
    if customer.kind == Customer.Kind.CORPORATE:
        customer.nature = rng.choice(Nature.values)
        customer.industry = rng.choice(Industry.values)
        customer.size = rng.choice(Size.values)
        customer.is_headquarters = rng.random() < 0.05
        if rng.random() < 0.08:
            customer.strategic_class = rng.choice(["government", "media", "leader"])
        customer.aliases = [text.company_core(customer.name)[:4]]
        customer.set_name(customer.name)


def _people(rng: Random, customers: list[Customer]) -> None:
    today, rows = localdate(), []
    for customer in customers:
        if customer.kind == Customer.Kind.CORPORATE:
            contact = ContactPerson(
                customer=customer, name=names.person(rng), post=rng.choice(POSTS)
            )
            if rng.random() < 0.6:
                contact.birthday_calendar = rng.choice(["solar", "lunar"])
                contact.birthday_month = rng.randint(1, 12)
                contact.birthday_day = rng.randint(1, 29)
            set_birthday(contact, today)
            rows.append(contact)
    ContactPerson.objects.bulk_create(rows)


def _contracts(rng: Random, customers: list[Customer]) -> None:
    today, rows = localdate(), []
    for number, customer in enumerate(customers, start=1):
        if customer.segment != Customer.Segment.CONTRACT:
            continue
        ends = today + timedelta(days=rng.randint(-30, 700))
        rows.append(
            Contract(
                customer=customer,
                office=customer.office,
                number=f"HT-{ends.year}-{number:05d}",
                starts_on=ends - timedelta(days=729),
                ends_on=ends,
                price_terms=rng.choice(
                    ["标准资费九折", "月发件满千件八五折", "按协议价"]
                ),
                credit_days=rng.choice([15, 30, 45]),
                credit_limit=rng.choice([None, 20_000, 50_000, 200_000]),
                has_safety_agreement=rng.random() < 0.85,
            )
        )
    Contract.objects.bulk_create(rows)


def _consents(rng: Random, customers: list[Customer], users: dict[str, User]) -> None:
    at = make_aware(datetime.combine(localdate() - timedelta(days=90), time(9)))
    Consent.objects.bulk_create(
        Consent(
            customer=customer,
            purpose=purpose,
            given_at=at,
            how="协议附件二",
            by=users["manager.wuhan"],
        )
        for customer in customers
        for purpose in ("service", "care", "marketing")
        if rng.random() < 0.6
    )


def _bills(rng: Random, customers: list[Customer]) -> None:
    """A bill for each month's usage of a contract customer; some are paid late or in part."""
    by_id = {c.pk: c for c in customers if c.segment == Customer.Segment.CONTRACT}
    today, rows = localdate(), []
    for month in UsageMonth.objects.filter(customer__in=by_id, revenue__gt=0):
        customer = by_id[month.customer_id]
        issued = month.month + timedelta(days=33)
        issued = date(issued.year, issued.month, 3)
        if issued > today:
            continue
        due = issued + timedelta(days=30)
        share = rng.choices([1, 0, 0.5], [93, 5, 2] if due < today else [30, 65, 5])[0]
        amount = month.revenue
        rows.append(
            Receivable(
                customer=customer,
                office=customer.office,
                number=f"ZD{month.month:%Y%m}-{customer.code}",
                issued_on=issued,
                due_on=due,
                amount=amount,
                paid=(amount * Decimal(str(share))).quantize(Decimal("0.01")),
            )
        )
    Receivable.objects.bulk_create(rows, batch_size=1000)


def _notes(rng: Random, customers: list[Customer], users: dict[str, User]) -> None:
    managed = [c for c in customers if c.manager_id]
    entries, points, projects = [], [], []
    labels = {kind.value: message_id(kind) for kind in TimelineEntry.Note}
    for number, customer in enumerate(managed):
        for kind, words in rng.sample(NOTES, rng.randint(0, 3)):
            entries.append(
                TimelineEntry(
                    customer=customer,
                    kind=kind,
                    at=now() - timedelta(days=rng.randint(1, 200)),
                    title=labels[kind],
                    text=words,
                    by=customer.manager,
                    source=f"note:demo:{number}:{kind}",
                )
            )
        if number % 9 == 0:
            points.append(
                ServicePoint(
                    customer=customer,
                    text="周五下午四点前必须上门揽收",
                    tone="warn",
                    source=f"pin:demo:{number}",
                    by=customer.manager,
                )
            )
        if number % 7 == 0:
            projects.append(
                Opportunity(
                    customer=customer,
                    title=rng.choice(PROJECTS),
                    kind=rng.choice(["opportunity", "cooperation"]),
                    stage=rng.choice(["lead", "talks", "offer", "trial"]),
                    revenue=rng.randint(2, 60) * 10_000,
                    due_on=localdate() + timedelta(days=rng.randint(-5, 40)),
                    owner=customer.manager,
                )
            )
    TimelineEntry.objects.bulk_create(entries)
    ServicePoint.objects.bulk_create(points)
    Opportunity.objects.bulk_create(projects)
    for customer in managed[3:9]:
        CorrectionRequest.objects.create(
            customer=customer,
            field="address",
            wanted="客户已搬到新园区，请核实后更新地址",
            raised_by=users["handler.wuhan"],
            office=customer.office,
        )


def _households(customers: list[Customer]) -> None:
    people = [c for c in customers if c.kind == "individual" and c.manager_id]
    for one, other in zip(people[0:8:2], people[1:8:2], strict=False):
        if one.office_id != other.office_id:
            continue
        home = Household.objects.create(office=one.office, name=f"{one.name[:1]}家")
        Customer.objects.filter(pk__in=[one.pk, other.pk]).update(household=home)


def _doubles(rng: Random, customers: list[Customer]) -> None:
    """The same company typed in twice: other spelling of the name, same number."""
    firms = [
        c for c in customers if c.kind == "corporate" and c.office.code[:4] == "4201"
    ]
    for number, first in enumerate(rng.sample(firms, DOUBLES), start=1):
        double = Customer(
            office=first.office,
            code=f"DB{number:04d}",
            kind=first.kind,
            segment="casual",
        )
        double.set_name(first.name.replace("有限公司", "公司").replace("股份", ""))
        double.save()
        phone = CustomerPhone(customer=double, is_primary=True)
        phone.set_number(first.phones.get(is_primary=True).number)
        phone.save()


def _directory(rng: Random, users: dict[str, User]) -> None:
    """Enterprises of Wuhan that nobody has won yet; every fourth waits for the developer."""
    manager = users["manager.wuhan"]
    office = manager.postings.get().office
    for number in range(16):
        entry = Organisation(office=office, industry=rng.choice(Industry.values))
        entry.set_name(f"武汉新城{names.company(rng, '')}")
        if number % 4 == 0:
            entry.state, entry.developer, entry.handed_at = "handed", manager, now()
        entry.save()


PURPOSES = [("年度贺卡名单", "贺卡寄递"), ("客户答谢名单", "答谢函寄递")]


def _recipients(rng: Random, users: dict[str, User]) -> None:
    """Lists that two firms entrusted: most addresses good, some with every kind of flaw."""
    manager = users["manager.wuhan"]
    firms = Customer.objects.filter(
        manager=manager, kind="corporate", segment="contract", merged_into=None
    ).order_by("pk")
    year = localdate().year
    for number, (firm, (name, purpose)) in enumerate(
        zip(firms[:2], PURPOSES, strict=False), start=1
    ):
        listed = open_list(
            firm,
            by=manager,
            name=f"{year + 1}{name}",
            purpose=purpose,
            agreement=f"WT{year}-{number:03d}",
            ends_on=localdate() + timedelta(days=25 + 200 * (number - 1)),
        )
        version_of(listed, None, made_by=manager)
        rows = {}
        for line in range(2, 62):
            row = Recipient(recipient_list=listed, line=line, since=1, seen=1)
            row.name, row.ref = names.person(rng), str(line - 1)
            row.address = names.address(rng, "湖北省武汉市武昌区")
            _damage(rng, row)
            judge(row)
            rows[bytes(row.key)] = row
        Recipient.objects.bulk_create(rows.values())
        count(listed)


def _damage(rng: Random, row: Recipient) -> None:
    chance = rng.random()
    if chance < 0.08:
        row.address = row.address.split("号")[0].rstrip("0123456789")
    elif chance < 0.13:
        row.address = row.address.removeprefix("湖北省武汉市武昌区")
    elif chance < 0.17:
        row.postcode = "510000"
    elif chance < 0.21:
        row.phone = "1380013"
    elif chance < 0.24:
        row.flaws = [Recipient.Flaw.RETURNED]
