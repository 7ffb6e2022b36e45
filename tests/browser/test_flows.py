"""The stories that the product stands on, in a real browser."""

import time

import pytest
from django.utils.timezone import localdate
from playwright.sync_api import expect

from complaints import telephony
from complaints.calls import note_event
from complaints.models import Call, Complaint, TextBlock
from delivery.models import Visit, VisitReport
from tests import factories as make
from tests.browser.conftest import sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]
expect.set_options(timeout=20_000)


def test_a_supervisor_imports_the_ledger_and_opens_the_customers_behind_the_rates(
    site, place, worker
):
    make.user("boss", ("supervisor", place.hubei))
    sign_in(site, "boss")
    site.get_by_role("link", name="Imports").click()
    site.get_by_role("link", name="Import a file").first.click()
    site.select_option("#id_office", label="武汉市")
    site.check("#id_example")
    site.get_by_role("button", name="Upload and preview").click()
    expect(site.get_by_role("status")).to_contain_text(
        "1000 of the first 1000 rows are good"
    )
    site.get_by_role("button", name="Start the import").click()
    expect(site.get_by_text("2357 new customers were made.")).to_be_visible(
        timeout=40_000
    )

    site.get_by_role("link", name="To the KPI board").click()
    for name, value in [
        ("base_first", "1997-07-01"),
        ("base_last", "1997-12-31"),
        ("current_first", "1998-01-01"),
        ("current_last", "1998-06-30"),
    ]:
        site.fill(f"#id_{name}", value)
    site.get_by_role("button", name="Show", exact=True).click()
    kept = site.locator("#kpi-retained")
    expect(kept).to_contain_text("52.02%")
    expect(kept).to_contain_text("322 / 619")
    expect(site.locator("#kpi-new")).to_contain_text("31.18%")
    kept.click()
    expect(site.locator(".pager")).to_contain_text("322 rows")
    assert "base=1997-07-01..1997-12-31" in site.url


class Keys:
    """A keyboard that counts its strokes; free text is typed apart."""

    def __init__(self, site):
        self.site, self.count = site, 0

    def press(self, *keys: str) -> None:
        for key in keys:
            self.count += len(key.split("+"))
            self.site.keyboard.press(key)


def test_an_agent_logs_a_ringing_call_in_fourteen_strokes_at_most(site, place):
    """From the ringing number to saved and wrapped up, without a mouse."""
    make.customer(
        place.wuhan, name="王秀英", kind="individual", phone="13900000001", code="K1"
    )
    sign_in(site, "lin")
    site.wait_for_url("**/call/*/")
    site.get_by_text("Take a seat").click()
    site.fill("#id_extension", "8001")
    site.keyboard.press("Enter")
    expect(site.locator(".call-bar")).to_contain_text("8001")
    note_event(
        telephony.generic(
            {
                "event": "ringing",
                "call_id": "7",
                "from": "13900000001",
                "extension": "8001",
            }
        )
    )
    expect(site.locator(".ringing")).to_contain_text("139******01")
    keys = Keys(site)
    keys.press("F8")
    expect(site.locator("#caller")).to_contain_text("王")
    expect(site.locator("#id_subcategory-combo")).to_be_focused()
    keys.press("y", "s", "Enter", "Tab", "Tab")
    expect(site.locator("#preview")).to_contain_text("Legal limit")
    site.keyboard.type("邮件五天没有送到。")
    keys.press("Control+Enter")
    site.wait_for_url("**/wrap-up/")
    keys.press("Enter")
    site.wait_for_url("**/call/*/")
    assert keys.count <= 14
    made = Complaint.objects.get()
    assert (made.subcategory.code, made.customer.code) == ("101", "K1")
    assert Call.objects.get(call_id="7").wrap_up == "logged"


def test_what_an_agent_typed_is_there_after_a_crash_of_the_browser(site, place):
    sign_in(site, "lin")
    site.wait_for_url("**/call/*/")
    address = site.url
    site.fill("#id_phone", "13900000001")
    site.fill("#id_description", "打到一半断电了")
    expect(site.locator("#kept")).to_contain_text("Draft kept", timeout=9000)
    site.goto(site.base + "/complaints/")
    site.goto(address)
    expect(site.locator("#id_description")).to_have_value("打到一半断电了")
    expect(site.locator("#id_phone")).to_have_value("13900000001")


