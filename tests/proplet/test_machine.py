"""What a proplet does with what it is told, and what it owes: one thing in, exact actions out."""

import pytest
from msgspec.structs import replace

from propeller.core.failures import ErrorKind, Failure
from propeller.proplet import machine as machine_module
from propeller.proplet.actions import Fetch, Forget, Keep, Kill, Outcome, SendUp, StartRun
from propeller.proplet.invocations import LOSSES_MAX
from propeller.proplet.machine import Machine
from propeller.wire.fleet.from_manager import Ack, Invoke, Start, Stop
from propeller.wire.fleet.from_proplet import Compiling, HandBack, InvokeResults, Results

S = 1_000_000_000


class Proplet:
    """A machine whose module ``m`` is there, with the clock in the test's hand."""

    def __init__(self):
        self.machine = Machine("p", boot=1, slots=2)
        self.now = 0
        self.machine.module_arrived("sha256:m", "m", 0)

    def start(self, task_id: str = "a", attempt: int = 1, module: str = "sha256:m", placed_at: int = 10):
        start = Start(id=task_id, name="main", module=module, attempt=attempt, placed_at=placed_at)
        return self.machine.receive(start, self.now)

    def stop(self, task_id: str = "a", attempt: int = 1):
        return self.machine.receive(Stop(id=task_id, attempt=attempt), self.now)

    def ack(self, task_id: str = "a", attempt: int = 1):
        return self.machine.receive(Ack(ended=[(task_id, attempt)]), self.now)

    def ends(self, key: int, *, error: str = "", **fields):
        failure = Failure(error, ErrorKind.TRAP) if error else None
        return self.machine.ended(Outcome(key=key, failure=failure, **fields), self.now)

    @property
    def holds(self):
        return self.machine.alive("default").running


def result(attempt: int = 1, **fields) -> Keep:
    said = {"task_id": "a", "proplet_id": "p", "results": "", "attempt": attempt, "placed_at": 10}
    return Keep(Results(**said | fields))


def past(attempt: int, newest: int, *, task_id: str = "a", placed_at: int = 10) -> SendUp:
    said = {"task_id": task_id, "proplet_id": "p", "attempt": attempt, "placed_at": placed_at}
    return SendUp(HandBack(**said, newest=newest, reason=f"the proplet is past it, at attempt {newest}"))


def again(kept: Keep) -> SendUp:
    return SendUp(kept.report)


def keys(actions) -> list[int]:
    return [action.key for action in actions if isinstance(action, StartRun)]


# -- one run -------------------------------------------------------------------------------------------------


def test_a_run_from_its_start_to_its_acknowledgement():
    proplet = Proplet()
    (run,) = proplet.start()
    assert (run.key, run.start.id, run.start.attempt) == (1, "a", 1)
    assert proplet.holds == [("a", 1)]
    assert proplet.ends(1, results="30\n", started_at=5, finished_at=7) == [
        result(results="30\n", started_at=5, finished_at=7)
    ]
    assert proplet.holds == [("a", 1)]
    assert not proplet.machine.owes_nothing
    assert proplet.ack() == [Forget("a")]
    assert proplet.holds == []
    assert proplet.machine.owes_nothing


def test_an_error_comes_without_results():
    proplet = Proplet()
    proplet.start()
    assert proplet.ends(1, results="half", error="it trapped") == [
        result(error="it trapped", error_kind="trap")
    ]


def test_a_start_that_comes_twice_runs_once():
    proplet = Proplet()
    assert keys(proplet.start()) == [1]
    assert proplet.start() == []


def test_a_start_that_comes_again_after_the_end_gets_the_report_again():
    proplet = Proplet()
    proplet.start()
    proplet.ends(1, results="30\n")
    assert proplet.start() == [again(result(results="30\n"))]
    proplet.ack()
    assert proplet.start() == [past(1, newest=1)], "no start stays without an answer"


