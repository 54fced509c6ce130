"""The simulation sees: each fault that is planted here on purpose breaks the law that it ought to break."""

import pytest

from propeller.core import attempts, causes, failfast, inputs, invariants, liveness, relations, spans
from propeller.core import state as state_module
from propeller.core.cluster import Cluster
from propeller.core.commands import tasks as task_commands
from propeller.core.effects import SendStart, SendStop
from propeller.core.events import RunEnded
from propeller.core.reasons import Note
from propeller.core.state import ClusterState
from propeller.core.states import PENDING, RUNNING, SCHEDULED, SKIPPED
from propeller.manager import engine
from propeller.manager.engine import Answer, Commit, Send
from propeller.proplet.actions import SendUp
from propeller.proplet.machine import Machine

from . import transport
from .faults import assert_caught, spoil
from .simulation import simulate
from .store import SimulatedStore

# -- the engine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [Send, Answer])
def test_acting_before_the_commit(monkeypatch, step):
    real_turn = engine.turn

    def hasty_turn(*args):
        steps, kept, reply = real_turn(*args), None, None
        while True:
            try:
                current, reply = steps.send(reply), None
            except StopIteration:
                break
            if isinstance(current, Commit):
                kept = current
            elif kept is not None and not isinstance(current, step):
                yield kept
                kept = None
                reply = yield current
            else:
                reply = yield current
        if kept is not None:
            yield kept

    monkeypatch.setattr(engine, "turn", hasty_turn)
    assert_caught("commit-first")


def test_a_commit_that_is_not_durable():
    class ForgetfulStore(SimulatedStore):
        """Keeps what it was given in a cache that a crash empties."""

        def commit(self, changes):
            self.saved = {name: value.copy() for name, value in vars(self).items() if name != "saved"}
            self.saved["members"] = {key: dict(seqs) for key, seqs in self.members.items()}
            super().commit(changes)

        def crashed(self):
            vars(self).update(getattr(self, "saved", {}))

    assert_caught("durable", store_class=ForgetfulStore)


# -- attempts, losses, messages ------------------------------------------------------------------------------


def test_no_check_of_the_attempt():
    class Trusting(ClusterState):
        def current(self, proplet_id, task_id, attempt, placed_at=0):
            task = self.tasks.get(task_id)
            return task if task is not None and task.state is RUNNING else None

    laws = ("stale-attempt", "causes", "commit-first", "invariants", "one-result")
    assert_caught(*laws, first=3, state_class=Trusting)


def test_the_same_attempt_placed_twice(monkeypatch):
    def thrifty(real, state, task, reason, now):
        task.attempt -= 1
        real(state, task, reason, now)

    spoil(monkeypatch, attempts, "run_again", thrifty)
    assert_caught("one-attempt")


@pytest.mark.parametrize(
    ("unsaid", "loss", "laws"),
    [(SendStart, None, ("ends", "answers")), (SendStop, 0.3, ("nothing-runs", "ends"))],
    ids=["start", "stop"],
)
def test_what_got_lost_is_never_repeated(monkeypatch, unsaid, loss, laws):
    def says_it_once(real, state, proplet, running, now):
        real(state, proplet, running, now)
        state.turn.effects = [effect for effect in state.turn.effects if not isinstance(effect, unsaid)]

    spoil(monkeypatch, liveness, "_reconcile", says_it_once)
    monkeypatch.setattr(transport, "LOSS", loss or transport.LOSS)
    assert_caught(*laws)


def test_silence_is_not_noticed(monkeypatch):
    monkeypatch.setattr(liveness, "time_passed", lambda *_: None)
    assert_caught("ends")


def test_one_that_said_good_bye_and_is_given_up_may_be_taken_for_an_earlier_boot():
    assert not simulate(1796047893).law


def test_a_message_of_an_old_boot_counts(monkeypatch):
    def credulous(real, state, event, now):
        proplet = state.proplets.get(event.proplet_id)
        if proplet is not None and event.boot < proplet.boot:
            state.silence_of(proplet).forget(proplet.id)
        real(state, event, now)

    spoil(monkeypatch, liveness, "seen", credulous)
    monkeypatch.setattr(transport, "LONG_DELAY", 0.3)
    assert_caught("stale-boot", first=50)


