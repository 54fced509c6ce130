"""What a turn takes in of all that has arrived."""

from hypothesis import given
from hypothesis import strategies as st
from tests.builders import a_spec

from propeller.core.events import CreateTasks, DeleteTask, RunSeen, StartTask, StopTask, TimePassed
from propeller.manager.engine import Ask
from propeller.manager.inbox import Inbox

KINDS = ("fact", "start", "create", "stop", "delete")


def an_item(kind, number):
    name = f"{kind}-{number}"
    match kind:
        case "fact":
            return RunSeen("p", name)
        case "create":
            return Ask(CreateTasks(specs=tuple(a_spec(f"{name}-{n}") for n in range(1 + number % 4))))
        case "start":
            return Ask(StartTask(name))
        case "stop":
            return Ask(StopTask(name))
        case _:
            return Ask(DeleteTask(name))


def tasks_of(command):
    return len(command.specs) if isinstance(command, CreateTasks) else 1


def lane_of(item):
    if not isinstance(item, Ask):
        return "facts"
    return "ends" if isinstance(item.command, StopTask | DeleteTask) else "brings"


def test_a_stop_is_in_the_next_turn_however_much_is_before_it():
    inbox = Inbox(tasks_of)
    for number in range(10_000):
        inbox.append(an_item("create", number))
        inbox.append(an_item("fact", number))
    stop = an_item("stop", 0)
    inbox.append(stop)
    taken = inbox.take()
    assert stop in taken
    assert sum(tasks_of(item.command) for item in taken if isinstance(item, Ask)) <= 2004
    assert sum(not isinstance(item, Ask) for item in taken) == 2000


def test_each_turn_hears_once_that_time_has_passed_however_many_facts_wait():
    inbox = Inbox(tasks_of, facts_max=2)
    facts = [an_item("fact", number) for number in range(5)]
    for item in (facts[0], TimePassed(), *facts[1:], TimePassed()):
        inbox.append(item)
    assert len(inbox) == 6
    assert [inbox.take(), inbox.take(), inbox.take()] == [[*facts[:2], TimePassed()], facts[2:4], facts[4:]]
    assert not inbox


def test_a_command_that_is_larger_than_a_turn_is_a_turn():
    inbox = Inbox(tasks_of, tasks_max=2)
    items = [Ask(CreateTasks(specs=tuple(a_spec(f"{name}-{n}") for n in range(5)))) for name in "ab"]
    for item in items:
        inbox.append(item)
    assert [inbox.take(), inbox.take(), inbox.take()] == [[items[0]], [items[1]], []]


def test_it_is_full_with_too_many_facts_and_has_room_once_most_are_taken():
    inbox = Inbox(tasks_of, facts_max=10, facts_waiting_max=40)
    for number in range(40):
        assert not inbox.is_full
        inbox.append(an_item("fact", number))
    assert inbox.is_full
    for _ in range(2):
        inbox.take()
        assert (inbox.is_full, inbox.has_room) == (False, False)
    inbox.take()
    assert inbox.has_room


@given(st.lists(st.sampled_from((*KINDS, "turn")), max_size=100), st.integers(1, 4), st.integers(1, 6))
def test_each_lane_keeps_its_order_and_waits_for_itself_alone(steps, facts_max, tasks_max):
    inbox = Inbox(tasks_of, facts_max=facts_max, tasks_max=tasks_max)
    waiting = {"facts": [], "ends": [], "brings": []}
    arrived = []
    for number, kind in enumerate((*steps, *["turn"] * 100)):
        if kind != "turn":
            item = an_item(kind, number)
            inbox.append(item)
            arrived.append(item)
            waiting[lane_of(item)].append(item)
        else:
            taken = inbox.take()
            assert taken == sorted(taken, key=arrived.index)
            for name, lane in waiting.items():
                its = [item for item in taken if lane_of(item) == name]
                assert its == lane[: len(its)]
                del lane[: len(its)]
                size = len(its) if name == "facts" else sum(tasks_of(item.command) for item in its)
                most = facts_max if name == "facts" else tasks_max
                assert size >= most or not lane, "it left some that it could have taken"
                assert sum(tasks_of(item.command) for item in its[:-1] if name != "facts") < most
        assert list(inbox) == [*waiting["facts"], *waiting["ends"], *waiting["brings"]]
        assert len(inbox) == sum(map(len, waiting.values()))
