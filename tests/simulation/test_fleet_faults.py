"""The simulation sees faults in how a fleet is looked after; see ``test_faults`` for those in the rules."""

import pytest
from msgspec.structs import replace

from propeller.core import attempts, broadcast, leases, liveness, placement
from propeller.core.cluster import Cluster
from propeller.core.events import PropletLost
from propeller.core.model import Proplet
from propeller.core.reasons import Restarted
from propeller.core.silence import Silence
from propeller.core.state import ClusterState
from propeller.proplet.actions import SendUp
from propeller.proplet.machine import Machine
from propeller.wire.fleet import outgoing
from propeller.wire.fleet.from_proplet import HandBack

from . import foreign as simulated_foreign
from . import proplet as simulated_proplet
from . import simulation, transport, users
from .faults import assert_caught, spoil

# -- silence and time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unheeded", ["deafened", "paused"])
def test_silence_counts_that_nobody_could_have_heard(monkeypatch, unheeded):
    monkeypatch.setattr(Silence, unheeded, lambda *_: None)
    assert_caught("fair-silence")


def test_the_word_of_a_broker_that_a_proplet_is_gone_is_believed_at_once(monkeypatch):
    def credulous(state, event):
        liveness.lost(state, PropletLost(event.proplet_id, "it went offline", event.boot), state.ticks)

    monkeypatch.setattr(liveness, "offline", credulous)
    assert_caught("fair-silence", "causes")


def test_leases_go_by_the_clock_on_the_wall():
    class Wall(Cluster):
        def begin(self, moment):
            super().begin(replace(moment, ticks=moment.now))

    assert_caught("fair-silence", "ends", "group-time", "deadline", "delay", cluster_class=Wall)


# -- what is too large for the broker ------------------------------------------------------------------------


def test_a_result_that_is_too_large_is_sent_for_ever(monkeypatch):
    monkeypatch.setattr(simulated_proplet, "LARGE_EVERY", 10)

    class Stubborn(Machine):
        def cut_down(self, report):
            return []

    assert_caught("too-large", machine_class=Stubborn)


@pytest.mark.parametrize("seed", range(8))
def test_a_result_that_is_too_large_ends_its_task(monkeypatch, seed):
    monkeypatch.setattr(simulated_proplet, "LARGE_EVERY", 5)
    outcome = simulation.simulate(seed)
    assert not outcome.law, outcome.text


# -- restored from a backup ----------------------------------------------------------------------------------


def test_a_start_of_a_past_attempt_is_not_answered(monkeypatch):
    monkeypatch.setattr(liveness, "REPEATS_MAX", 3)

    class Mute(Machine):
        def _seen_before(self, start, now):
            answer = super()._seen_before(start, now)
            return answer if answer is None or not _is_hand_back(answer) else []

    assert_caught("answers", first=101, machine_class=Mute)


def _is_hand_back(actions):
    return any(isinstance(one, SendUp) and isinstance(one.message, HandBack) for one in actions)


def test_an_attempt_is_known_by_its_number_alone(monkeypatch):
    monkeypatch.setattr(simulation, "RESTORES", 2.0)

    class Counting(ClusterState):
        def current(self, proplet_id, task_id, attempt, placed_at=0):
            return super().current(proplet_id, task_id, attempt)

    class CountingToo(Machine):
        def _seen_before(self, start, now):
            return super()._seen_before(replace(start, placed_at=0), now)

        def _remember(self, task_id, attempt, placed_at):
            super()._remember(task_id, attempt, 0)

    parts = {"state_class": Counting, "machine_class": CountingToo}
    assert_caught("stale-attempt", "commit-first", first=45, **parts)


# -- the fleet -----------------------------------------------------------------------------------------------


def test_a_foreign_proplet_that_says_nothing_is_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(leases, "end", lambda state, lease, _: state.leases.drop(lease))
    assert_caught("ends")


def test_a_start_that_a_foreign_proplet_did_not_hear_is_not_repeated(monkeypatch):
    monkeypatch.setattr(leases, "REPEATS_MAX", 0)
    monkeypatch.setattr(simulated_foreign, "DEAF", 0.5)
    assert_caught("repeats")


def test_a_foreign_proplet_gets_work_before_it_listens(monkeypatch):
    def hasty(real, state, event, now):
        real(state, replace(event, is_hello=event.is_hello and bool(event.boot)), now)

    spoil(monkeypatch, liveness, "seen", hasty)
    assert_caught("listening")


def test_a_cordoned_proplet_gets_work(monkeypatch):
    monkeypatch.setattr(placement, "takes_work", lambda proplet: proplet.is_alive)
    assert_caught("cordon")