def test_a_category_is_typed_and_enter_never_sends_half_a_form(site, place):
    sign_in(site, "lin")
    site.wait_for_url("**/call/*/")
    expect(site.locator("#id_phone")).to_be_focused()
    site.keyboard.type("13900000002")
    site.keyboard.press("Enter")
    expect(site.locator("#id_kind-combo")).to_be_focused()
    site.keyboard.type("cx")  # the page is in English
    expect(site.locator("#id_kind-list li").first).to_have_text("Enquiry")
    site.keyboard.press("Escape")
    expect(site.locator("#id_kind-combo")).to_have_value("Complaint")
    site.keyboard.press("F4")
    site.keyboard.type("posun")
    expect(site.locator("#id_subcategory-list li").first).to_have_text(
        "Contents damaged"
    )
    site.keyboard.press("ArrowDown")
    site.keyboard.press("Enter")
    expect(site.locator("#id_subcategory-combo")).to_have_value("Packing damaged")
    expect(site.locator("#context")).to_contain_text("keep item and packing")
    assert not Complaint.objects.exists()


def test_a_number_typed_before_the_scripts_came_is_looked_up_too(site, place):
    make.customer(
        place.wuhan, name="王秀英", kind="individual", phone="13900000001", code="K1"
    )
    sign_in(site, "lin")
    site.route(
        "**/htmx-2*.js",
        lambda route: (site.wait_for_timeout(800), route.continue_())[1],
    )
    site.goto(site.base + "/complaints/new/", wait_until="commit")
    site.fill("#id_phone", "13900000001")
    expect(site.locator("#caller")).to_contain_text("王")


def test_the_theme_and_the_language_are_kept(site, place):
    sign_in(site, "chen")
    site.get_by_role("button", name="Switch light or dark").click()
    theme = site.locator("html").get_attribute("data-theme")
    site.get_by_role("button", name="简体中文").click()
    expect(site.get_by_role("heading", level=1)).to_have_text("当前")
    assert site.locator("html").get_attribute("data-theme") == theme
    assert site.locator("html").get_attribute("lang") == "zh-Hans"


def test_the_search_box_is_one_key_away_and_opens_the_only_hit(site, place):
    make.customer(place.wuhan, name="武汉邮科电子有限公司", manager=place.zhao)
    sign_in(site, "zhao")
    site.goto(site.base + "/customers/")
    site.keyboard.press("/")
    site.keyboard.type("邮科")
    site.keyboard.press("Enter")
    expect(site.get_by_role("heading", level=1)).to_have_text("武汉邮科电子有限公司")
    assert "邮科" not in site.url


def test_a_manager_keeps_a_record_with_the_keyboard_alone(site, place):
    firm = make.customer(place.wuhan, name="武汉长江电子有限公司", manager=place.zhao)
    sign_in(site, "zhao")
    site.goto(site.base + firm.get_absolute_url())
    phones = site.locator("#panel-phones")
    phones.locator("details.add summary").focus()
    site.keyboard.press("Enter")
    expect(phones.locator("#phones-number")).to_be_focused()
    site.keyboard.type("12")
    site.keyboard.press("Control+Enter")
    expect(phones.locator(".err")).to_contain_text("not a phone number")
    expect(phones.locator("#phones-number")).to_be_focused()
    expect(phones.locator("#phones-number")).to_have_value("12")
    site.keyboard.press("Control+A")
    site.keyboard.type("13900000042")
    site.keyboard.press("Control+Enter")
    expect(phones).to_contain_text("13900000042")
    timeline = site.locator("#timeline")
    timeline.locator("details.add summary").focus()
    site.keyboard.press("Enter")
    expect(timeline.locator("#note-kind")).to_be_focused()
    site.keyboard.press("Tab")
    site.keyboard.type("新仓库十二月启用")
    site.keyboard.press("Control+Enter")
    expect(timeline).to_contain_text("新仓库十二月启用")


def test_a_form_that_came_back_with_an_error_can_be_sent_at_once(site, place):
    """Sent in the very moment it is drawn, it goes to its panel, not to a page."""
    firm = make.customer(place.wuhan, manager=place.zhao)
    sign_in(site, "zhao")
    site.goto(site.base + firm.get_absolute_url())
    phones = site.locator("#panel-phones")
    phones.locator("details.add summary").click()
    expect(site.locator("#phones-number")).to_be_focused()
    site.evaluate(
        """new MutationObserver((changes, watch) => {
            const number = document.querySelector("#phones-number");
            if (!number.form.querySelector(".err")) return;
            watch.disconnect();
            number.value = "13900000042";
            number.form.requestSubmit();
        }).observe(document.body, {childList: true, subtree: true})"""
    )
    site.keyboard.type("12")
    site.keyboard.press("Control+Enter")
    expect(phones.locator(".lines")).to_contain_text("13900000042")
    expect(site).to_have_url(site.base + firm.get_absolute_url())


