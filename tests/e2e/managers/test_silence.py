"""What is asked of both managers when their database stops to answer, and no connection breaks."""

import contextlib
import time

import pytest

from tests.e2e.managers.harness import works_within
from tests.waiting import until

#: The rest of a lease, a look each second, and what requests wait while nobody leads.
ANSWERED_S = 3 + 1 + 6 + 3


@contextlib.contextmanager
def frozen(server):
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


@pytest.mark.parametrize("at", ["leader", "other"])
def test_what_was_under_way_when_the_database_stopped_to_answer_is_answered(both, at):
    leader, (other,) = both.leader(), both.others()
    one = leader if at == "leader" else other
    with frozen(both.server):
        began = time.monotonic()
        answer = one.http.post("/tasks", json={"name": f"late-{at}"}, timeout=60)
        took_s = time.monotonic() - began
    print(f"asked while the database stood still: {answer.status_code} after {took_s:.1f} s")
    assert answer.status_code == 502, answer.text
    assert "retry-after" not in answer.headers
    assert "may have been done or not" in answer.json()["error"]
    assert took_s <= ANSWERED_S
    until(lambda: leader.is_answered() and other.is_answered(), seconds=20)
    works_within(both.leader(), 20.0, time.monotonic())
    names = [task["name"] for task in other.http.get("/tasks?limit=100").json()["tasks"]]
    assert names.count(f"late-{at}") <= 1


def test_one_that_others_can_reach_only_from_its_own_machine_says_so(both):
    for one in both.managers.values():
        assert f"managers on other machines can't reach this one at {one.url}" in one.said
        assert "--advertise-url" in one.said
