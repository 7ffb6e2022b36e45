"""`python -m bench.seasons`: a million recipients of a campaign, a million cards of a draw.

Both as a ratio to the bare statement in the same run. BENCH_PEOPLE and BENCH_CARDS make it
smaller.
"""

import os
import shutil
import time
from datetime import date, timedelta

from bench.parts import FOLDER, say

PEOPLE = int(os.environ.get("BENCH_PEOPLE", "1000000"))
CARDS = int(os.environ.get("BENCH_CARDS", "1000000"))
CUSTOMERS = """
INSERT INTO customers_customer (office_id, code, kind, segment, name, pinyin, initials,
    name_bigrams, created_at)
SELECT %(office)s, 'P' || n, 'corporate', 'contract', 'P' || n, 'p' || n, 'p', '{}', now()
FROM generate_series(1, %(count)s) n"""
BARE_CONTACTS = """
INSERT INTO campaigns_contact (campaign_id, customer_id, entry, state, stopped_by, position,
    due_at, answer, entered_at)
SELECT %(campaign)s, id, 1, 'active', '', 1, now(), '', now() FROM customers_customer"""
CARD_ROWS = """
INSERT INTO campaigns_prizecard (run_id, season_id, group_code, number)
SELECT %(run)s, %(season)s, '', lpad(n::text, 7, '0') FROM generate_series(0, %(count)s - 1) n"""
BARE_JOIN = """
SELECT count(*) FROM campaigns_prizecard c JOIN (
    SELECT n.value, l.digits FROM campaigns_winningnumber n
    JOIN campaigns_prizelevel l ON l.id = n.level_id) w
  ON right(c.number, w.digits) = w.value WHERE c.season_id = %(season)s"""
LEVELS = (
    ("exact", 7, 1),
    ("suffix", 6, 2),
    ("suffix", 5, 2),
    ("suffix", 4, 2),
    ("suffix", 2, 2),
)


def seconds(work) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def make_season(office):
    from campaigns.models import Season

    today = date(2026, 11, 23)
    return Season.objects.create(
        office=office,
        code="bench-1",
        name="bench",
        first_day=today - timedelta(days=100),
        last_day=today + timedelta(days=100),
        state="issued",
        issued_at=None,
        prize_digits=7,
    )


