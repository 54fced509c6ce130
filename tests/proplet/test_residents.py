"""What a proplet does with tasks that stay: daemons, servers, latent tasks."""

from propeller.core.failures import Failure
from propeller.core.sandbox import Limits, Offer, Sandbox
from propeller.proplet.actions import Keep, Kill, Outcome, SendUp, StartRun
from propeller.proplet.held import RESTARTS
from propeller.proplet.invocations import LOSSES_MAX
from propeller.proplet.log_messages import log_messages
from propeller.proplet.machine import Machine
from propeller.runtime.guest_run import Piece
from propeller.wire.fleet.from_manager import Invoke, Start, Stop
from propeller.wire.fleet.from_proplet import InvokeResults, Results, Up

S = 1_000_000_000


class Proplet:
    """A machine with one task, whose module ``m`` is there."""

    def __init__(self, *, attempt=1, offer=None, **fields):
        self.machine = Machine("p", boot=1, slots=2, offer=offer or Offer())
        self.machine.module_arrived("sha256:m", "m", 0)
        start = Start(id="a", name="main", module="sha256:m", **fields)
        if attempt:
            start.attempt = attempt
        self.began = self.machine.receive(start, 0)

    def ends(self, key, now=0, *, error="", **fields):
        failure = Failure(error) if error else None
        return self.machine.ended(Outcome(key=key, failure=failure, **fields), now)

    def invoke(self, invocation_id="i", **fields):
        return self.machine.receive(Invoke(id="a", invocation_id=invocation_id, **fields), 0)


def up(**fields):
    return Up(**{"task_id": "a", "proplet_id": "p", "attempt": 1, "is_up": True, **fields})


def test_a_daemon_says_that_it_is_up_and_says_it_again():
    proplet = Proplet(daemon=True)
    assert proplet.machine.ups() == []
    assert proplet.machine.up(1, "started at port 8222") == [SendUp(up(results="started at port 8222"))]
    assert proplet.machine.ups() == [up(results="started at port 8222")]