def test_a_deleted_task_is_forgotten_with_its_attempts():
    class Oblivious(ClusterState):
        def remember_attempt(self, task):
            pass

    assert_caught("ends", "commit-first", state_class=Oblivious)


# -- the rules -----------------------------------------------------------------------------------------------


def test_a_skip_is_not_passed_on(monkeypatch):
    def abrupt(real, state, task, how, now):
        real(state, task, how, now)
        if how is SKIPPED and task.children:
            state.consequences.settled.remove(task)

    spoil(monkeypatch, attempts, "end", abrupt)
    assert_caught("children-follow", "invariants")


def test_a_start_after_the_first_of_two_parents():
    class Eager(Cluster):
        def _follow_up(self, now):
            settled = self.state.consequences.settled
            early = [child for task in settled for child in task.children if child.state is PENDING]
            super()._follow_up(now)
            for child in early:
                if child.state is PENDING:
                    attempts.schedule(self.state, child, now)

    assert_caught("parents-first", "sequential", cluster_class=Eager)


def test_two_starts_when_two_parents_end_together(monkeypatch):
    class Doubling(Cluster):
        """Each parent that ended in the turn looks for itself whether all have, when the turn is over."""

        def _follow_up(self, now):
            due = self.state.consequences
            while due.settled or due.failed:
                while due.failed:
                    failfast.stop_others(self.state, due.failed.pop(), now)
                for child in due.settled.pop().children if due.settled else ():
                    child.unmet -= 1

        def settle(self, now):
            for move in self.state.turn.transitions:  # which grows as tasks are skipped
                task = self.state.tasks.get(move.task_id)
                self.state.cause = causes.by_parent(move.task_id)
                for child in (
                    task.children if task is not None and (move.state.has_ended or move.is_up) else ()
                ):
                    if not child.unmet and child.state in (PENDING, SCHEDULED):
                        attempts.start_or_skip(self.state, child, now)
                self._follow_up(now)
            super().settle(now)

    monkeypatch.setattr(state_module, "check_transition", lambda *_: None)
    assert_caught("transitions", "children-follow", cluster_class=Doubling)


def test_a_sequential_job_does_not_wait(monkeypatch):
    def without_the_one_before(real, task, group):
        before, task.before = task.before, None
        reason = real(task, group)
        task.before = before
        return reason

    for module in (relations, invariants):
        monkeypatch.setattr(module, "predecessors", lambda task: task.parents)
    spoil(monkeypatch, attempts, "why_not", without_the_one_before)
    assert_caught("sequential", "children-follow")


def test_a_stop_changes_what_has_ended(monkeypatch):
    def spoiled(real, state, command, now):
        task = state.tasks.get(command.task_id)
        if task is not None and task.state.has_ended:
            task.failure, task.reason = None, Note("stopped")
            state.turn.touched[task.id] = task
        real(state, command, now)

    spoil(monkeypatch, task_commands, "stop", spoiled)
    assert_caught("ended-stays")


def test_a_stop_of_a_group_leaves_those_that_wait(monkeypatch):
    def spoiled(real, state, task, reason, now):
        if task.state is not PENDING:
            real(state, task, reason, now)

    spoil(monkeypatch, attempts, "interrupt", spoiled)
    assert_caught("commit-first", "fail-fast")


def test_a_failure_stops_nobody(monkeypatch):
    monkeypatch.setattr(failfast, "stop_others", lambda *_: None)
    assert_caught("fail-fast")


def test_a_failure_stops_also_what_is_there_for_it(monkeypatch):
    monkeypatch.setattr(failfast, "spared_of", lambda _: set())
    assert_caught("skips", "fail-fast")


def test_an_ended_task_is_changed():
    class Late(Cluster):
        def handle(self, event, now):
            answer = super().handle(event, now)
            task = self.state.tasks.get(event.task_id) if isinstance(event, RunEnded) else None
            if task is not None and task.state.has_ended:
                task.finished_at = now
                self.state.turn.touched[task.id] = task
            return answer

    assert_caught("ended-stays", cluster_class=Late)


