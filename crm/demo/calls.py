"""Calls of the demo province: three months of a call centre, with its rush hours."""

from datetime import timedelta
from random import Random

from django.utils.timezone import localtime, now

from complaints.models import Call
from crm.access.models import User
from crm.org.models import Office

DAYS, A_DAY = 92, 11
WRAP_UPS = ("solved", "logged", "informed", "reminded", "call_back", "wrong", "silent")
OFTEN = (52, 22, 12, 4, 3, 4, 3)


def seed(rng: Random, users: dict[str, User], offices: dict[str, Office]) -> None:
    """Calls that rang at the provincial centre and at Wuhan's; the last month is better
    answered than those before."""
    places = (offices["420000-11183"], offices["420100"])
    start = localtime(now()).replace(hour=8, minute=0, second=0, microsecond=0)
    rows = []
    for day in range(1, DAYS + 1):
        for n in range(rng.randint(A_DAY - 4, A_DAY + 6)):
            rang = start - timedelta(days=day) + timedelta(minutes=rng.randint(0, 720))
            slow = 0.30 if day > 30 else 0.16
            waits = rng.randint(22, 95) if rng.random() < slow else rng.randint(2, 19)
            is_lost = waits > 45 and rng.random() < 0.5
            waited = rang + timedelta(seconds=waits)
            talked = timedelta(seconds=0 if is_lost else rng.randint(40, 420))
            wrap_up = "" if is_lost else rng.choices(WRAP_UPS, OFTEN)[0]
            rows.append(
                Call(
                    user=None if is_lost else users["agent.wuhan"],
                    office=rng.choice(places),
                    call_id=f"demo-{day}-{n}",
                    called="11183",
                    rang_at=rang,
                    answered_at=None if is_lost else waited,
                    ended_at=waited + talked,
                    wrap_up=wrap_up,
                    done_at=waited + talked,
                )
            )
    Call.objects.bulk_create(rows)