def test_a_daemon_that_crashes_is_started_anew_later_and_later():
    proplet = Proplet(daemon=True)
    proplet.machine.up(1, "")
    now, waits = 0, []
    for crash in range(1, 10):
        (told,) = proplet.ends(crash, now, error="it trapped", started_at=now, finished_at=now)
        assert told == SendUp(up(is_up=False, restarts=crash, error="it trapped"))
        began = now
        while not (runs := [one for one in proplet.machine.time_passed(now) if isinstance(one, StartRun)]):
            now += S
        waits.append((now - began) // S)
        assert [run.key for run in runs] == [crash + 1]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_what_it_prints_goes_on_in_its_log_where_the_run_before_stopped():
    proplet = Proplet(daemon=True)

    def printed(key, data, stream="stderr"):
        return [
            (log.offset, log.text) for log in log_messages([Piece(key, stream, data, 1)], proplet.machine)
        ]

    assert printed(1, b"first") == [(0, "first")]
    assert printed(1, b" word") == [(5, " word")]
    proplet.ends(1, error="it trapped")
    assert printed(1, b"late") == []
    proplet.machine.time_passed(10 * S)
    assert printed(2, b"anew") == [(10, "anew")]
    assert printed(2, b"other", "stdout") == [(0, "other")]


def test_an_invocation_that_was_lost_runs_again_but_not_for_ever():
    proplet = Proplet(latent=True, inputs=["1"])
    proplet.ends(1)
    (run,) = proplet.invoke("i", inputs=["7"])
    for _ in range(LOSSES_MAX):
        assert proplet.ends(run.key, error="its process was killed", is_lost=True) == [run]
    (answer,) = proplet.ends(run.key, error="its process was killed", is_lost=True)
    assert answer.message.error == "its process was killed"


def test_what_stays_and_was_lost_runs_again():
    (daemon,) = Proplet(daemon=True).ends(1, error="its process was killed", is_lost=True)
    assert daemon.message.restarts == 1
    for kind in ({"latent": True}, {}):  # one that serves looks like any other here
        (lost,) = Proplet(**kind).ends(1, error="its process was killed", is_lost=True)
        assert lost.report.is_lost


def test_what_invocations_print_stands_side_by_side():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    proplet.invoke("i")
    proplet.invoke("j")
    pieces = [Piece(2, "stderr", b"one", 1), Piece(3, "stderr", b"two", 1), Piece(2, "stderr", b"three", 1)]
    assert [log.offset for log in log_messages(pieces, proplet.machine)] == [0, 3, 6]


def test_a_daemon_that_ran_for_long_is_started_anew_at_once():
    proplet = Proplet(daemon=True)
    long_ns = int(RESTARTS.longest_s * S) + 1
    for crash in range(1, 4):
        proplet.ends(crash, 0, error="it trapped", started_at=0, finished_at=long_ns)
        assert [one.key for one in proplet.machine.time_passed(S)] == [crash + 1]


def test_a_daemon_that_ends_well_or_can_not_begin_is_reported():
    (done,) = Proplet(daemon=True).ends(1, results="bye")
    assert isinstance(done, Keep)
    assert done.report.results == "bye"
    (refused,) = Proplet(daemon=True).ends(1, error="no function main is exported", is_refused=True)
    assert refused.report.error == "no function main is exported"


def test_a_daemon_that_is_stopped_between_two_runs_is_not_started_anew():
    proplet = Proplet(daemon=True)
    proplet.ends(1, error="it trapped")
    assert proplet.machine.receive(Stop(id="a", attempt=1), 0) == []
    assert proplet.machine.time_passed(100 * S) == []
    assert proplet.machine.ups() == []


def test_a_latent_task_is_compiled_and_then_invoked_any_number_at_once():
    proplet = Proplet(latent=True, inputs=["1"], env={"A": "1", "B": "2"})
    assert [(run.key, run.is_preparation) for run in proplet.began] == [(1, True)]
    assert proplet.ends(1) == [SendUp(up())]
    (first,) = proplet.invoke("i", inputs=["7"], env={"A": "9"}, timeout_ns=5 * S)
    (second,) = proplet.invoke("j")
    assert (first.key, first.start.inputs, first.start.env) == (2, ["7"], {"A": "9", "B": "2"})
    assert first.start.sandbox.timeout_ns == 5 * S
    assert (second.key, second.start.inputs, second.is_preparation) == (3, ["1"], False)
    assert proplet.machine.start_of(2).id == "a"
    for key, invocation_id in ((3, "j"), (2, "i")):
        (answer,) = proplet.ends(key, results=f"{key}\n", started_at=1, finished_at=2)
        assert answer.message == InvokeResults(
            task_id="a",
            invocation_id=invocation_id,
            proplet_id="p",
            results=f"{key}\n",
            started_at=1,
            finished_at=2,
        )


def test_what_is_not_deployed_can_not_be_invoked():
    (answer,) = Proplet().invoke()
    assert answer.message.error == ("task a has not been precompiled; deploy it as a latent task first")


def test_an_invocation_that_comes_before_its_task_is_up_waits_for_that():
    proplet = Proplet(latent=True)
    assert proplet.invoke("i") == []
    assert proplet.machine.alive("default").invocations == ["i"]
    up, run = proplet.ends(1)
    assert (up.message.task_id, run.key) == ("a", 2)
    (answer,) = proplet.ends(run.key, results="3")
    assert (answer.message.invocation_id, answer.message.results) == ("i", "3")


def test_an_invocation_of_a_task_that_does_not_come_up_is_answered():
    proplet = Proplet(latent=True)
    proplet.invoke("i")
    failed, answer = proplet.ends(1, error="can't be compiled", is_refused=True)
    assert (failed.report.error, answer.message.error) == ("can't be compiled", "can't be compiled")
    assert proplet.machine.alive("default").invocations == []


def test_a_latent_task_that_can_not_be_compiled_fails():
    (failed,) = Proplet(latent=True).ends(1, error="can't be compiled", is_refused=True)
    assert failed.report.error == "can't be compiled"


def test_a_stop_ends_the_invocations_too():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    proplet.invoke("i")
    proplet.invoke("j")
    assert proplet.machine.receive(Stop(id="a", attempt=1), 0) == [Kill(2), Kill(3)]
    assert proplet.ends(2, results="late") == []


def test_invocations_that_wait_are_not_given_back():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    proplet.invoke("i", inputs=["7"])
    (run,) = proplet.machine.withdrawn([2], "busy", 0)
    assert (run.key, run.start.inputs) == (2, ["7"])


def test_a_leaving_proplet_gives_back_what_stays():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    proplet.invoke("i")
    kill, back = proplet.machine.leave(0)
    assert kill == Kill(2)
    assert back.report.reason == "the proplet is stopping"


def test_a_foreign_manager_hears_of_a_daemon_as_of_an_end():
    proplet = Proplet(attempt=0, daemon=True)
    assert proplet.machine.up(1, "started at port 8222") == [
        SendUp(Results(task_id="a", proplet_id="p", results="started at port 8222"))
    ]
    assert proplet.machine.receive(Stop(id="a"), 0) == [Kill(1)]


def test_a_task_that_asks_for_too_much_is_refused_here_as_well():
    asked = Sandbox(limits=Limits(memory=11))
    (refused,) = Proplet(offer=Offer(limits=Limits(memory=10)), sandbox=asked).began
    assert refused.report.error == (
        "this proplet refuses it: limits.memory: 11 is more than the 10 that are allowed"
    )


def test_invocations_are_named_with_each_sign_of_life_until_they_end():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    assert proplet.machine.alive("default").invocations == []
    proplet.invoke("i")
    proplet.invoke("j")
    assert proplet.machine.alive("default").invocations == ["i", "j"]
    proplet.ends(2, results="3\n")
    assert proplet.machine.alive("default").invocations == ["j"]


def test_an_invocation_waits_for_a_slot_but_not_for_ever():
    proplet = Proplet(latent=True)
    proplet.ends(1)
    proplet.invoke("i")
    (again,) = proplet.machine.withdrawn([2], "busy", 299 * S)
    assert again.key == 2
    (told,) = proplet.machine.withdrawn([2], "busy", 300 * S)
    assert told.message.is_busy is True
    assert told.message.error == "it has waited 300 s for a free slot of the proplet"
    assert proplet.machine.alive("default").invocations == []