def test_the_last_results_are_kept_when_a_task_starts_again(monkeypatch):
    def hoarding(real, state, task):
        kept = task.results
        real(state, task)
        task.results = kept

    spoil(monkeypatch, attempts, "clear", hoarding)
    assert_caught("invariants")


def test_a_task_is_asked_for_its_inputs_only_when_it_begins_to_wait(monkeypatch):
    real, usable = inputs._missing, inputs._usable
    monkeypatch.setattr(inputs, "missing", lambda task: real(task, usable(task)))
    monkeypatch.setattr(inputs, "_missing", lambda *_: None)
    assert_caught("no-defect", first=850)


def test_what_was_up_forgets_its_result_when_it_is_to_run_again(monkeypatch):
    def forgetful(real, state, task, reason, now):
        task.results = None
        real(state, task, reason, now)

    spoil(monkeypatch, attempts, "run_again", forgetful)
    assert_caught("inputs", first=280)


def test_what_failed_has_results_for_its_children(monkeypatch):
    def generous(task):
        return {parent.id: parent.results for parent in task.parents if parent.results is not None}

    monkeypatch.setattr(inputs, "_usable", generous)
    assert_caught("inputs", "parents-first")


def test_a_task_is_given_what_another_parent_returned(monkeypatch):
    def confused(real, spec, results):
        return real(spec, dict(zip(results, reversed(results.values()), strict=True)))

    spoil(monkeypatch, inputs, "_resolved", confused)
    assert_caught("inputs")


def test_counts_are_not_stored():
    class Uncounted(ClusterState):
        def move(self, task, to, now):
            had = dict(self.turn.groups)
            super().move(task, to, now)
            self.turn.groups = had

    assert_caught("counts", state_class=Uncounted)


def test_a_group_keeps_the_times_of_a_run_that_is_no_more(monkeypatch):
    """Whether the task was deleted, was lost, or is started again."""
    real_step = spans._step

    def forgetful(group, task, start, end):
        if start or not task.told_start:
            real_step(group, task, start, end)

    monkeypatch.setattr(spans, "_step", forgetful)
    assert_caught("times", "invariants")


def test_a_change_is_not_stored(monkeypatch):
    def unwritten(real, state, task, reason, now):
        real(state, task, reason, now)
        state.turn.touched.pop(task.id)

    spoil(monkeypatch, attempts, "run_again", unwritten)
    assert_caught("transitions", "counts", "replay")


@pytest.mark.parametrize("state", [RUNNING, SCHEDULED])
def test_a_restart_forgets_what(state):
    class Amnesiac(ClusterState):
        def adopt(self, groups, tasks, past_attempts):
            super().adopt(groups, tasks, past_attempts)
            for task in self.tasks.values():
                if task.state is state:
                    self.release(task)

    assert_caught("invariants", "room", "commit-first", state_class=Amnesiac)


# -- the proplet ---------------------------------------------------------------------------------------------


def test_a_report_is_dropped_before_it_is_acknowledged():
    class Careless(Machine):
        def _owe(self, held, message, now):
            sent = super()._owe(held, message, now)
            self._owed.drop(message.task_id)
            return sent

    assert_caught("ends", "kept-results", machine_class=Careless)


def test_a_repeated_start_runs_twice():
    class Obedient(Machine):
        def _start(self, start, now):
            if self._newest.get(start.id, (0, 0))[0] == start.attempt and start.id not in self._owed:
                self._newest[start.id] = start.attempt - 1, 0
            return super()._start(start, now)

    assert_caught("one-run", machine_class=Obedient)


def test_a_stop_of_an_old_attempt_counts():
    class Hasty(Machine):
        def _stop(self, stop, now):
            self._newest.pop(stop.id, None)
            return super()._stop(stop, now)

    assert_caught("one-run", machine_class=Hasty)


def test_a_stop_is_not_obeyed():
    class Deaf(Machine):
        def _stop(self, stop, now):
            return []

    assert_caught("nothing-runs", machine_class=Deaf)


def test_a_module_that_did_not_come_is_not_asked_for_again():
    class AsksOnce(Machine):
        def time_passed(self, now):
            return [action for action in super().time_passed(now) if isinstance(action, SendUp)]

    assert_caught("ends", machine_class=AsksOnce)