def test_a_newer_attempt_overtakes_an_older_one():
    proplet = Proplet()
    proplet.start(attempt=1)
    kill, run = proplet.start(attempt=2)
    assert kill == Kill(1)
    assert run.start.attempt == 2
    assert proplet.ends(1, results="late") == []
    assert proplet.holds == [("a", 2)]


def test_an_older_attempt_changes_nothing():
    proplet = Proplet()
    proplet.start(attempt=2)
    assert proplet.start(attempt=1) == [past(1, newest=2)]
    assert proplet.stop(attempt=1) == []
    assert proplet.holds == [("a", 2)]


def test_the_same_attempt_of_a_restored_manager_is_another_one():
    proplet = Proplet()
    proplet.start(placed_at=10)
    proplet.ends(1, results="of the time before")
    (run,) = proplet.start(placed_at=20)
    assert run.start.placed_at == 20
    assert proplet.ends(run.key, results="30\n") == [result(results="30\n", placed_at=20)]
    assert proplet.start(placed_at=15) == [past(1, newest=1, placed_at=15)], "its clock was set back, too"


# -- stops ---------------------------------------------------------------------------------------------------


def test_a_stop_ends_the_run_and_nothing_is_reported():
    proplet = Proplet()
    proplet.start()
    assert proplet.stop() == [Kill(1)]
    assert proplet.ends(1, results="late") == []
    assert proplet.holds == []


def test_a_stop_that_overtook_its_start_counts():
    proplet = Proplet()
    assert proplet.stop(attempt=1) == []
    assert proplet.start(attempt=1) == [past(1, newest=1)]
    assert keys(proplet.start(attempt=2)) == [1]


def test_a_stop_after_the_end_drops_the_report():
    proplet = Proplet()
    proplet.start()
    proplet.ends(1)
    assert proplet.stop() == [Forget("a")]
    assert proplet.machine.owes_nothing


def test_a_stop_while_the_module_is_fetched():
    proplet = Proplet()
    proplet.start(module="sha256:new")
    assert proplet.stop() == []
    assert proplet.machine.module_arrived("sha256:new", "new", 0) == []


# -- modules -------------------------------------------------------------------------------------------------


def test_a_module_is_fetched_once_for_all_that_wait_for_it():
    proplet = Proplet()
    assert proplet.start("a", module="sha256:new") == [Fetch("sha256:new")]
    assert proplet.start("b", module="sha256:new") == []
    assert proplet.holds == [("a", 1), ("b", 1)]
    assert keys(proplet.machine.module_arrived("sha256:new", "new", 0)) == [1, 2]
    assert keys(proplet.start("c", module="sha256:new")) == [3]


def test_a_module_that_did_not_come_is_asked_for_again():
    proplet = Proplet()
    proplet.start(module="sha256:new")
    assert proplet.machine.time_passed(1) == [Fetch("sha256:new")]


def test_a_module_that_does_not_exist_is_an_error():
    proplet = Proplet()
    proplet.start(module="sha256:new")
    assert proplet.machine.module_missing("sha256:new", "there is none", 0) == [
        result(error="there is none", error_kind="module")
    ]
    assert proplet.machine.time_passed(1) == []


def test_a_start_without_a_module_is_an_error():
    proplet = Proplet()
    actions = proplet.machine.receive(Start(id="a", name="main", attempt=1, placed_at=10), 0)
    assert actions == [
        result(error="task a came without a module that this proplet can get", error_kind="module")
    ]


# -- the outbox ----------------------------------------------------------------------------------------------


def test_a_report_is_sent_again_until_it_is_acknowledged():
    proplet = Proplet()
    proplet.start()
    proplet.ends(1, results="30\n")
    assert proplet.machine.time_passed(4 * S) == []
    assert proplet.machine.time_passed(5 * S) == [again(result(results="30\n"))]
    assert proplet.machine.time_passed(6 * S) == []
    assert proplet.machine.time_passed(10 * S) == [again(result(results="30\n"))]
    proplet.ack()
    assert proplet.machine.time_passed(20 * S) == []


