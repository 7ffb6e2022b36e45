"""What the security and the system administrator do, and may not do (B27)."""

import re
from datetime import date

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse

from crm.access import office_admin, services
from crm.access.models import Posting, User
from crm.audit.models import AuditEvent
from crm.errors import Refused
from crm.org.models import CalendarDay, HolidayYear, Office
from crm.org.queries import calendar_of
from customers.models import Customer
from tests import factories as make

TODAY = date(2026, 11, 21)


def grant(by, user, office, role):
    return services.grant_posting(
        user, by=by, office=office, role=role, valid_from=TODAY
    )


def test_granting_asks_for_a_fresh_password(cast, client):
    make.sign_in(client, cast.liang)
    session = client.session
    session["password_at"] = 0
    session.save()
    user = make.user("temp")
    data = {"office": cast.wuhan.pk, "role": "agent", "valid_from": "2020-01-01"}
    answer = client.post(reverse("access:posting_new", args=[user.pk]), data)
    assert answer.url.startswith(reverse("access:unlock"))
    assert not user.postings.exists()


def test_a_new_user_gets_a_one_time_password_and_no_right(cast, client):
    make.sign_in(client, cast.liang)
    data = {"username": "new.agent", "full_name": "新人", "email": ""}
    page = client.post(reverse("access:user_new"), data).content.decode()
    password = re.search(r'id="one-time-password">([^<]+)<', page).group(1)
    user = User.objects.get(username="new.agent")
    assert user.check_password(password)
    assert user.must_change_password
    assert user.postings_now == []


def test_a_posting_gives_rights_at_once_and_ending_it_takes_them(cast, client):
    user = make.user("temp")
    make.sign_in(client, cast.liang)
    data = {"office": cast.wuhan.pk, "role": "agent", "valid_from": "2020-01-01"}
    client.post(reverse("access:posting_new", args=[user.pk]), data)
    posting = Posting.objects.get(user=user)
    assert User.objects.get(pk=user.pk).postings_now == [posting]
    client.post(reverse("access:posting_end", args=[posting.pk]))
    assert User.objects.get(pk=user.pk).postings_now == []


def test_an_upper_role_counts_only_after_a_second_administrator(cast):
    user = make.user("temp")
    posting = grant(cast.liang, user, cast.wuhan, "supervisor")
    assert User.objects.get(pk=user.pk).postings_now == []
    with pytest.raises(Refused, match="second"):
        services.approve_posting(posting, by=cast.liang)
    services.approve_posting(posting, by=cast.xie)
    assert User.objects.get(pk=user.pk).postings_now == [posting]


def test_nobody_raises_themselves_or_reaches_beyond_the_own_offices(cast):
    with pytest.raises(Refused):
        grant(cast.liang, cast.liang, cast.wuhan, "supervisor")
    with pytest.raises(PermissionDenied):
        grant(cast.liang, cast.lin, cast.yichang, "agent")
    with pytest.raises(PermissionDenied):
        grant(cast.liang, cast.lin, cast.hubei, "agent")
    with pytest.raises(PermissionDenied):
        services.reset_user(cast.mei, by=cast.liang, second_factor=False)


@pytest.mark.parametrize("role", ["security_admin", "auditor"])
def test_the_three_administrations_are_kept_apart(cast, role):
    with pytest.raises(Refused, match="apart"):
        grant(cast.liang, cast.gao, cast.wuhan, role)


def test_the_same_posting_twice_is_refused(cast):
    with pytest.raises(Refused, match="force"):
        grant(cast.liang, cast.lin, cast.wuhan, "agent")


def test_a_foreign_office_in_the_form_is_an_unknown_choice(cast, client):
    make.sign_in(client, cast.liang)
    user = make.user("temp")
    data = {"office": cast.yichang.pk, "role": "agent", "valid_from": "2020-01-01"}
    answer = client.post(reverse("access:posting_new", args=[user.pk]), data)
    assert answer.status_code == 422
    assert "Select a valid choice" in answer.content.decode()


def test_a_profile_changes_name_and_address_and_nothing_else(cast, client):
    """B24: what is not in the form is not written."""
    make.sign_in(client, cast.lin)
    data = {
        "full_name": "林静",
        "email": "",
        "is_active": "",
        "username": "boss",
        "is_demo": "1",
    }
    client.post(reverse("access:profile"), data)
    user = User.objects.get(pk=cast.lin.pk)
    assert (user.full_name, user.username, user.is_active, user.is_demo) == (
        "林静",
        "lin",
        True,
        False,
    )


def test_an_upper_account_is_reset_by_two(cast):
    assert services.reset_user(cast.chen, by=cast.liang, second_factor=True) is None
    with pytest.raises(Refused, match="second"):
        services.reset_user(cast.chen, by=cast.liang, second_factor=True)
    password = services.reset_user(cast.chen, by=cast.xie, second_factor=False)
    assert User.objects.get(pk=cast.chen.pk).check_password(password)