def test_a_supervisor_merges_two_and_undoes_it(site, place):
    first = make.customer(place.wuhan, name="武汉长江印刷有限公司")
    second = make.customer(place.wuhan, name="长江印刷厂", industry="press")
    make.pair(first, second)
    sign_in(site, "chen")
    site.get_by_role("link", name="Duplicates").click()
    site.get_by_role("link", name="武汉长江印刷有限公司").click()
    expect(site.get_by_role("row", name="Industry")).to_contain_text(
        "Press and publishing"
    )
    site.get_by_role("button", name="Merge").click()
    expect(site.get_by_role("heading", level=1)).to_have_text("武汉长江印刷有限公司")
    site.locator(".panels").scroll_into_view_if_needed()
    doubles = site.locator("#doubles")
    expect(doubles).to_contain_text("长江印刷厂")
    doubles.get_by_role("button", name="Undo the merge").click()
    expect(site.get_by_role("status")).to_contain_text("two again")


def test_looking_into_a_box_changes_nothing_and_a_digit_inserts_a_text(site, place):
    TextBlock.objects.create(
        office=place.wuhan,
        use="call",
        title="停滞",
        body="轨迹停滞，{agent}。",
        digit=1,
    )
    sign_in(site, "lin")
    site.wait_for_url("**/call/*/")
    box = site.locator("#id_kind-combo")
    before = box.input_value()
    box.focus()
    site.keyboard.press("ArrowDown")  # opens the list
    expect(site.locator("#id_kind-list")).to_be_visible()
    site.keyboard.press("Tab")
    expect(box).to_have_value(before)
    box.focus()
    site.keyboard.press("ArrowDown")
    site.keyboard.press("ArrowDown")  # moves
    site.keyboard.press("Enter")
    assert box.input_value() != before
    site.locator("#id_description").fill("客户来电：")
    site.keyboard.press("Alt+1")
    expect(site.locator("#id_description")).to_have_value("客户来电：轨迹停滞，Lin。")


def test_a_manager_logs_a_visit_on_a_phone_through_a_lost_connection(site, place):
    """At 375 px, within 25 taps and a minute, stored once."""
    customer = make.customer(place.wuhan, manager=place.zhao)
    contact = customer.contacts.create(name="李主任", post="办公室")
    visit = make.visit(customer, type="after_campaign")
    Visit.objects.filter(pk=visit.pk).update(day=localdate())
    site.set_viewport_size({"width": 375, "height": 812})
    sign_in(site, "zhao")
    site.goto(site.base + "/visits/")
    began, taps = time.monotonic(), 0

    def tap(*labels: str) -> None:
        nonlocal taps
        for label in labels:
            taps += 1
            site.get_by_text(label, exact=True).first.click()

    taps += 1
    site.get_by_role("link", name="Log it").click()
    site.wait_for_url("**/visits/*/")
    tap("Has a problem", f"{contact.name} {contact.post}")
    taps += 1
    site.locator("label", has_text="3").first.click()
    tap("Delivery", "Price", "Basic: punctual, safe, exact")
    taps += 1
    site.get_by_label("What they need").fill("退件多，要先核对名址")
    expect(site.locator("#kept")).to_contain_text("Kept", timeout=9000)
    tap("Some left")
    taps += 1
    site.get_by_label("Pieces left").fill("120")
    tap("1 month")
    site.context.set_offline(True)
    taps += 1
    site.get_by_role("button", name="Log the visit").click()
    expect(site.locator("#kept")).to_contain_text("No connection")
    site.context.set_offline(False)
    expect(site.get_by_text("The visit is logged.")).to_be_visible()
    assert taps <= 25
    assert time.monotonic() - began <= 60
    report = VisitReport.objects.get()
    assert (report.result, report.stock_left) == ("problem", 120)
    assert report.need_text == "退件多，要先核对名址"
    assert [one.name for one in report.met.all()] == ["李主任"]
    assert Visit.objects.running().get(customer=customer).day == report.next_on
    site.get_by_role("link", name="Make it a work order").click()
    expect(site.locator("#id_description")).to_have_value(
        f"{visit.ref}: 退件多，要先核对名址"
    )


def test_the_days_list_is_dragged_into_order(site, place):
    rows = [
        make.visit(make.customer(place.wuhan, manager=place.zhao)) for _n in range(3)
    ]
    Visit.objects.update(day=localdate())
    sign_in(site, "zhao")
    site.goto(site.base + "/visits/")
    site.set_viewport_size({"width": 1280, "height": 1200})
    grips = site.locator(".grip")
    last, first = grips.nth(2).bounding_box(), grips.nth(0).bounding_box()
    site.mouse.move(last["x"] + 8, last["y"] + 8)
    site.mouse.down()
    site.mouse.move(first["x"] + 8, first["y"] - 60, steps=8)
    site.mouse.up()
    expect(site.locator(".daylist > li").first).to_have_attribute(
        "data-visit", str(rows[2].pk)
    )
    site.wait_for_load_state("networkidle")
    day = Visit.objects.order_by("place").values_list("pk", flat=True)
    assert list(day) == [rows[n].pk for n in (2, 0, 1)]