def test_what_was_too_large_is_owed_as_it_was_cut():
    proplet = Proplet()
    proplet.start(attempt=2)
    proplet.ends(1, results="large")
    cut = result(2, error="too large")
    assert proplet.machine.cut_down(result(1, error="too large").report) == []
    assert proplet.machine.cut_down(result(2, error="too large", placed_at=9).report) == []
    assert proplet.machine.cut_down(cut.report) == [cut]
    assert proplet.machine.connected(0) == [again(cut)]
    proplet.ack(attempt=2)
    assert proplet.machine.cut_down(cut.report) == [], "the end is known by now"


def test_what_nobody_acknowledges_is_cut_and_sent_once():
    report = Results(task_id="a", proplet_id="p", error="too large")
    assert Proplet().machine.cut_down(report) == [SendUp(report)]


def test_an_acknowledgement_of_another_attempt_changes_nothing():
    proplet = Proplet()
    proplet.start(attempt=2)
    proplet.ends(1)
    proplet.ack(attempt=1)
    assert not proplet.machine.owes_nothing


def test_an_acknowledgement_of_what_runs_changes_nothing():
    proplet = Proplet()
    proplet.start()
    proplet.ack()
    assert proplet.holds == [("a", 1)]


def test_the_memory_of_ended_attempts_is_bounded(monkeypatch):
    monkeypatch.setattr(machine_module, "ATTEMPTS_REMEMBERED", 3)
    proplet = Proplet()
    for number in range(10):
        proplet.start(f"t{number}")
        proplet.ends(number + 1)
        proplet.ack(f"t{number}")
    assert len(proplet.machine._newest) == 3
    assert proplet.start("t9") == [past(1, newest=1, task_id="t9")]


# -- work that is given back ---------------------------------------------------------------------------------


def handed_back(reason: str, task_id: str = "a") -> Keep:
    return Keep(HandBack(task_id=task_id, proplet_id="p", attempt=1, placed_at=10, reason=reason))


def test_an_attempt_that_was_lost_is_given_back_as_such():
    proplet = Proplet()
    proplet.start()
    (kept,) = proplet.ends(1, error="its process was killed", is_lost=True)
    assert kept == Keep(replace(handed_back("its process was killed").report, is_lost=True))
    assert keys(proplet.start(attempt=2)) == [2]


def test_for_a_foreign_manager_what_was_lost_runs_again_here_but_not_for_ever():
    proplet = Proplet()
    (run,) = proplet.machine.receive(Start(id="a", name="main", module="sha256:m"), 0)
    for _ in range(LOSSES_MAX):
        (run,) = proplet.ends(run.key, error="its process was killed", is_lost=True)
    assert proplet.ends(run.key, error="its process was killed", is_lost=True) == [
        SendUp(
            Results(
                task_id="a", proplet_id="p", results="", error="its process was killed", error_kind="trap"
            )
        )
    ]
    assert proplet.holds == []


def test_runs_that_did_not_begin_are_given_back():
    proplet = Proplet()
    proplet.start("a")
    proplet.start("b")
    assert proplet.machine.withdrawn([2, 99], "busy", 0) == [handed_back("busy", "b")]
    assert proplet.holds == [("a", 1), ("b", 1)]
    proplet.ack("b")
    assert proplet.holds == [("a", 1)]
    assert keys(proplet.start("b", attempt=2)) == [3]


@pytest.mark.parametrize(("module", "kills"), [("sha256:m", [Kill(1)]), ("sha256:new", [])])
def test_a_proplet_that_leaves_gives_back_all_it_holds(module, kills):
    proplet = Proplet()
    proplet.start(module=module)
    reason = "the proplet is stopping"
    assert proplet.machine.leave(0) == [*kills, handed_back(reason)]
    assert proplet.start("b") == [handed_back(reason, "b")]
    assert proplet.machine.module_arrived("sha256:new", "new", 0) == []
    proplet.ack("a")
    proplet.ack("b")
    assert proplet.machine.owes_nothing


