"""`python -m bench.breach`: whom a leak has hit, out of a million rows of the trail (B46).

BENCH_EVENTS makes it smaller. A fifth of the rows is the thief's, over 40,000 customers.
"""

import os
import shutil

from bench.parts import FOLDER, best, say

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
CUSTOMERS = 60_000
FILL = """
INSERT INTO audit_auditevent (at, actor_id, actor_name, role, office_path, action, target,
    result, details, session, request_id, mac)
SELECT now() - n %% 200000 * interval '1 second', CASE WHEN n %% 5 = 0 THEN %(thief)s END,
    'x', '', '', 'customer.revealed',
    'customers.customer:' || ((%(first)s) + n %% 40000), 'ok', '{}', '', '', ''
FROM generate_series(1, %(events)s) n"""


def main() -> None:
    from crm import embedded

    embedded.start(FOLDER)
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from crm.risk import breach
    from customers.models import Customer
    from tests import factories as make

    root = make.office("42", "湖北省", "province")
    thief = make.user("thief", ("agent", root))
    Customer.objects.bulk_create(
        Customer(office=root, code=f"B{n:06}", name=f"公司{n}")
        for n in range(CUSTOMERS)
    )
    first = Customer.objects.order_by("pk").values_list("pk", flat=True)[0]
    facts = {"thief": thief.pk, "first": first, "events": EVENTS}
    with connection.cursor() as cursor:
        cursor.execute(FILL, facts)
        cursor.execute("VACUUM ANALYZE audit_auditevent")
    hits = len(breach.report(actor=thief).hits)
    took = best(lambda: breach.report(actor=thief), 3)
    say(
        f"{EVENTS:,} rows of the trail: {hits:,} customers hit", f"{took:.1f} s (≤ 600)"
    )
    embedded.stop(FOLDER)


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)