def audience(cursor, office, season, boss) -> None:
    """The list of a campaign, by its job, against one bare INSERT … SELECT."""
    from campaigns import outreach
    from campaigns.models import Campaign, OutreachStep
    from crm.jobs.models import Job
    from crm.jobs.running import run_inline
    from customers.models import SavedView

    cursor.execute(CUSTOMERS, {"office": office.pk, "count": PEOPLE})
    cursor.execute("VACUUM ANALYZE customers_customer")
    view = SavedView.objects.create(owner=boss, office=office, name="all", query="")
    campaign = outreach.keep(
        Campaign(season=season, office=office, name="x", whom="view", view=view),
        by=boss,
    )
    outreach.keep_step(OutreachStep(campaign=campaign, way="sms", body="x"), by=boss)
    other = Campaign.objects.create(season=season, office=office, name="y", whom="base")
    bare = seconds(lambda: cursor.execute(BARE_CONTACTS, {"campaign": other.pk}))
    outreach.start(campaign, by=boss)
    job = Job.objects.get(kind="campaigns.gather")
    ours = seconds(lambda: run_inline(job))
    campaign.refresh_from_db()
    steps = -(-PEOPLE // outreach.GATHERED) + 1
    say(f"{PEOPLE:,} recipients: bare INSERT … SELECT", f"{bare:.2f} s")
    say("the campaign's list by its job", f"{ours:.2f} s = {ours / bare:.2f} × (≤ 3)")
    say("recipients, steps of the job", f"{campaign.size:,}, {steps} (≤ 1,000)")


def draw(cursor, office, season, boss) -> None:
    """Cards against five levels: the product's one statement against the bare join."""
    from campaigns import prizes
    from campaigns.models import (
        CardOrder,
        PrintRun,
        PrizeDraw,
        PrizeLevel,
        WinningNumber,
    )
    from customers.models import Customer

    customer = Customer.objects.first()
    order = CardOrder.objects.create(
        season=season,
        customer=customer,
        ordered_on=season.first_day,
        pieces=CARDS,
        revenue=0,
        state="done",
    )
    run = PrintRun.objects.create(
        order=order, number=1, version=1, first_number="0000000", pieces=CARDS
    )
    values = {"run": run.pk, "season": season.pk, "count": CARDS}
    cursor.execute(CARD_ROWS, values)
    cursor.execute("VACUUM ANALYZE campaigns_prizecard")
    day = season.first_day
    made = PrizeDraw.objects.create(
        season=season,
        drawn_on=day,
        source="x",
        redeem_from=day,
        redeem_until=season.last_day,
        place="x",
    )
    for rank, (mode, digits, count) in enumerate(LEVELS, start=1):
        level = PrizeLevel.objects.create(
            draw=made, rank=rank, name=f"{rank}", prize="x", mode=mode, digits=digits
        )
        PrizeLevel.objects.filter(pk=level.pk).update(confirmed_by=boss)
        WinningNumber.objects.bulk_create(
            WinningNumber(
                level=level, value=f"{(rank * 37 + n * 11) % 10**digits:0{digits}d}"
            )
            for n in range(count)
        )
    cursor.execute("ANALYZE campaigns_winningnumber")
    bare = min(
        seconds(lambda: cursor.execute(BARE_JOIN, {"season": season.pk}))
        for _time in range(3)
    )
    found: list[int] = []
    ours = seconds(lambda: found.append(prizes.match(season, by=None)))
    say(f"{CARDS:,} cards, five levels: bare join", f"{bare:.2f} s")
    say(
        f"matched and written, {found[0]:,} wins",
        f"{ours:.2f} s = {ours / bare:.2f} × (≤ 2)",
    )


def counts(cursor, office, season) -> None:
    """The board's counts beside many orders."""
    from campaigns import figures
    from campaigns.models import Season

    previous = Season.objects.create(
        office=office,
        code="bench-0",
        name="bench",
        first_day=season.first_day - timedelta(days=365),
        last_day=season.first_day - timedelta(days=1),
        state="closed",
    )
    season.previous = previous
    season.save()
    for one, share in ((previous, 3), (season, 4)):
        cursor.execute(
            """INSERT INTO campaigns_cardorder (season_id, customer_id, ref, ordered_on,
                   pieces, revenue, cost, content, contract_number, state, reason, made_at)
               SELECT %s, id, '', %s, 100, 180, 0, '', '', 'done', '', now()
               FROM customers_customer WHERE id %% %s = 0""",
            [one.pk, one.first_day, share],
        )
    cursor.execute("VACUUM ANALYZE campaigns_cardorder")
    took = seconds(lambda: figures.counts_of(season, office))
    found = figures.counts_of(season, office)
    say(
        f"the season's counts, {found.base:,} of last season, {found.orders:,} orders now",
        f"{took:.2f} s",
    )


def main() -> None:
    import django

    from crm import embedded

    embedded.start(FOLDER)
    try:
        django.setup()
        from django.core.management import call_command
        from django.db import connection

        from tests import factories as make

        call_command("migrate", verbosity=0)
        cast = make.cast()
        season = make_season(cast.wuhan)
        with connection.cursor() as cursor:
            audience(cursor, cast.wuhan, season, cast.chen)
            draw(cursor, cast.wuhan, season, cast.chen)
            counts(cursor, cast.wuhan, season)
    finally:
        embedded.stop(FOLDER)
        shutil.rmtree(FOLDER, ignore_errors=True)


if __name__ == "__main__":
    main()
