"""Virtual delivery, print runs, codes, the draw: matched, told, claimed, missed."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.utils.timezone import localdate

from campaigns import addressing, files, printing, prizes, typesetting, winners
from campaigns.models import (
    CheckedAddress,
    PrintFile,
    PrizeCard,
    PrizeDraw,
    PrizeLevel,
    Season,
    Win,
)
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.jobs.models import Job
from crm.jobs.running import run_inline
from crm.notify.models import Message
from customers import recipients
from customers.models import Recipient
from tests import factories as make
from tests.seasons import contracted, issued, ordered, season

GOOD = {"address": "湖北省武汉市武昌区中山路12号", "postcode": "430060"}


@pytest.fixture
def order(cast):
    row = issued(cast)
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    made = contracted(row, customer, cast.zhao)
    listed = make.recipient_list(customer)
    return addressing.choose_list(made, listed, by=cast.zhao)


def people(order, *addresses: dict) -> list[Recipient]:
    found = [
        make.recipient(order.recipients, name=f"收件人{number}", **facts)
        for number, facts in enumerate(addresses)
    ]
    recipients.count(order.recipients)
    return found


def run_of(order, by, **facts):
    facts = {"first": "000100", "doubtful_confirmed": True} | facts
    return printing.make(order, by=by, **facts)


def drawn(cast, season: Season, *levels: tuple[int, str, int, str]) -> PrizeDraw:
    today = localdate()
    draw = prizes.keep(
        PrizeDraw(
            season=season,
            drawn_on=today,
            source="集邮公告",
            redeem_from=today,
            redeem_until=today + timedelta(days=60),
            place="各邮政支局",
        ),
        by=cast.ping,
    )
    for rank, mode, digits, numbers in levels:
        level = PrizeLevel(draw=draw, rank=rank, name=f"{rank}等奖", prize="x")
        level.mode, level.digits = mode, digits
        prizes.keep_level(level, by=cast.ping)
        prizes.enter(level, by=cast.ping, written=numbers)
        prizes.enter(level, by=cast.chen, written=numbers)
    return draw


# --- addresses ---------------------------------------------------------------------------


def test_virtual_delivery_says_what_is_deliverable_and_what_is_doubtful(cast, order):
    people(
        order,
        GOOD,
        {"address": "武汉市武昌区", "postcode": "430060"},
        GOOD | {"postcode": "100000"},
    )
    check = addressing.deliver_virtually(order, by=cast.zhao)
    result = addressing.result_of(check)
    counts = {code: n for code, _label, n in result.by_code}
    assert counts["good"] == 1
    assert counts["insufficient"] == 1
    assert counts["corrected"] == 1
    assert (result.predicted.numerator, result.predicted.denominator) == (2, 3)


def test_the_section_that_would_deliver_it_judges_a_doubtful_address(cast, order):
    people(order, GOOD, {"address": "湖北省武汉市武昌区和平大道", "postcode": "430060"})
    addressing.deliver_virtually(order, by=cast.zhao)
    doubtful = CheckedAddress.objects.get(code="insufficient")
    assert doubtful.office == cast.wuchang
    assert list(addressing.waiting(cast.yong)) == [doubtful]
    assert not addressing.waiting(cast.mei).exists()
    with pytest.raises(PermissionDenied):
        addressing.judge(doubtful, by=cast.mei, code="good")
    addressing.judge(doubtful, by=cast.yong, code="good", note="和平大道只有一户")
    doubtful.recipient.refresh_from_db()
    assert doubtful.recipient.verified_on == localdate()
    assert not addressing.waiting(cast.yong).exists()


def test_another_customers_list_is_refused(cast, order):
    other = make.recipient_list(make.customer(cast.wuhan))
    with pytest.raises(Refused) as refusal:
        addressing.choose_list(order, other, by=cast.chen)
    assert refusal.value.code == "list.other"


# --- print runs ----------------------------------------------------------------------------


def test_class_d_is_blocked_from_printing_until_it_is_corrected(cast, order):
    bad, _good = people(order, GOOD, GOOD | {"address": "湖北省武汉市武昌区中山路9号"})
    recipients.report_delivery(bad, by=None, delivered=False)
    Recipient.objects.update(since=0)  # they came with an earlier file
    with pytest.raises(Refused) as refusal:
        run_of(order, cast.zhao)
    assert refusal.value.code == "print.blocked"
    run = run_of(order, cast.zhao, without_blocked=True)
    assert (run.pieces, run.blocked) == (1, 1)
    assert not PrizeCard.objects.filter(recipient=bad).exists()
    facts = {name: getattr(bad, name) for name in recipients.FACTS}
    facts["address"] = "湖北省武汉市武昌区中山路10号"
    bad.refresh_from_db()
    recipients.correct(bad, by=None, facts=facts)
    again = run_of(order, cast.zhao, first="000200")
    assert (again.pieces, again.blocked, again.mended) == (
        1,
        0,
        1,
    )  # the other has a card
    with pytest.raises(Refused) as refusal:
        run_of(order, cast.zhao, first="000300")
    assert refusal.value.code == "print.none"


def test_doubtful_addresses_want_the_customers_word(cast, order):
    people(order, {"address": "武昌区", "postcode": "430060"})
    with pytest.raises(Refused) as refusal:
        run_of(order, cast.zhao, doubtful_confirmed=False)
    assert refusal.value.code == "print.doubtful"


@pytest.mark.parametrize("first", ["12345", "1234567", "12a456", "９９９", "999999"])
def test_a_first_number_has_the_seasons_digits_and_room(cast, order, first):
    people(order, GOOD, GOOD | {"address": "湖北省武汉市武昌区中山路9号"})
    with pytest.raises(Refused) as refusal:
        run_of(order, cast.zhao, first=first)
    assert refusal.value.code == "print.digits"


def test_codes_keep_their_zeros_and_belong_to_one_card(cast, order):
    people(order, GOOD, GOOD | {"address": "湖北省武汉市武昌区中山路9号"})
    run = run_of(order, cast.zhao, first="000009")
    numbers = run.cards.order_by("number").values_list("number", flat=True)
    assert list(numbers) == ["000009", "000010"]
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    other = contracted(order.season, customer, cast.zhao)
    other = addressing.choose_list(other, make.recipient_list(customer), by=cast.zhao)
    people(other, GOOD, GOOD | {"address": "湖北省武汉市武昌区中山路9号"})
    with pytest.raises(Refused) as refusal:
        run_of(other, cast.zhao, first="000010")
    assert refusal.value.code == "print.taken"
    assert run_of(other, cast.zhao, first="000010", group="A").pieces == 2


def test_a_code_is_shown_masked_and_each_look_is_in_the_trail(cast, order):
    people(order, GOOD)
    card = run_of(order, cast.zhao, first="004711").cards.get()
    assert str(card) == "****11"
    assert printing.reveal(card, by=cast.zhao) == "004711"
    assert AuditEvent.objects.get(action="card.revealed").actor == cast.zhao
    with pytest.raises(PermissionDenied):
        printing.reveal(card, by=cast.mei)


def test_the_printer_gets_pdf_and_data_and_each_download_is_told(cast, order):
    people(order, GOOD)
    run = run_of(order, cast.zhao)
    for kind in PrintFile.OF_RUNS:
        (row,) = files.ask_run(run, kind, by=cast.zhao)
        job = Job.objects.filter(kind="campaigns.files").latest("pk")
        run_inline(job)
        row.refresh_from_db()
        content = files.fetch(row, by=cast.zhao)
        start = "\ufeff".encode() if kind == "data" else b"%PDF"
        assert content.startswith(start)
        assert b"%PDF" not in row.path.read_bytes()  # encrypted where it lies
    assert AuditEvent.objects.filter(action="print.fetched").count() == 5
    assert "000100" in files.fetch(run.files.get(kind="data"), by=cast.zhao).decode()


def test_cards_handed_over_are_a_batch_of_delivery(cast, order):
    people(order, GOOD)
    addressing.deliver_virtually(order, by=cast.zhao)
    run = run_of(order, cast.zhao)
    batch = printing.hand_over(run, by=cast.zhao, on=localdate(), is_presorted=True)
    assert (batch.pieces, batch.checked, batch.faulty) == (1, 1, 0)
    with pytest.raises(Refused):
        printing.hand_over(run, by=cast.zhao, on=localdate())


# --- the draw --------------------------------------------------------------------------------


@pytest.fixture
def printed(cast, order):
    people(
        order,
        *({**GOOD, "address": f"湖北省武汉市武昌区中山路{n}号"} for n in range(1, 21)),
    )
    run_of(order, cast.zhao, first="000990")
    return order


def test_suffix_exact_and_group_each_win_the_highest_level_once(cast, printed):
    row = printed.season
    drawn(
        cast,
        row,
        (1, "exact", 6, "001000"),
        (2, "suffix", 2, "00"),
        (3, "suffix", 1, "0"),
    )
    assert prizes.match(row, by=cast.ping) == 2
    found = {win.card.number: win.level.rank for win in winners.wins_of(row, cast.chen)}
    assert found == {"001000": 1, "000990": 3}
    assert prizes.match(row, by=cast.ping) == 0


def test_a_draw_may_let_a_card_win_several_times(cast, printed):
    row = printed.season
    draw = drawn(cast, row, (1, "exact", 6, "001000"), (2, "suffix", 1, "0"))
    PrizeDraw.objects.filter(pk=draw.pk).update(allows_several=True)
    assert prizes.match(row, by=cast.ping) == 3


def test_group_and_number_must_both_agree(cast, order):
    people(order, GOOD)
    run_of(order, cast.zhao, first="000001", group="A")
    drawn(cast, order.season, (1, "group", 6, "B 000001"), (2, "group", 6, "A 000001"))
    prizes.match(order.season, by=cast.ping)
    assert Win.objects.get().level.rank == 2


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0012\n0012", "numbers.twice"),
        ("00123", "numbers.length"),
        ("12", "numbers.length"),
        ("12x4", "numbers.form"),
        ("A 0012", "numbers.form"),
        ("", "numbers.none"),
    ],
)
def test_wrong_numbers_are_named(cast, order, written, code):
    draw = drawn(cast, order.season)
    level = PrizeLevel(draw=draw, rank=1, name="x", prize="x", mode="suffix", digits=4)
    prizes.keep_level(level, by=cast.ping)
    with pytest.raises(Refused) as refusal:
        prizes.enter(level, by=cast.ping, written=written)
    assert refusal.value.code == code


def test_a_level_longer_than_a_code_is_refused(cast, order):
    draw = drawn(cast, order.season)
    for mode, digits in (("suffix", 7), ("exact", 5)):
        level = PrizeLevel(draw=draw, rank=1, name="x", prize="x")
        level.mode, level.digits = mode, digits
        with pytest.raises(Refused) as refusal:
            prizes.keep_level(level, by=cast.ping)
        assert refusal.value.code == "level.digits"


def test_there_are_no_numbers_before_the_day_of_the_draw(cast, printed):
    draw = drawn(cast, printed.season, (1, "suffix", 1, "0"))
    level = draw.levels.get()
    soon = localdate() + timedelta(days=1)
    PrizeDraw.objects.update(drawn_on=soon, redeem_from=soon)
    for act in (
        lambda: prizes.enter(level, by=cast.ping, written="1"),
        lambda: prizes.match(printed.season, by=cast.ping),
    ):
        with pytest.raises(Refused) as refusal:
            act()
        assert refusal.value.code == "draw.early"


@pytest.mark.parametrize("days", [-1, 1])
def test_cards_are_handed_over_between_making_and_today(cast, order, days):
    people(order, GOOD)
    run = run_of(order, cast.zhao)
    with pytest.raises(Refused) as refusal:
        printing.hand_over(run, by=cast.zhao, on=localdate() + timedelta(days=days))
    assert refusal.value.code == "print.day"


def test_numbers_are_entered_by_two_people_and_must_agree(cast, printed):
    draw = drawn(cast, printed.season)
    level = PrizeLevel(draw=draw, rank=1, name="x", prize="x", mode="suffix", digits=2)
    prizes.keep_level(level, by=cast.ping)
    prizes.enter(level, by=cast.ping, written="07")
    prizes.enter(level, by=cast.ping, written="08")  # a correction, no confirmation
    with pytest.raises(Refused) as refusal:
        prizes.match(printed.season, by=cast.ping)
    assert refusal.value.code == "draw.unconfirmed"
    with pytest.raises(Refused, match="notice"):
        prizes.enter(level, by=cast.chen, written="07")
    assert prizes.enter(level, by=cast.chen, written="08").confirmed_by == cast.chen


def test_recipient_and_customer_are_told_and_the_prize_is_claimed_or_missed(
    cast, printed
):
    row = printed.season
    draw = drawn(cast, row, (1, "suffix", 1, "0"))
    prizes.match(row, by=cast.ping)
    wins = Win.objects.all()
    assert winners.told(wins, by=cast.zhao, whom="recipient", way="letter") == 2
    assert winners.told(wins, by=cast.zhao, whom="recipient", way="call") == 0
    assert winners.told(wins[:1], by=cast.zhao, whom="customer", way="call") == 1
    first = wins.first()
    with pytest.raises(Refused):
        winners.claim(first, by=cast.zhao, on=draw.redeem_until)
    winners.claim(first, by=cast.zhao, on=localdate())
    found = winners.figures(wins, row)
    assert (found.recipients.numerator, found.customers.numerator) == (2, 1)
    assert (found.claimed.numerator, found.missed.numerator) == (1, 0)
    later = winners.figures(wins, row, today=draw.redeem_until + timedelta(days=1))
    assert later.missed.numerator == 1


@pytest.mark.parametrize("whom", ["recipient", "customer"])
def test_letters_of_notice_bear_the_slogan_place_and_term(
    cast, printed, whom, monkeypatch
):
    row = printed.season
    Season.objects.filter(pk=row.pk).update(slogan="贺到、心到、喜到")
    draw = drawn(cast, row, (1, "suffix", 1, "0"))
    prizes.match(row, by=cast.ping)
    made, real = [], typesetting.compile_pdf

    def watched(template, data):
        made.append(data)
        return real(template, data)

    monkeypatch.setattr(typesetting, "compile_pdf", watched)
    wins = Win.objects.all()
    winners.inform(row, wins, by=cast.zhao, whom=whom, way="letter")
    run_inline(Job.objects.filter(kind="campaigns.files").latest("pk"))
    content = files.fetch(PrintFile.objects.get(kind="notices"), by=cast.zhao)
    assert content.startswith(b"%PDF")
    (data,) = made
    assert (data["slogan"], data["place"]) == ("贺到、心到、喜到", draw.place)
    assert data["last"] == f"{draw.redeem_until}"
    assert sum(len(letter["wins"]) for letter in data["letters"]) == 2


def test_a_notice_is_measured_by_the_next_seasons_orders(cast, printed):
    row = printed.season
    drawn(cast, row, (1, "suffix", 1, "0"))
    prizes.match(row, by=cast.ping)
    winners.told(Win.objects.all(), by=cast.zhao, whom="customer", way="call")
    following = season(cast.wuhan, "2028", previous=row)
    assert winners.figures(Win.objects.all(), row).again.value == 0
    ordered(following, printed.customer)
    assert winners.figures(Win.objects.all(), row).again.value == 1


def test_managers_are_reminded_at_half_time_and_before_the_end(cast, printed):
    row = printed.season
    draw = drawn(cast, row, (1, "suffix", 1, "0"))
    prizes.match(row, by=cast.ping)
    before = Message.objects.inbox_of(cast.zhao).count()
    for days, extra in ((10, 0), (14, 1), (3, 2)):
        today = localdate()
        PrizeDraw.objects.filter(pk=draw.pk).update(
            drawn_on=today - timedelta(days=40),
            redeem_from=today - timedelta(days=40),
            redeem_until=today + timedelta(days=days),
        )
        if days == 3:
            Message.objects.filter(key__startswith="prizes:").update(key=None)
        for _time in range(2):
            run_inline(Job.objects.create(kind="campaigns.prizes", due_at=row.made_at))
        assert Message.objects.inbox_of(cast.zhao).count() == before + extra
