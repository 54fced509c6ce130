"""The simulation sees: each fault that is planted here on purpose breaks the law that it ought to break."""

import pytest

from propeller.core import cluster as cluster_module
from propeller.core import (
    commands,
    failfast,
    invariants,
    relations,
    spans,
)
from propeller.core.cluster import Cluster
from propeller.core.effects import SendStart, SendStop
from propeller.core.events import RunEnded
from propeller.core.states import PENDING, RUNNING, SCHEDULED, SKIPPED
from propeller.core.watch import Watch
from propeller.manager import engine
from propeller.manager.engine import Answer, Commit, Send
from propeller.proplet.actions import SendUp
from propeller.proplet.machine import Machine

from . import transport
from .faults import assert_caught, watched_by
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
    class Trusting(Cluster):
        def current(self, proplet_id, task_id, attempt, placed_at=0):
            task = self.tasks.get(task_id)
            return task if task is not None and task.state is RUNNING else None

    assert_caught("stale-attempt", "invariants", cluster_class=Trusting)


def test_the_same_attempt_placed_twice():
    class Thrifty(Cluster):
        def run_again(self, task, reason, now):
            task.attempt -= 1
            super().run_again(task, reason, now)

    assert_caught("one-attempt", cluster_class=Thrifty)


def test_a_lost_start_is_never_repeated():
    class SaysItOnce(Watch):
        def _reconcile(self, proplet, running, now):
            super()._reconcile(proplet, running, now)
            cluster = self._cluster
            cluster.effects = [effect for effect in cluster.effects if not isinstance(effect, SendStart)]

    assert_caught("ends", "answers", cluster_class=watched_by(SaysItOnce))


def test_a_lost_stop_is_never_repeated(monkeypatch):
    class SaysItOnce(Watch):
        def _reconcile(self, proplet, running, now):
            super()._reconcile(proplet, running, now)
            cluster = self._cluster
            cluster.effects = [effect for effect in cluster.effects if not isinstance(effect, SendStop)]

    monkeypatch.setattr(transport, "LOSS", 0.3)
    assert_caught("nothing-runs", "ends", cluster_class=watched_by(SaysItOnce))


def test_silence_is_not_noticed():
    class Patient(Watch):
        def time_passed(self, now):
            pass

    assert_caught("ends", cluster_class=watched_by(Patient))


def test_a_message_of_an_old_boot_counts():
    class Credulous(Watch):
        def seen(self, event, now):
            proplet = self._cluster.proplets.get(event.proplet_id)
            if proplet is not None and event.boot < proplet.boot:
                self._silence_of(proplet).forget(proplet.id)
            super().seen(event, now)

    assert_caught("stale-boot", first=200, cluster_class=watched_by(Credulous))


def test_a_deleted_task_is_forgotten_with_its_attempts():
    class Oblivious(Cluster):
        def remember_attempt(self, task):
            pass

    assert_caught("ends", "commit-first", cluster_class=Oblivious)


# -- the rules -----------------------------------------------------------------------------------------------


def test_a_skip_is_not_passed_on():
    class Abrupt(Cluster):
        def end(self, task, state, now):
            super().end(task, state, now)
            if state is SKIPPED and task.children:
                self._untold.remove(task)

    assert_caught("children-follow", "invariants", cluster_class=Abrupt)


def test_a_start_after_the_first_of_two_parents():
    class Eager(Cluster):
        def _tell_others(self, now):
            early = [child for task in self._untold for child in task.children if child.state is PENDING]
            super()._tell_others(now)
            for child in early:
                if child.state is PENDING:
                    self.schedule(child, now)

    assert_caught("parents-first", cluster_class=Eager)


def test_two_starts_when_two_parents_end_together(monkeypatch):
    class Doubling(Cluster):
        """Each parent that ended in the turn looks for itself whether all have, when the turn is over."""

        def _tell_others(self, now):
            while self._untold or self._failed:
                while self._failed:
                    failfast.stop_others(self, self._failed.pop(), now)
                for child in self._untold.pop().children if self._untold else ():
                    child.unmet -= 1

        def settle(self, now):
            for move in self.transitions:  # which grows as tasks are skipped
                task = self.tasks.get(move.task_id)
                for child in (
                    task.children if task is not None and (move.state.has_ended or move.is_up) else ()
                ):
                    if not child.unmet and child.state in (PENDING, SCHEDULED):
                        self.decide(child, now)
                self._tell_others(now)
            super().settle(now)

    monkeypatch.setattr(cluster_module, "check_transition", lambda *_: None)
    assert_caught("transitions", cluster_class=Doubling)


