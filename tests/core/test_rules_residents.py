"""Daemons, servers and latent tasks: they stay on their proplet, and hold up nobody."""

import pytest

from propeller.core.events import (
    PropletLost,
    RunEnded,
    RunHandedBack,
    RunUp,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.core.failures import Failure
from propeller.core.groups import group_state
from propeller.core.model import GroupKind, JobMode
from propeller.core.policy import Policy
from propeller.core.sandbox import Dir, Grants, Limits, Sandbox, way_to
from propeller.core.states import COMPLETED, FAILED, RUNNING
from tests.core.helpers import Rules, a_task, job


def up(task_id="a", proplet="p", attempt=1, **more):
    return RunUp(proplet, task_id, attempt, **more)


def running_daemon(*others, slots=1, **fields):
    rules = Rules()
    rules.proplet("p", slots=slots)
    rules.workflow(a_task("a", daemon=True, **fields), *others)
    rules.start_workflow()
    return rules


def test_dependents_of_a_daemon_start_when_it_is_up():
    rules = running_daemon(a_task("b", "a"), slots=2)
    assert rules.states() == {"a": "RUNNING", "b": "PENDING"}
    turn = rules.turn(up(results="started at port 8222"))
    assert turn.moves == ["a RUNNING", "b SCHEDULED", "b RUNNING"]
    assert rules.task("a").results == "started at port 8222"
    assert turn.effects[0].parent_results == {"a": "started at port 8222"}


def test_a_daemon_that_is_up_takes_no_room_and_does_not_hold_up_its_workflow():
    rules = running_daemon(a_task("b", "a"), slots=1)
    rules.turn(up())
    assert rules.states()["b"] == "RUNNING", "there is one slot"
    rules.completes("b")
    group = rules._groups["w"]
    assert group_state(group.counts) is COMPLETED
    rules.turn(RunEnded(proplet_id="p", task_id="a", attempt=1, failure=Failure("it broke")))
    assert group_state(group.counts) is FAILED


def test_what_is_said_twice_changes_nothing():
    rules = running_daemon(a_task("b", "a"))
    rules.turn(up())
    turn = rules.turn(up())
    assert (turn.moves, bool(turn.changes)) == ([], False)
    assert rules.turn(up(attempt=7)).moves == []
    assert rules.turn(up(proplet="q")).moves == []


def test_crashes_are_counted_and_shown():
    rules = running_daemon()
    rules.turn(up())
    rules.turn(up(restarts=1, error="it trapped", is_up=False))
    task = rules.task("a")
    assert (task.state, task.restarts, task.is_up) == (RUNNING, 1, False)
    assert str(task.reason) == "started anew once; the last crash: it trapped"
    rules.turn(up(restarts=1, error="it trapped"))
    assert rules.task("a").is_up


def test_a_daemon_that_fails_before_it_is_up_fails_its_dependents():
    rules = running_daemon(a_task("b", "a"), a_task("c", "a", run_if="failure"), slots=2)
    rules.fails("a")
    assert rules.states() == {"a": "FAILED", "b": "SKIPPED", "c": "RUNNING"}


def test_a_daemon_that_fails_later_does_not_take_back_what_has_begun():
    rules = running_daemon(a_task("b", "a"), a_task("c", "a", "b"), slots=2)
    rules.turn(up())
    rules.fails("a")
    assert rules.states() == {"a": "FAILED", "b": "RUNNING", "c": "PENDING"}
    rules.completes("b")
    assert rules.states()["c"] == "SKIPPED"


def test_a_daemon_whose_proplet_is_lost_runs_elsewhere_however_often():
    rules = running_daemon()
    rules.turn(up())
    for number in range(10):
        rules.proplet("p", boot=10 + number)
        rules.turn(PropletLost("p", "it broke"))
    assert rules.task("a").state.name == "SCHEDULED"
    assert not rules.task("a").is_up
    rules.proplet("q")
    assert rules.task("a").state is RUNNING
    assert rules.task("a").was_up, "those that waited for it were told long ago"


def test_what_a_proplet_that_lives_on_loses_again_and_again_fails_in_the_end():
    """It may be what fills the memory, so that its process is killed each time. Its address is no result."""
    rules = running_daemon()

    def lost():
        attempt = rules.task("a").attempt
        return rules.turn(
            RunHandedBack(proplet_id="p", task_id="a", attempt=attempt, reason="killed", is_lost=True)
        )

    rules.turn(up())
    for _ in range(2):
        assert lost().moves == ["a SCHEDULED", "a RUNNING"]
    rules.turn(up(attempt=rules.task("a").attempt, results="http://p:1"))
    for _ in range(3):
        assert lost().moves == ["a SCHEDULED", "a RUNNING"]
    assert lost().moves[:1] == ["a FAILED"]
    assert "not run again after 4 losses" in rules.task("a").error
    assert rules.task("a").results is None


@pytest.mark.parametrize(("loses", "results"), [(True, None), (False, "http://p:1")])
def test_a_daemon_that_is_stopped_has_the_address_only_of_the_attempt_that_was_up(loses, results):
    rules = running_daemon()
    rules.turn(up(results="http://p:1"))
    if loses:
        rules.turn(PropletLost("p", "it broke"))
    assert rules.turn(StopTask("a")).moves == ["a INTERRUPTED"]
    assert rules.task("a").results == results


def test_a_stopped_workflow_stops_its_daemon():
    rules = running_daemon()
    rules.turn(up())
    turn = rules.turn(StopGroup(GroupKind.WORKFLOW, "w"))
    assert turn.moves == ["a INTERRUPTED"]
    assert turn.sent == ["stop a 1 on p"]


def test_a_daemon_in_a_sequential_job_lets_the_next_one_start():
    rules = Rules()
    rules.proplet("p", slots=1)
    rules.turn(job(JobMode.SEQUENTIAL, a_task("a", daemon=True), a_task("b")))
    rules.start_job()
    assert rules.turn(up()).moves == ["a RUNNING", "b SCHEDULED", "b RUNNING"]


def test_a_daemon_that_is_started_again_is_up_anew():
    rules = Rules()
    rules.proplet("p")
    rules.create(a_task("a", daemon=True))
    rules.start("a")
    rules.turn(up())
    rules.turn(StopTask("a"))
    rules.turn(StartTask("a"))
    assert not rules.task("a").was_up
    rules.turn(up(attempt=2))
    assert rules.task("a").was_up


def test_a_foreign_daemon_s_result_says_that_it_is_up():
    """The contract's proplets report it as ended when it has begun."""
    rules = Rules()
    rules.proplet("f", boot=0, slots=0)
    rules.create(a_task("a", daemon=True))
    rules.start("a")
    rules.turn(RunEnded(proplet_id="f", task_id="a", attempt=0, results="started at port 8222"))
    task = rules.task("a")
    assert (task.state, task.was_up, task.results) == (RUNNING, True, "started at port 8222")


def test_a_foreign_daemon_that_never_says_that_it_is_up_is_started_elsewhere():
    rules = Rules(Policy(foreign_lease_s=60, liveness_s=100))
    rules.proplet("f", boot=0, slots=0)
    rules.create(a_task("a", daemon=True))
    rules.start("a")
    turn = rules.turn(TimePassed(), after_s=61)
    assert turn.moves == ["a SCHEDULED", "a RUNNING"]
    assert rules.task("a").losses == 1


def test_a_daemon_on_every_proplet_makes_no_news_of_what_each_says_again():
    rules = Rules()
    for name in ("p", "q"):
        rules.proplet(name)
    rules.create(a_task("a", daemon=True, broadcast=True))
    rules.start("a")
    rules.turn(up(results="started at port 1"))
    rules.turn(up(proplet="q", restarts=1, error="it trapped", is_up=False))
    assert (rules.task("a").is_up, rules.task("a").restarts) == (True, 1)
    for word in (up(results="started at port 1"), up(proplet="q", restarts=1, error="it trapped")) * 2:
        turn = rules.turn(word)
        assert (turn.moves, bool(turn.changes)) == ([], False)


def test_a_server_on_every_proplet_takes_room_on_none_once_it_is_up_on_one():
    """The same room is free after the manager was started anew, which knows only that it was up."""
    rules = Rules()
    for name in ("p", "q"):
        rules.proplet(name, slots=1)
    rules.create(a_task("a", broadcast=True))
    rules.start("a")
    rules.turn(up(results="started at port 1"))
    residents = {proplet.id: set(proplet.residents) for proplet in rules.state.proplets.values()}
    assert residents == {"p": {"a"}, "q": {"a"}}
    rules.restart()
    assert {proplet.id: proplet.residents for proplet in rules.state.proplets.values()} == residents


def test_latent_tasks_stay_deployed_and_leave_room():
    rules = Rules()
    rules.proplet("p", slots=1)
    rules.create(a_task("a", latent=True), a_task("b"))
    rules.start("a")
    rules.turn(up())
    assert rules.start("b").moves == ["b SCHEDULED", "b RUNNING"]


# -- walls ---------------------------------------------------------------------------------------------------

DATA = Sandbox(grants=Grants(dirs=(Dir(host="/data/in", guest="/in"),), http=("api.example.com",)))
OFFERS = {"offers": {"dirs": [{"host": "/data", "guest": "/data", "mode": "ro"}], "http": ["*.example.com"]}}


def test_a_task_goes_only_where_all_that_it_asks_for_is_allowed():
    rules = Rules()
    rules.proplet("p", metadata={"offers": {}})
    rules.create(a_task("a", sandbox=DATA), a_task("b"))
    rules.start("a")
    assert rules.start("b").moves == ["b SCHEDULED", "b RUNNING"]
    reason = str(rules.task("a").reason)
    assert reason.startswith("waits for a proplet that takes it; ")
    assert reason.endswith(" does not: grants.dirs: /data/in is not allowed to be read")
    assert rules.proplet("q", metadata=OFFERS).sent == ["start a 1 on q"]


def test_a_pinned_task_waits_for_its_proplet_to_allow_it():
    rules = Rules()
    rules.proplet("p", metadata={"offers": {}})
    rules.proplet("q", metadata=OFFERS)
    rules.create(a_task("a", pin="p", sandbox=DATA))
    rules.start("a")
    assert str(rules.task("a").reason).startswith("waits for proplet p, which does not take it: grants.dirs")
    assert rules.proplet("p", metadata=OFFERS).sent == ["start a 1 on p"]


def test_a_foreign_proplet_is_given_no_task_with_walls_of_its_own():
    rules = Rules()
    rules.proplet("f", boot=0, slots=0)
    rules.create(a_task("a", sandbox=Sandbox(timeout_ns=1)))
    rules.start("a")
    assert "it does not say what it allows" in str(rules.task("a").reason)


@pytest.mark.parametrize(
    ("wanted", "mode", "way"),
    [
        ("/data", "rw", ("/data/", ".")),
        ("/data//a/./b/", "rw", ("/data/", "a/b")),
        ("/data/models/x", "ro", ("/data/", "models/x")),
        ("/shared/x", "ro", ("/shared", "x")),
        ("/shared/in/x", "rw", ("/shared/in", "x")),
        ("/shared/x", "rw", None),
        ("/database", "ro", None),
        ("/data/../etc", "ro", None),
    ],
)
def test_a_directory_is_reached_from_the_outermost_that_allows_it(wanted, mode, way):
    allowed = [
        Dir(host="/data/models", guest="/"),
        Dir(host="/data/", guest="/", mode="rw"),
        Dir(host="/shared/in", guest="/", mode="rw"),
        Dir(host="/shared", guest="/"),
    ]
    assert way_to(Dir(host=wanted, guest="/", mode=mode), allowed) == way


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (Sandbox(timeout_ns=2_000_000_000), "timeout: 2 s is more than the 1 s allowed"),
        (Sandbox(limits=Limits(memory=11)), "limits.memory: 11 is more than the 10 that are allowed"),
        (Sandbox(grants=Grants(listen=True)), "grants.listen: listening is not allowed"),
        (Sandbox(grants=Grants(http=("example.org",))), "grants.http: example.org is not allowed"),
        (
            Sandbox(grants=Grants(dirs=(Dir(host="/data", guest="/data", mode="rw"),))),
            "grants.dirs: /data is not allowed to be written to",
        ),
        (
            Sandbox(grants=Grants(dirs=(Dir(host="/database", guest="/d"),))),
            "grants.dirs: /database is not allowed to be read",
        ),
        (
            Sandbox(grants=Grants(dirs=(Dir(host="/data/../etc", guest="/d"),))),
            "grants.dirs: /data/../etc is not allowed to be read",
        ),
    ],
)
def test_what_is_too_much_is_named(asked, refused):
    limited = {"limits": {"memory": 10}, "timeout_ns": 1_000_000_000}
    rules = Rules()
    rules.proplet("p", metadata={"offers": OFFERS["offers"] | limited})
    rules.create(a_task("a", sandbox=asked))
    rules.start("a")
    assert str(rules.task("a").reason).endswith(refused)


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Sandbox(grants=Grants()), "grants"),
        (Sandbox(limits=Limits(fuel=1)), "limits.fuel"),
        (Sandbox(limits=Limits(output=1, stack=1)), "limits.stack"),
    ],
)
def test_an_external_runtime_is_given_no_task_that_it_can_not_hold(asked, field):
    rules = Rules()
    rules.proplet("p", metadata={"offers": {"is_external": True}})
    rules.create(
        a_task("a", sandbox=asked), a_task("b", sandbox=Sandbox(limits=Limits(output=1), timeout_ns=1))
    )
    rules.start("a")
    assert str(rules.task("a").reason).endswith(
        f" does not: {field}: its external runtime can hold a task to a timeout and limits.output, and to no more"
    )
    assert rules.start("b").sent == ["start b 1 on p"]
