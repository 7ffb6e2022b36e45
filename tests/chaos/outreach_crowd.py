"""Run in `manage.py shell`: a running season, 20,000 customers who have consented, started."""

from django.utils.timezone import now

from campaigns import outreach
from campaigns.models import Campaign, OutreachStep, Season
from crm.access.models import User
from crm.org.models import Office
from customers.models import Consent, Customer, CustomerPhone, SavedView

NUMBER = 20_000
office = Office.objects.get(code="421300")
boss = User.objects.get(username="supervisor.hubei")
customers = [
    Customer(
        office=office,
        code=f"OUT{n:06}",
        name=f"OUT{n:06}",
        pinyin=f"out{n:06}",
        kind="corporate",
        strategic_class="media",
    )
    for n in range(NUMBER)
]
Customer.objects.bulk_create(customers, batch_size=2000)
phones, consents = [], []
for number, customer in enumerate(customers):
    phone = CustomerPhone(customer=customer, type="mobile", is_primary=True)
    phone.set_number(f"+8613{500000000 + number}")
    phones.append(phone)
    consents.append(
        Consent(
            customer=customer, purpose="marketing", given_at=now(), how="x", by=boss
        )
    )
CustomerPhone.objects.bulk_create(phones, batch_size=2000)
Consent.objects.bulk_create(consents, batch_size=2000)
view = SavedView.objects.create(
    owner=boss, office=office, name="crowd", query="strategic_class=media"
)
season = Season.objects.filter(state="issued").latest("pk")
made = Campaign(season=season, office=office, name="CHAOS", whom="view", view=view)
made = outreach.keep(made, by=boss)
outreach.keep_step(
    OutreachStep(campaign=made, way="sms", delay=0, condition="always", body="贺卡季"),
    by=boss,
)
print(outreach.chosen(made).count())
outreach.start(made, by=boss)
print(made.pk)