def test_the_countrys_days_need_a_posting_at_the_top(cast):
    with pytest.raises(PermissionDenied):
        office_admin.set_day(None, by=cast.gao, day=TODAY, is_working=False, name="x")
    with pytest.raises(PermissionDenied):
        office_admin.confirm_year(2027, by=cast.gao)


def test_what_changed_on_an_office_is_in_the_trail(cast, client):
    make.sign_in(client, cast.gao)
    data = {"code": "420106", "name": "武昌", "level": "county", "kind": "bureau"}
    data |= {"is_active": "on", "requires_second_factor": "on", "parent": cast.wuhan.pk}
    data |= {"has_service_area": "on"}
    client.post(reverse("access:office", args=["420106"]), data)
    details = AuditEvent.objects.get(action="office.changed").details
    assert details == {
        "name": ["武昌区", "武昌"],
        "requires_second_factor": ["False", "True"],
        "has_service_area": ["False", "True"],
    }


def test_a_manager_who_moved_sees_the_old_portfolio_no_more(cast):
    customer = make.customer(
        cast.wuhan, manager=cast.zhao, name="王秀英", kind="individual"
    )
    Posting.objects.filter(user=cast.zhao).update(office=cast.yichang)
    moved = User.objects.get(pk=cast.zhao.pk)
    assert not Customer.objects.visible_to(moved).exists()
    assert customer.name_for(moved) == "王**"


def test_a_reset_ends_every_session(cast, client):
    make.sign_in(client, cast.lin)
    services.reset_user(cast.lin, by=cast.liang, second_factor=True)
    assert client.get("/inbox/").status_code == 302


def test_one_cannot_disable_or_reset_oneself(cast):
    with pytest.raises(Refused):
        services.reset_user(cast.liang, by=cast.liang, second_factor=False)
    with pytest.raises(Refused):
        services.change_user(
            cast.liang, by=cast.liang, full_name="x", email="", is_active=False
        )


def test_an_office_is_made_changed_and_moved_by_the_page(cast, client):
    make.sign_in(client, cast.gao)
    data = {
        "code": "420111",
        "name": "洪山区",
        "level": "county",
        "kind": "bureau",
        "is_active": "on",
        "parent": cast.wuhan.pk,
    }
    assert client.post(reverse("access:office_new"), data).status_code == 302
    made = Office.objects.get(code="420111")
    data |= {"name": "洪山分局", "parent": cast.wuchang.pk}
    assert (
        client.post(reverse("access:office", args=["420111"]), data).status_code == 302
    )
    made = Office.objects.get(pk=made.pk)
    assert made.name == "洪山分局"
    assert cast.wuchang.contains(made)


def test_a_taken_code_and_a_move_into_itself_are_answered_in_the_form(cast, client):
    make.sign_in(client, cast.gao)
    data = {
        "code": "420106",
        "name": "x",
        "level": "county",
        "kind": "bureau",
        "parent": cast.wuhan.pk,
    }
    assert client.post(reverse("access:office_new"), data).status_code == 422
    admin = make.user("top", ("system_admin", cast.hubei))
    with pytest.raises(Refused):
        office_admin.move_office(cast.wuhan, by=admin, parent=cast.wuchang)


def test_hours_and_days_are_set_by_the_page(cast, client):
    make.holidays_of(2026)
    make.sign_in(client, cast.gao)
    hours = {f"day{day}": "08:00-12:00, 13:00-17:00" for day in range(5)}
    url = reverse("access:calendar_windows", args=["420100"])
    assert client.post(url, hours).status_code == 302
    assert calendar_of(cast.wuchang).windows_on(date(2026, 3, 2))[1][0].hour == 13
    assert client.post(url, {"day0": "12:00-08:00"}).status_code == 422
    assert client.post(url, {"day0": "later"}).status_code == 422
    assert client.post(url, {}).status_code == 422
    day = {"date": "2026-03-02", "name": "局庆"}
    assert (
        client.post(reverse("access:calendar_day", args=["420100"]), day).status_code
        == 302
    )
    assert calendar_of(cast.wuhan).windows_on(date(2026, 3, 2)) == ()
    pk = CalendarDay.objects.get(office=cast.wuhan).pk
    client.post(reverse("access:day_remove", args=[pk]))
    assert calendar_of(cast.wuhan).windows_on(date(2026, 3, 2)) != ()


def test_an_office_can_give_up_its_own_hours(cast, client):
    make.sign_in(client, cast.gao)
    url = reverse("access:calendar_windows", args=["420100"])
    client.post(url, {"day0": "08:00-09:00"})
    client.post(url, {"inherit": "on"})
    assert not cast.wuhan.windows.exists()


def test_a_year_is_confirmed_by_hand(cast, client):
    make.holidays_of(2026, 2027)
    make.sign_in(client, make.user("top", ("system_admin", cast.hubei)))
    client.post(reverse("access:calendar_year", args=[2027]))
    assert HolidayYear.objects.get(year=2027).is_official