def test_tags_are_ignored(monkeypatch):
    class Blind(Proplet):
        @property
        def tags(self):
            return frozenset({"edge", "gpu"})

    monkeypatch.setattr(liveness, "Proplet", Blind)
    assert_caught("tags", "replay")


def test_a_broadcast_ends_with_its_first_execution(monkeypatch):
    def hasty(real, state, task, outcome, now):
        task.live_executions = 1
        real(state, task, outcome, now)

    spoil(monkeypatch, broadcast, "execution_ended", hasty)
    assert_caught("broadcast", "invariants")


def test_an_execution_that_is_lost_is_forgotten(monkeypatch):
    monkeypatch.setattr(
        broadcast, "give_up", lambda state, task, proplet_id, *_: state.placement.freed(task, proplet_id)
    )
    assert_caught("ends", "invariants", "replay", "commit-first")


def test_what_is_to_be_everywhere_does_not_reach_who_comes_back(monkeypatch):
    monkeypatch.setattr(broadcast, "reach", lambda *_: None)
    assert_caught("everywhere", "invariants")


def test_a_foreign_result_of_another_attempt_counts(monkeypatch):
    monkeypatch.setattr(outgoing, "foreign_id", lambda task_id, _: task_id)

    class Trusting(ClusterState):
        def current(self, proplet_id, task_id, attempt, placed_at=0):
            proplet = self.proplets.get(proplet_id)
            if proplet is not None and not proplet.is_native and task_id in proplet.placed:
                return self.tasks[task_id]
            return super().current(proplet_id, task_id, attempt, placed_at)

    assert_caught("stale-attempt", "up", state_class=Trusting)


def test_the_outbox_is_not_read_at_the_next_start():
    class Fresh(Machine):
        def __init__(self, proplet_id, **fields):
            fields["kept"] = []
            super().__init__(proplet_id, **fields)

    assert_caught("kept-results", machine_class=Fresh)


# -- what stays ----------------------------------------------------------------------------------------------


def test_who_waits_for_what_is_up_is_not_told():
    class Taciturn(ClusterState):
        def settled(self, task):
            if task.state.has_ended:
                super().settled(task)

    assert_caught("children-follow", "invariants", state_class=Taciturn)


def test_a_sandbox_is_ignored(monkeypatch):
    monkeypatch.setattr(placement, "refusal", lambda *_: "")
    assert_caught("sandbox")


def test_what_has_ended_is_said_to_be_compiled_still(monkeypatch):
    monkeypatch.setattr(attempts, "Compiles", Restarted)
    assert_caught("compiling")


def test_standard_input_goes_where_nobody_knows_of_it(monkeypatch):
    monkeypatch.setattr(placement, "_gives_stdin", lambda _: True)
    assert_caught("stdin")


def test_a_daemon_that_crashed_is_not_started_anew():
    class Lazy(Machine):
        def time_passed(self, now):
            self._crashed.clear()
            return super().time_passed(now)

    assert_caught("ends", machine_class=Lazy)


def test_a_daemon_that_crashed_has_failed():
    class Strict(Machine):
        def _crash(self, held, outcome, now):
            return [self._report(held, outcome, now)]

    assert_caught("stale-attempt", machine_class=Strict)


def test_what_was_lost_with_its_process_has_failed():
    class Unjust(Machine):
        def _lost(self, held, outcome, now):
            return self._report(held, outcome, now)

    assert_caught("no-fault", machine_class=Unjust)


def test_a_broadcast_has_failed_where_a_proplet_has_lost_it(monkeypatch):
    def hasty(state, task, proplet, why, now):
        broadcast.give_up(state, task, proplet.id, f"lost: {why}", now)

    monkeypatch.setattr(broadcast, "lost_there", hasty)
    assert_caught("no-fault", first=110)


def test_a_word_that_got_lost_is_not_said_again(monkeypatch):
    class SaysItOnce(Machine):
        def ups(self):
            return []

    monkeypatch.setattr(transport, "LOSS", 0.3)
    assert_caught("ends", "stays", machine_class=SaysItOnce)


def test_a_restart_forgets_what_was_up():
    class Amnesiac(ClusterState):
        def adopt(self, groups, tasks, past_attempts):
            tasks = list(tasks)
            for task in tasks:
                task.was_up = task.is_up = False
            super().adopt(groups, tasks, past_attempts)

    assert_caught("replay", "invariants", "counts", state_class=Amnesiac)


def test_a_foreign_proplet_is_waited_for_where_a_task_stays(monkeypatch):
    monkeypatch.setattr(simulated_foreign, "DEAF", 1.0)
    monkeypatch.setattr(users, "STAYS", 0.5)

    def patient(real, state, lease, now):
        if lease.task.spec.is_resident:
            state.leases.drop(lease)
        else:
            real(state, lease, now)

    spoil(monkeypatch, leases, "end", patient)
    assert_caught("ends")
