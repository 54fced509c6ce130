"""On which topics a proplet asks the proxy for an image, and how soon a foreign manager gets results."""

import asyncio
import sys

import pytest

from propeller.mqtt.settings import MqttSettings
from propeller.proplet.foreign_pace import PAUSE_NS, ForeignPace
from propeller.proplet.mqtt_uplink import MqttUplink, _WayToProxy
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.from_proplet import Alive, InvokeResults, Results

OWN, SHARED = "from/p/registry/proplet", "registry/proplet"
TO_US, TO_ALL = "proplet/p/registry/server", "registry/server"


def test_a_proxy_that_comes_late_is_asked_where_it_has_answered():
    """It was asked on both topics by then; the broker lets nobody of ours speak on the shared one."""
    way = _WayToProxy()
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]
    way.answered("acme/sum", TO_US)
    assert [way.topics(image, OWN, SHARED) for image in ("acme/sum", "acme/other")] == [[OWN], [OWN]]


def test_one_that_only_knows_the_contract_is_asked_on_the_shared_topic():
    way = _WayToProxy()
    way.topics("acme/sum", OWN, SHARED)
    way.topics("acme/sum", OWN, SHARED)
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/other", OWN, SHARED) == [SHARED]


def test_while_no_manager_has_announced_itself_the_shared_topic_is_first():
    """A native proxy says on the own topic alone why it has no module."""
    way = _WayToProxy()
    assert way.topics("acme/sum", OWN, SHARED, is_own_first=False) == [SHARED]
    assert way.topics("acme/sum", OWN, SHARED, is_own_first=False) == [OWN, SHARED]
    way.answered("acme/sum", TO_US)
    assert way.topics("acme/sum", OWN, SHARED, is_own_first=False) == [OWN]


def test_an_answer_to_us_counts_for_more_than_one_to_all():
    way = _WayToProxy()
    way.topics("acme/sum", OWN, SHARED)
    way.topics("acme/sum", OWN, SHARED)
    way.answered("acme/sum", TO_ALL)
    way.answered("acme/sum", TO_US)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]


def test_what_others_asked_for_says_nothing():
    """Also where we have asked for the same, but not on the shared topic."""
    way = _WayToProxy()
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    way.answered("acme/sum", TO_ALL)
    assert way.topics("acme/other", OWN, SHARED) == [OWN]


@pytest.mark.parametrize(("before", "after", "topic"), [(TO_US, TO_ALL, SHARED), (TO_ALL, TO_US, OWN)])
def test_when_another_proxy_takes_the_place_of_one_the_way_is_found_anew(before, after, topic):
    """An older one in place of a newer, or a newer in place of one that only knows the contract."""
    way = _WayToProxy()
    for image in ("acme/sum", "acme/sum"):
        way.topics(image, OWN, SHARED)
    way.answered("acme/sum", before)
    way.topics("acme/other", OWN, SHARED)
    assert [way.topics("acme/other", OWN, SHARED) for _ in range(2)] == [[OWN, SHARED], [OWN, SHARED]]
    way.answered("acme/other", after)
    assert way.topics("acme/third", OWN, SHARED) == [topic]


def test_modules_of_the_manager_say_nothing_of_the_proxy():
    way = _WayToProxy()
    way.answered("sha256:0123", TO_US)
    assert way.topics("acme/sum", OWN, SHARED) == [OWN]
    assert way.topics("acme/sum", OWN, SHARED) == [OWN, SHARED]


# -- how soon ----------------------------------------------------------------------------------------------


def result(task_id, **more):
    return Results(task_id=task_id, results="3\n", **more)


def test_the_result_of_a_start_without_an_attempt_waits_until_its_manager_has_noted_the_start():
    pace = ForeignPace()
    pace.received(Start(id="t", name="main"), 1000)
    pace.received(Start(id="other", name="main"), 1000 + PAUSE_NS // 2)
    assert pace.wait_ns(result("t"), 1001) == PAUSE_NS - 1
    assert pace.wait_ns(result("t"), 1000 + PAUSE_NS) == 0
    assert pace.wait_ns(result("other"), 1000 + PAUSE_NS) == PAUSE_NS // 2
    pace.received(Start(id="t", name="main"), 1000 + 2 * PAUSE_NS)
    assert pace.wait_ns(result("t"), 1001 + 2 * PAUSE_NS) == PAUSE_NS - 1, "it was started again"
    assert list(pace._started) == ["t"], "nothing is remembered for longer than it counts"


def test_nothing_else_waits():
    pace = ForeignPace()
    pace.received(Start(id="native", name="main", attempt=1), 0)
    pace.received(Start(id="foreign", name="main"), 0)
    others = (
        result("native", attempt=1),
        result("unknown"),
        Alive(proplet_id="p"),
        InvokeResults(task_id="foreign", invocation_id="i"),
    )
    assert [pace.wait_ns(message, 1) for message in others] == [0, 0, 0, 0]


def steps_of(act):
    """Count the steps of Python's machine that an action takes."""
    steps = 0

    def count(frame, event, _):
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        act()
    finally:
        sys.settrace(before)
    return steps


def test_what_one_result_costs_does_not_depend_on_how_many_wait():
    async def cost(waiting):
        settings = MqttSettings(tenant_id="t", channel_id="c", entity_id="p")
        uplink = MqttUplink(None, settings, boot=1, namespace="default")
        names = [f"t{number}" for number in range(waiting)]
        for name in names:
            uplink._pace.received(Start(id=name, name="main"), 2**62)
        uplink.send([result(name) for name in names])
        assert len(uplink._held) == waiting
        timers = [(timer._callback, timer._args) for timer in asyncio.get_running_loop()._scheduled]
        chosen = [timers[at] for at in (0, waiting // 2, -1)]
        costs = {steps_of(lambda act=act, given=given: act(*given)) for act, given in chosen}
        assert len(uplink._held) == waiting - 3
        return costs

    (few,) = asyncio.run(cost(10))
    assert asyncio.run(cost(1000)) == {few}
