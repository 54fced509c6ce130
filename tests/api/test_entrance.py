"""Which requests begin, wait and are refused, decided from moments alone."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.api.app import described
from propeller.api.entrance import COMMANDS, INVOCATIONS, Entrance, lane_of


def busy(at_once=2, wait_s_max=1.0):
    """Make an entrance all of whose places are taken, by what takes 0.1 s each."""
    entrance = Entrance("requests", at_once=at_once, wait_s_max=wait_s_max)
    for number in range(at_once):
        assert entrance.enters("first", f"first-{number}", 0.0)
    return entrance


def measured(entrance, each_s=0.1, count=50):
    """Let a request end every ``each_s`` while others wait; give the time after that."""
    now = 0.0
    for number in range(count):
        if not entrance.waiting:
            entrance.enters("first", f"fill-{number}", now)
        now += each_s
        entrance.leave(now)
    return now


def test_there_is_room_for_a_few_at_once_and_the_others_wait_for_it():
    entrance = busy()
    assert not entrance.enters("a", "a-0", 0.0)
    assert not entrance.enters("a", "a-1", 0.0)
    assert (entrance.under_way, entrance.waiting) == (2, 2)
    assert entrance.leave(0.1) == "a-0"
    assert entrance.leave(0.2) == "a-1"
    assert entrance.leave(0.3) is None
    assert (entrance.under_way, entrance.waiting) == (1, 0)


def test_clients_take_turns_so_that_many_requests_do_not_hold_up_one():
    entrance = busy()
    for number in range(1000):
        entrance.enters("many", f"many-{number}", 0.0)
    entrance.enters("one", "one-0", 0.0)
    assert [entrance.leave(0.1) for _ in range(3)] == ["many-0", "one-0", "many-1"]


def test_who_would_wait_too_long_because_of_its_own_requests_is_refused_and_others_are_not():
    entrance = busy()
    now = measured(entrance)
    taken = 0
    while (refusal := entrance.refusal("many", now)) is None:
        entrance.enters("many", taken, now)
        taken += 1
    assert taken == pytest.approx(10, abs=3)  # as many as are done in the second that one may wait
    assert refusal.status == 429
    assert refusal.message.startswith(f"too many requests of this client are under way: {taken} wait already")
    assert entrance.refusal("one", now) is None


def test_where_even_a_first_request_would_wait_too_long_the_manager_is_overloaded():
    entrance = busy()
    now = measured(entrance)
    clients = 0
    while (refusal := entrance.refusal(f"client-{clients}", now)) is None:
        entrance.enters(f"client-{clients}", clients, now)
        clients += 1
    assert refusal.status == 503
    assert refusal.message.startswith(
        f"the manager is overloaded: {clients} requests wait already; try again"
    )


def test_the_time_to_come_again_is_an_estimate_and_each_refusal_gives_a_later_one():
    entrance = busy()
    now = measured(entrance)
    while entrance.refusal("many", now) is None:
        entrance.enters("many", entrance.waiting, now)
    # Each that is told to come again needs 0.1 s in its turn.
    told = [entrance.refusal("many", now).retry_after_s for _ in range(100)]
    assert told == sorted(told)
    assert 1 <= told[0] <= 3
    assert told[-1] == pytest.approx(told[0] + 10, abs=2)
    assert max(entrance.refusal("many", now).retry_after_s for _ in range(10_000)) == 60


def test_while_nothing_ends_nobody_is_let_in_to_wait():
    entrance = busy()
    now = measured(entrance)
    assert entrance.refusal("a", now) is None
    assert entrance.refusal("a", now + 5).status == 503


def test_one_that_waits_far_longer_than_was_to_be_expected_is_refused():
    entrance = busy(wait_s_max=1.0)
    entrance.enters("a", "a-0", 0.0)
    entrance.enters("a", "a-1", 1.5)
    assert entrance.overdue(2.0) == []
    ((one, refusal),) = entrance.overdue(2.5)
    assert (one, refusal.status, refusal.retry_after_s) == ("a-0", 503, 1)
    assert entrance.leave(2.6) == "a-1"


@given(st.lists(st.tuples(st.sampled_from("elg"), st.sampled_from("abc"), st.floats(0, 0.3)), max_size=200))
def test_nobody_is_lost_or_let_in_twice_and_nobody_is_passed_over(steps):
    """Those of one client keep their order, and no client begins twice while another that waits begins not."""
    entrance = Entrance("requests", at_once=3, wait_s_max=1.0)
    now, number = 0.0, 0
    waiting = {client: [] for client in "abc"}
    since_waiting = {client: Counter() for client in "abc"}
    under_way = 0
    for action, client, passed in steps:
        now += passed
        if action == "e":
            number += 1
            one = (client, number)
            if entrance.refusal(client, now) is not None:
                assert under_way == 3, "there was room"
            elif entrance.enters(client, one, now):
                under_way += 1
            else:
                waiting[client].append(one)
        elif action == "l" and under_way:
            begun = entrance.leave(now)
            under_way -= begun is None
            assert (begun is None) == (not any(waiting.values()))
            if begun is not None:
                assert waiting[begun[0]].pop(0) == begun
                since_waiting[begun[0]].clear()
                for other in "abc":
                    if other != begun[0] and waiting[other]:
                        since_waiting[other][begun[0]] += 1
                        assert since_waiting[other][begun[0]] <= 1, "it was passed over"
        elif action == "g" and waiting[client]:
            entrance.gives_up(client, waiting[client].pop())
        for name in "abc":
            if not waiting[name]:
                since_waiting[name].clear()
        assert entrance.under_way == under_way <= 3
        assert entrance.waiting == sum(map(len, waiting.values()))


@pytest.mark.parametrize(
    ("method", "path", "lane"),
    [
        ("POST", "/tasks", COMMANDS),
        ("POST", "/tasks/a/start", COMMANDS),
        ("PUT", "/tasks/stop", COMMANDS),
        ("POST", "//jobs//j//rerun/", COMMANDS),
        ("POST", "/tasks/a/invoke", INVOCATIONS),
        ("POST", "/tasks/a/stop", ""),
        ("POST", "/tasks/a/stop/", ""),
        ("POST", "/proplets/p/drain", ""),
        ("DELETE", "/tasks/a", ""),
        ("GET", "/tasks", ""),
    ],
)
def test_requests_that_bring_new_work(method, path, lane):
    assert lane_of(method, path) == lane


def test_the_document_has_the_refusal_where_there_is_an_entrance():
    for path, operations in described()["paths"].items():
        for method, operation in operations.items():
            responses = operation["responses"]
            # Whoever has to be known may have sent bad credentials too often; an issuer knows people by itself.
            needs_somebody = "401" in responses and not path.startswith("/session/oidc")
            is_expected = bool(lane_of(method.upper(), path)) or needs_somebody
            assert ("429" in responses) == is_expected, (method, path)
            for status in {"429", "503"} & responses.keys():
                assert "Retry-After" in responses[status]["headers"]
