"""The organisation directory: imported, matched, handed over, accepted, won."""

import pytest
from django.urls import reverse

from crm.errors import Refused
from crm.jobs.running import run_inline
from crm.notify.models import Message
from crm.transfer import services as transfer
from customers import directory
from customers.models import Customer, Organisation
from tests import factories as make
from tests.transfer.test_customers import bring_in, counts, file_of

HEADER = ["企业名称", "统一社会信用代码", "行业", "电话", "地址"]
ROWS = [
    ["武汉光谷电子有限公司", "", "电子", "027-87654321", "武汉市武昌区中山路1号"],
    ["武汉楚天茶业有限公司", "91420100MA4KMGEH6J", "食品农产", "", ""],
    ["武汉龙泉图书有限公司", "", "养猪", "", ""],
    ["武汉金桥服饰有限公司", "", "服装", "12", ""],
]


def test_entries_come_in_and_known_customers_are_matched(cast):
    by_name = make.customer(cast.wuhan, name="光谷电子公司")
    by_code = make.customer(cast.wuhan, name="楚天甲", credit_code="91420100MA4KMGEH6J")
    make.customer(cast.yichang, name="武汉龙泉图书有限公司")
    rows = [*ROWS, ["武汉东湖家居有限公司", "", "", "", ""]]
    batch = bring_in(file_of(rows, HEADER), cast.wuhan, target="organisations")
    assert counts(batch) == (5, 3, 0, 2)
    found = {row.name: (row.state, row.customer) for row in Organisation.objects.all()}
    assert found == {
        "武汉光谷电子有限公司": ("matched", by_name),
        "武汉楚天茶业有限公司": ("matched", by_code),
        "武汉东湖家居有限公司": ("new", None),
    }
    again = bring_in(
        file_of([ROWS[0][:2] + ["教育", "", ""]], HEADER),
        cast.wuhan,
        target="organisations",
    )
    assert Organisation.objects.get(name=ROWS[0][0]).industry == "education"
    run_inline(transfer.revert_import(again, by=None).job)
    assert Organisation.objects.get(name=ROWS[0][0]).industry == "electronics"
    run_inline(transfer.revert_import(batch, by=None).job)
    assert not Organisation.objects.exists()


def test_the_way_from_the_directory_to_a_customer(client, cast):
    entry = make.entry(cast.wuhan, phone="+862787654321", industry="electronics")
    make.sign_in(client, cast.chen)
    page = client.get(entry.get_absolute_url()).content.decode()
    assert "87654321" not in page
    hand = reverse("customers:hand_over", args=[entry.pk])
    assert client.post(hand, {"developer": cast.mei.pk}).status_code == 422
    data = {"developer": cast.zhao.pk, "outlet": cast.wuchang.pk}
    assert client.post(hand, data).status_code == 302
    assert Message.objects.filter(to_user=cast.zhao).count() == 1
    make.sign_in(client, cast.zhao)
    answer = reverse("customers:organisation_answer", args=[entry.pk])
    assert client.post(answer, {"accept": "no"}).status_code == 422
    assert client.post(answer, {"accept": "yes"}).status_code == 302
    assert client.post(answer, {"accept": "yes"}).status_code == 422
    convert = reverse("customers:organisation_convert", args=[entry.pk])
    for _time in range(2):
        client.post(convert)
    customer = Customer.objects.get()
    assert (customer.manager, customer.segment, customer.source) == (
        cast.zhao,
        "prospect",
        "directory",
    )
    assert customer.phones.get().number == "+862787654321"
    assert customer.is_potential_key_account
    entry.refresh_from_db()
    assert (entry.state, entry.customer) == ("converted", customer)


def test_only_the_developer_answers_and_others_see_nothing(client, cast):
    entry = make.entry(cast.wuhan)
    directory.hand_over(entry, by=cast.chen, developer=cast.zhao)
    with pytest.raises(Refused, match="somebody else"):
        directory.answer_handover(entry, by=cast.chen, accept=True, answer="")
    other = make.user("qian", ("manager", cast.wuhan))
    make.sign_in(client, other)
    assert client.get(entry.get_absolute_url()).status_code == 404
    directory.answer_handover(entry, by=cast.zhao, accept=False, answer="规模太小")
    entry.refresh_from_db()
    assert entry.state == "declined"
    directory.hand_over(entry, by=cast.chen, developer=other)


def test_the_list_filters_by_state_and_name(client, cast):
    make.entry(cast.wuhan, "武汉东湖家居有限公司")
    make.entry(cast.wuhan, "武汉光谷电子有限公司")
    make.entry(cast.yichang, "宜昌东湖家居有限公司")
    make.sign_in(client, cast.chen)
    url = reverse("customers:directory")
    for query, count in (("东湖", 1), ("guanggu", 1), ("", 2), ("nobody", 0)):
        assert len(client.get(url, {"q": query}).context["page"].rows) == count
    assert len(client.get(url, {"state": "handed"}).context["page"].rows) == 0
    assert client.get(url, {"state": "x"}).status_code == 404
