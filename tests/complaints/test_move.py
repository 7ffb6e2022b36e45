"""Moving a complaint through its states."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection, connections
from django.urls import reverse

from complaints import workflow
from complaints.models import Complaint, ComplaintMove
from complaints.services import move_complaint
from crm.errors import Refused
from tests import factories as make


def test_a_handler_moves_it_with_a_note(cast, client):
    complaint = make.complaint(cast.lin, cast.wuhan)
    make.sign_in(client, cast.yong)
    url = reverse("complaints:move", args=[complaint.ref])
    answer = client.post(url, {"after": "accepted", "note": "已受理"})
    assert answer.url == complaint.get_absolute_url()
    complaint.refresh_from_db()
    assert complaint.state == "accepted"
    last = ComplaintMove.objects.last()
    assert (last.before, last.after, last.by, last.note) == (
        "new",
        "accepted",
        cast.yong,
        "已受理",
    )


def test_a_step_that_is_not_open_is_refused(cast):
    complaint = make.complaint(cast.lin, cast.wuhan)
    with pytest.raises(Refused) as refusal:
        move_complaint(complaint, by=cast.lin, after="archived", note="x")
    assert refusal.value.code == "complaint.moved_already"


def test_an_old_page_says_so_and_keeps_the_note(cast, client):
    complaint = make.complaint(cast.lin, cast.wuhan)
    move_complaint(complaint, by=cast.lin, after="accepted", note="first")
    make.sign_in(client, cast.yong)
    url = reverse("complaints:move", args=[complaint.ref])
    answer = client.post(url, {"after": "accepted", "note": "my long note"})
    assert answer.status_code == 422
    assert "my long note" in answer.content.decode()


def test_a_manager_reads_and_does_not_move(cast):
    customer = make.customer(cast.wuhan, manager=cast.zhao)
    complaint = make.complaint(cast.lin, cast.wuhan, customer=customer)
    with pytest.raises(PermissionDenied):
        move_complaint(complaint, by=cast.zhao, after="accepted", note="x")


def test_the_office_that_took_it_in_lets_go_once_it_is_accepted(cast):
    customer = make.customer(cast.yichang)
    complaint = make.complaint(cast.lin, cast.wuhan, customer=customer)
    complaint = move_complaint(complaint, by=cast.mei, after="accepted", note="ours")
    with pytest.raises(PermissionDenied):
        move_complaint(complaint, by=cast.lin, after="in_progress", note="x")
    move_complaint(complaint, by=cast.chen, after="in_progress", note="supervisor")


def test_closing_sets_its_time_and_reopening_clears_it(cast):
    complaint = make.complaint(cast.lin, cast.wuhan)
    for after in ("accepted", "in_progress", "replied", "follow_up", "archived"):
        complaint = move_complaint(complaint, by=cast.lin, after=after, note="n")
    assert complaint.closed_at
    complaint = move_complaint(complaint, by=cast.lin, after="reopened", note="n")
    assert complaint.closed_at is None


def test_every_state_can_be_left_or_is_an_end():
    reached = {after for moves in workflow.MOVES.values() for after in moves}
    assert set(workflow.MOVES) == set(workflow.State.values)
    assert reached | {"new", "merged"} == set(workflow.State.values)
    assert [state for state, moves in workflow.MOVES.items() if not moves] == [
        "cancelled",
        "merged",
    ]


@pytest.mark.django_db(transaction=True)
def test_of_two_at_the_same_time_one_wins():
    cast = make.cast()
    complaint = make.complaint(cast.lin, cast.wuhan)

    def attempt(_number: int) -> str:
        try:
            move_complaint(complaint, by=cast.lin, after="accepted", note="n")
        except Refused as refusal:
            return refusal.code
        finally:
            connections.close_all()
        return "moved"

    with ThreadPoolExecutor(4) as pool:
        outcomes = sorted(pool.map(attempt, range(4)))
    assert outcomes == ["complaint.moved_already"] * 3 + ["moved"]
    assert Complaint.objects.get().moves.count() == 2
    assert connection.connection is not None