def test_encrypted_work_fails_and_says_why():
    proplet = Proplet()
    url = "registry.example/x"
    start = Start(id="a", name="main", image_url=url, encrypted=True, attempt=1, placed_at=10)
    assert proplet.machine.receive(start, 0) == [
        result(error="TEE runtime not available", error_kind="refused")
    ]
    told = Machine("p", boot=1, slots=2, refusal_of_encrypted="no key broker")
    assert told.receive(start, 0) == [result(error="no key broker", error_kind="refused")]


# -- signs of life -------------------------------------------------------------------------------------------


def test_hello_and_signs_of_life():
    proplet = Proplet()
    hello = proplet.machine.hello("default", {"os": "linux"})
    assert (hello.proplet_id, hello.boot, hello.slots, hello.metadata) == (
        "p",
        1,
        2,
        {"os": "linux", "offers": {}},
    )
    alive = proplet.machine.alive("default")
    assert (alive.proplet_id, alive.boot, alive.slots, alive.status, alive.running) == (
        "p",
        1,
        2,
        "alive",
        [],
    )


def test_bytes_are_said_as_base64_and_a_foreign_manager_gets_text():
    proplet = Proplet()
    (key,) = keys(proplet.start())
    assert proplet.ends(key, results=b"\x89P") == [result(results="iVA=", results_encoding="base64")]
    (key,) = keys(proplet.machine.receive(Start(id="b", name="main", module="sha256:m"), 0))
    said = Results(task_id="b", proplet_id="p", results="\ufffdP")
    assert proplet.ends(key, results=b"\x89P") == [SendUp(said)]


def test_the_failure_of_an_invocation_has_a_kind():
    proplet = Proplet()
    start = Start(id="a", name="main", module="sha256:m", latent=True, attempt=1, placed_at=10)
    (key,) = keys(proplet.machine.receive(start, 0))
    proplet.ends(key)
    (key,) = keys(proplet.machine.receive(Invoke(id="a", invocation_id="i"), 0))
    (said,) = proplet.ends(key, error="it trapped")
    assert (said.message.error, said.message.error_kind) == ("it trapped", "trap")


def test_bytes_of_an_invocation_are_said_as_base64():
    proplet = Proplet()
    start = Start(id="a", name="main", module="sha256:m", latent=True, attempt=1, placed_at=10)
    (key,) = keys(proplet.machine.receive(start, 0))
    proplet.ends(key)
    (key,) = keys(proplet.machine.receive(Invoke(id="a", invocation_id="i"), 0))
    said = InvokeResults(
        task_id="a", invocation_id="i", proplet_id="p", results="iVA=", results_encoding="base64"
    )
    assert proplet.ends(key, results=b"\x89P") == [SendUp(said)]


def test_a_module_that_is_compiled_first_is_told_to_a_native_manager():
    proplet = Proplet()
    (key,) = keys(proplet.start())
    said = Compiling(task_id="a", proplet_id="p", attempt=1, size_bytes=5, placed_at=10)
    assert proplet.machine.compiling(key, 5) == [SendUp(said)]
    (key,) = keys(proplet.machine.receive(Start(id="b", name="main", module="sha256:m"), 0))
    assert proplet.machine.compiling(key, 5) == []
    proplet.stop()
    assert proplet.machine.compiling(key - 1, 5) == []


def test_what_was_last_said_of_compiling_is_said_again_to_a_manager_that_may_not_have_heard_it():
    """The proplet may have been cut off when the guest began, and then the manager would wait for that word."""
    proplet = Proplet()
    (key,) = keys(proplet.start())
    assert proplet.machine.connected(0) == []
    for size_bytes in (5, 0):
        said = proplet.machine.compiling(key, size_bytes)
        assert said[0].message.size_bytes == size_bytes
        assert proplet.machine.connected(0) == said
    proplet.ends(key)
    assert [type(action.message) for action in proplet.machine.connected(0)] == [Results]