def test_a_sequential_job_does_not_wait(monkeypatch):
    real = relations.skip_reason

    def without_the_one_before(task):
        before, task.before = task.before, None
        reason = real(task)
        task.before = before
        return reason

    for module in (relations, commands, invariants):
        monkeypatch.setattr(module, "predecessors", lambda task: task.parents)
    monkeypatch.setattr(cluster_module, "skip_reason", without_the_one_before)
    assert_caught("sequential", "children-follow")


def test_a_failure_stops_nobody(monkeypatch):
    monkeypatch.setattr(failfast, "stop_others", lambda *_: None)
    assert_caught("fail-fast")


def test_a_failure_stops_also_what_is_there_for_it(monkeypatch):
    monkeypatch.setattr(failfast, "for_failures", lambda _: set())
    assert_caught("skips", "fail-fast")


def test_run_if_is_ignored(monkeypatch):
    monkeypatch.setattr(cluster_module, "skip_reason", lambda _: "")
    monkeypatch.setattr(commands, "skip_reason", lambda _: "")
    assert_caught("parents-first", "sequential")


def test_all_is_skipped_that_has_run_if(monkeypatch):
    real = relations.skip_reason
    monkeypatch.setattr(cluster_module, "skip_reason", lambda task: real(task) or task.spec.run_if)
    assert_caught("skips")


def test_an_ended_task_is_changed():
    class Late(Cluster):
        def handle(self, event, now):
            answer = super().handle(event, now)
            task = self.tasks.get(event.task_id) if isinstance(event, RunEnded) else None
            if task is not None and task.state.has_ended:
                task.finished_at = now
                self.touched[task.id] = task
            return answer

    assert_caught("ended-stays", cluster_class=Late)


def test_the_last_results_are_kept_when_a_task_starts_again():
    class Hoarding(Cluster):
        def clear(self, task):
            kept = task.results
            super().clear(task)
            task.results = kept

    assert_caught("invariants", cluster_class=Hoarding)


def test_counts_are_not_stored():
    class Uncounted(Cluster):
        def move(self, task, state, now):
            had = dict(self.touched_groups)
            super().move(task, state, now)
            self.touched_groups = had

    assert_caught("counts", cluster_class=Uncounted)


def test_a_group_keeps_the_times_of_a_run_that_is_no_more(monkeypatch):
    """Whether the task was deleted, was lost, or is started again."""
    real_step = spans._step

    def forgetful(group, task, start, end):
        if start or not task.told_start:
            real_step(group, task, start, end)

    monkeypatch.setattr(spans, "_step", forgetful)
    assert_caught("times")


def test_a_change_is_not_stored():
    class Unwritten(Cluster):
        def run_again(self, task, reason, now):
            super().run_again(task, reason, now)
            self.touched.pop(task.id)

    assert_caught("transitions", "counts", "replay", cluster_class=Unwritten)


@pytest.mark.parametrize("state", [RUNNING, SCHEDULED])
def test_a_restart_forgets_what(state):
    class Amnesiac(Cluster):
        def adopt(self, groups, tasks, past_attempts):
            super().adopt(groups, tasks, past_attempts)
            for task in self.tasks.values():
                if task.state is state:
                    self.release(task)

    assert_caught("invariants", cluster_class=Amnesiac)


# -- the proplet ---------------------------------------------------------------------------------------------


def test_a_report_is_dropped_before_it_is_acknowledged():
    class Careless(Machine):
        def _owe(self, held, message, now):
            sent = super()._owe(held, message, now)
            del self._outbox[message.task_id]
            return sent

    assert_caught("ends", "kept-results", machine_class=Careless)


def test_a_repeated_start_runs_twice():
    class Obedient(Machine):
        def _start(self, start, now):
            if self._newest.get(start.id, (0, 0))[0] == start.attempt and start.id not in self._outbox:
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
