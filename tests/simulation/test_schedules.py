"""The laws of schedules hold in worlds with crashes and clocks that are set; each planted fault breaks its law."""

from functools import partial

import pytest
from msgspec.structs import replace

from propeller.core import calendar, cron, schedules
from propeller.core.calendar import Agenda, ScheduleState, Times
from propeller.core.state import ClusterState

from . import faults
from .faults import spoil
from .planned import simulate_schedules
from .store import SimulatedStore

SEEDS = 60
CHUNK = 15


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_law_is_broken(first):
    runs = 0
    for seed in range(first, first + CHUNK):
        outcome = simulate_schedules(seed)
        if outcome.law:
            pytest.fail(f"{outcome.story}\n\nseed {seed} breaks a law: {outcome.text}", pytrace=False)
        runs += outcome.tasks_run
    assert runs > 10 * CHUNK, "next to nothing ran, so nothing was checked"


def test_the_same_seed_is_the_same_story():
    assert simulate_schedules(3).transcript == simulate_schedules(3).transcript
    assert simulate_schedules(3).transcript != simulate_schedules(4).transcript


def test_a_time_is_passed_over_while_a_hundred_wait():
    """A clock that is set forward by a day brings more times to make up for than may wait."""
    for seed in (1796026935, 1796027010):
        assert not simulate_schedules(seed).law


def test_the_last_time_that_was_missed_may_have_run_before_its_workflow_was_deleted_and_made_anew():
    assert not simulate_schedules(1796036020).law


def test_a_user_may_start_a_task_at_the_very_time_that_replaces_that_run():
    assert not simulate_schedules(1796040745).law


# -- planted faults ----------------------------------------------------------------------------------------


assert_caught = partial(faults.assert_caught, seeds=SEEDS, play=simulate_schedules)


def test_the_next_time_is_not_written_with_the_start(monkeypatch):
    """After a crash the manager starts from what it knew before."""

    class Late(SimulatedStore):
        def commit(self, changes):
            kept = {task.seq: self.runs[task.seq][-3] for task in changes.updated if task.seq in self.runs}
            super().commit(changes)
            for seq, timing in kept.items():
                if '"next_run":' in timing and '"next_run":' in self.runs[seq][-3]:
                    self.runs[seq] = (*self.runs[seq][:-3], timing, *self.runs[seq][-2:])

    assert_caught("replay", store_class=Late)


def test_a_time_comes_twice(monkeypatch):
    def forgetful(real, schedule, owner_id, next_run, wall):
        found = real(schedule, owner_id, next_run, wall)
        return found._replace(next_run=next_run, due_at=next_run) if found.on_time else found

    spoil(monkeypatch, calendar, "agenda", forgetful)
    assert_caught("time-once", "overlap", "overdue")


def test_a_clock_that_is_set_back_brings_times_again(monkeypatch):
    def by_the_clock(real, state, now):
        real(state, now)
        for record in (*state.tasks.values(), *state.groups.values()):
            course = record.course
            if course is not None and course.next_run > state.wall + calendar.LATE_NS * 20:
                schedules._await(state, record, state.wall)
                schedules._note(state, record)

    spoil(monkeypatch, schedules, "time_passed", by_the_clock)
    assert_caught("time-once", "schedule-times", "missed")


def test_runs_overlap(monkeypatch):
    monkeypatch.setattr(schedules, "open_runs", lambda _state, _record: [])
    assert_caught("overlap", "no-defect", "invariants")


def test_missed_times_are_made_up_for_unasked(monkeypatch):
    monkeypatch.setattr(calendar, "LATE_NS", 3600 * 1_000_000_000)
    assert_caught("missed", "overlap")


@pytest.mark.parametrize("most", [0, 1])
def test_missed_times_are_not_made_up_for(monkeypatch, most):
    def lazy(real, *args):
        found = real(*args)
        return Agenda(found.missed[:most], *found[1:])

    spoil(monkeypatch, calendar, "agenda", lazy)
    assert_caught("missed")


@pytest.mark.parametrize("is_by_elapsed_time", [True, False])
def test_the_days_on_which_clocks_are_set_are_read_in_one_way(monkeypatch, is_by_elapsed_time):
    real = cron.parse

    def parse(text, timezone=""):
        return replace(real(text, timezone), is_by_elapsed_time=is_by_elapsed_time)

    monkeypatch.setattr(cron, "parse", parse)
    assert_caught("schedule-times", "missed")


def test_a_pause_is_not_heeded(monkeypatch):
    def deaf(state, record):
        schedules._course(record).is_paused = True
        schedules._note(state, record)

    monkeypatch.setattr(schedules, "pause", deaf)
    assert_caught("paused", "invariants")


def test_what_is_to_come_is_forgotten_with_the_end(monkeypatch):
    class Oblivious(ClusterState):
        """Lets go of what has ended, whatever is to come."""

    monkeypatch.setattr(ScheduleState, "is_live", property(lambda course: bool(course.waiting)))
    assert_caught("overdue", "replay", "invariants")


def test_what_waits_is_not_told_of_the_end(monkeypatch):
    monkeypatch.setattr(ClusterState, "_go_on", lambda _state, _record: None)
    assert_caught("overdue")


def test_jitter_begins_too_early(monkeypatch):
    monkeypatch.setattr(Times, "due", lambda _times, at: at - 90 * 1_000_000_000)
    assert_caught("schedule-times", "invariants", "missed")
