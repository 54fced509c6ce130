"""Schedules of tasks: each time runs once, whatever comes in between."""

import pytest

from propeller.core import cron
from propeller.core.calendar import CatchUp, Overlap, Schedule, ScheduleOptions, Times
from propeller.core.causes import CauseKind
from propeller.core.copies import run_id
from propeller.core.events import (
    DeleteTask,
    PauseSchedule,
    StopTask,
    UpdateTask,
)
from propeller.core.schedules import open_runs
from propeller.errors import Conflict, Invalid
from tests.core.helpers import S, a_task
from tests.core.schedules_helpers import (
    EVERY_5,
    HOUR,
    MINUTE,
    at,
    course,
    passes,
    patient,
    planned_workflow,
    scheduled,
)

# -- tasks -------------------------------------------------------------------------------------------------


def test_a_task_runs_itself_again_at_each_time():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    assert course(rules).next_run == at(HOUR)
    assert passes(rules, HOUR - 1).moves == []
    turn = passes(rules, 1)
    assert turn.moves == ["a SCHEDULED", "a RUNNING"]
    cause = turn.changes.transitions[0].whole_cause
    assert (cause.kind, cause.timer.value) == (CauseKind.TIMER, "schedule")
    assert (course(rules).next_run, course(rules).last_run) == (at(2 * HOUR), at(HOUR))
    assert turn.changes.updated[0].course.next_run == at(2 * HOUR)  # in the same commit as the start
    rules.completes("a", 1)
    assert passes(rules, HOUR).moves == ["a SCHEDULED", "a RUNNING"]
    assert rules.task("a").attempt == 2


def test_a_task_that_does_not_recur_runs_once():
    rules = patient()
    rules.proplet()
    scheduled(rules, is_recurring=False)
    assert passes(rules, HOUR).moves == ["a SCHEDULED", "a RUNNING"]
    rules.completes("a")
    assert passes(rules, 5 * HOUR).moves == []
    rules.turn(UpdateTask("a", {"priority": 70}))
    rules.turn(PauseSchedule(None, "a"))
    rules.turn(PauseSchedule(None, "a", is_paused=False))
    rules.restart()
    assert passes(rules, 5 * HOUR).moves == []
    assert "a" not in rules.state.tasks  # nothing is to come: it need not be remembered
    rules.proplet()
    rules.turn(UpdateTask("a", {"schedule": "30 * * * *"}))
    assert passes(rules, HOUR / 2).moves == ["a SCHEDULED", "a RUNNING"]


def test_a_task_that_has_ended_is_remembered_through_a_restart():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    passes(rules, HOUR)
    rules.completes("a")
    assert "a" in rules.state.tasks
    rules.restart()
    rules.proplet()
    assert passes(rules, HOUR).moves == ["a SCHEDULED", "a RUNNING"]


def test_an_edit_an_upload_and_a_stop_keep_the_schedule():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    passes(rules, HOUR)
    rules.turn(StopTask("a"))
    rules.turn(UpdateTask("a", {"name": "other", "priority": 3}))
    rules.turn(UpdateTask("a", {"schedule": "@hourly", "is_recurring": True}))  # as an answer is sent back
    assert course(rules).next_run == at(2 * HOUR)
    assert course(rules).last_run == at(HOUR)
    rules.turn(UpdateTask("a", {"schedule": "30 * * * *"}))
    assert course(rules).next_run == at(HOUR + HOUR / 2)
    rules.turn(UpdateTask("a", {"schedule": "", "is_recurring": False}))
    assert rules.task("a").timing is None
    assert passes(rules, 3 * HOUR).moves == []
    assert "a" not in rules.state.tasks


def test_a_deleted_task_runs_no_more():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    rules.turn(DeleteTask("a"))
    assert passes(rules, HOUR).moves == []
    assert rules.state.due_in_ns() is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schedule": "61 * * * *"}, "schedule: .*there is no minute 61"),
        ({"schedule": "@daily", "timezone": "Mars"}, 'timezone: there is no zone "Mars"'),
        ({"is_recurring": True}, "is_recurring: it is for a schedule, and the task has none"),
        ({"timezone": "Europe/Paris"}, "timezone: it is for a schedule"),
        (
            {"schedule_options": ScheduleOptions(overlap=Overlap.ALLOW)},
            "schedule_options: it is for a schedule",
        ),
        (
            {"schedule": "@daily", "schedule_options": ScheduleOptions(start=5, end=5)},
            "end: it is not after start",
        ),
    ],
)
def test_a_schedule_that_makes_no_sense(fields, message):
    rules = patient()
    with pytest.raises(Invalid, match=message):
        rules.create(a_task("a", **fields))
    assert not rules.state.tasks
    rules.create(a_task("b"))
    with pytest.raises(Invalid, match=message):
        rules.turn(UpdateTask("b", fields))


def test_the_ids_of_runs_have_room_for_their_time():
    rules = patient()
    with pytest.raises(Invalid, match="has 235 characters; with a schedule it may have 234"):
        rules.create(a_task("x" * 235, schedule="@daily"))
    rules.create(a_task("x" * 234, schedule="@daily"))
    with pytest.raises(Invalid, match="has 235 characters"):
        planned_workflow(rules, a_task("y" * 235))


def test_a_task_of_a_group_has_no_schedule_of_its_own():
    rules = patient()
    with pytest.raises(Invalid, match="schedule: task a is part of workflow w"):
        rules.workflow(a_task("a", schedule="@daily"))
    rules.workflow(a_task("a"))
    with pytest.raises(Invalid, match="give the workflow a schedule instead"):
        rules.turn(UpdateTask("a", {"schedule": "@daily"}))


# -- missed and overlapping --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("catch_up", "minutes"), [(CatchUp.SKIP, []), (CatchUp.LATEST, [20]), (CatchUp.ALL, [5, 10, 15, 20])]
)
def test_what_was_missed(catch_up, minutes):
    rules = patient()
    rules.proplet(slots=30)
    scheduled(rules, EVERY_5, catch_up=catch_up, overlap=Overlap.ALLOW)
    rules.restart()
    rules.proplet(slots=30)
    turn = passes(rules, 23 * MINUTE)
    started = [task.course.last_run for task in turn.changes.updated if task.course]
    assert started == ([at(minutes[-1] * MINUTE)] if minutes else [0])
    names = ["a", *(run_id("a", at(minute * MINUTE)) for minute in minutes[1:])][: len(minutes)]
    assert sorted(move for move in turn.moves if "RUNNING" in move) == sorted(
        f"{name} RUNNING" for name in names
    )
    assert course(rules).next_run == at(25 * MINUTE)


def test_all_that_was_missed_is_run_one_after_the_other_where_runs_may_not_overlap():
    rules = patient()
    rules.proplet()
    scheduled(rules, EVERY_5, catch_up=CatchUp.ALL)
    assert passes(rules, 23 * MINUTE).moves == ["a SCHEDULED", "a RUNNING"]
    assert course(rules).waiting == [at(10 * MINUTE), at(15 * MINUTE), at(20 * MINUTE)]
    assert passes(rules, 2 * MINUTE).moves == []  # its time is skipped: it runs still
    for minute in (10, 15, 20):
        rules.completes("a")
        rules.restart()
        rules.proplet()
        assert passes(rules, 0).moves == ["a SCHEDULED", "a RUNNING"]
        assert course(rules).last_run == at(minute * MINUTE)
    rules.completes("a")
    assert passes(rules, 0).moves == []
    assert passes(rules, 5 * MINUTE).moves == ["a SCHEDULED", "a RUNNING"]


def test_the_oldest_thousand_are_made_up_for():
    rules = patient()
    rules.proplet()
    scheduled(rules, "* * * * *", catch_up=CatchUp.ALL)
    passes(rules, 30 * HOUR)
    assert [course(rules).last_run, *course(rules).waiting] == [at(MINUTE * n) for n in range(1, 1001)]
    assert course(rules).next_run == at(30 * HOUR + MINUTE)


def test_a_time_is_on_time_for_a_minute():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    assert passes(rules, HOUR + 59).moves == ["a SCHEDULED", "a RUNNING"]
    rules.completes("a")
    assert passes(rules, HOUR + 2).moves == []
    assert course(rules).next_run == at(3 * HOUR)


@pytest.mark.parametrize(
    ("overlap", "moves"),
    [
        (Overlap.SKIP, []),
        (Overlap.QUEUE, []),
        (Overlap.ALLOW, ["a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"]),
        (Overlap.REPLACE, ["a INTERRUPTED", "a SCHEDULED", "a RUNNING"]),
    ],
)
def test_a_time_that_comes_while_the_run_before_has_not_ended(overlap, moves):
    rules = patient()
    rules.proplet()
    scheduled(rules, overlap=overlap)
    passes(rules, HOUR)
    assert passes(rules, HOUR).moves == moves
    if overlap is Overlap.ALLOW:
        copied = rules.task("a-19700101T020000Z")
        assert (copied.spec.copy_of, copied.spec.schedule, copied.course) == ("a", "", None)
        rules.completes(copied.id)
    rules.completes("a")
    again = passes(rules, 1).moves
    assert again == (["a SCHEDULED", "a RUNNING"] if overlap is Overlap.QUEUE else [])


def test_a_copy_that_got_a_schedule_of_its_own_is_known_by_its_copies():
    rules = patient()
    rules.proplet()
    rules.create(a_task("a", copy_of="first", schedule="@hourly", is_recurring=True))
    rules.turn(UpdateTask("a", {"schedule_options": ScheduleOptions(overlap=Overlap.ALLOW)}))
    passes(rules, HOUR)
    passes(rules, HOUR)
    assert len(open_runs(rules.state, rules.task("a"))) == 2


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_time_that_waits_for_a_copy_runs_when_that_is_gone(is_deleted):
    rules = patient()
    rules.proplet()
    scheduled(rules, overlap=Overlap.ALLOW, end=at(3 * HOUR))
    passes(rules, HOUR)
    passes(rules, HOUR)
    rules.completes("a")
    rules.turn(
        UpdateTask("a", {"schedule_options": ScheduleOptions(overlap=Overlap.QUEUE, end=at(3 * HOUR))})
    )
    assert passes(rules, HOUR).moves == []
    assert course(rules).waiting == [at(3 * HOUR)]
    copied = "a-19700101T020000Z"
    if is_deleted:
        rules.turn(DeleteTask(copied))
    else:
        rules.completes(copied)
    assert passes(rules, 1).moves == ["a SCHEDULED", "a RUNNING"]


def test_a_stop_ends_the_copies_of_a_task_too_and_drops_what_waits():
    rules = patient()
    rules.proplet()
    scheduled(rules, overlap=Overlap.ALLOW)
    passes(rules, HOUR)
    passes(rules, HOUR)
    rules.completes("a")
    assert rules.stop("a").moves == ["a-19700101T020000Z INTERRUPTED"]
    rules.turn(UpdateTask("a", {"schedule_options": ScheduleOptions(overlap=Overlap.QUEUE)}))
    passes(rules, HOUR)
    passes(rules, HOUR)
    assert rules.stop("a").moves == ["a INTERRUPTED"]
    assert course(rules).waiting == []
    assert passes(rules, 1).moves == []
    assert passes(rules, HOUR).moves == ["a SCHEDULED", "a RUNNING"]


def test_a_copy_that_a_user_starts_again_is_a_run():
    rules = patient()
    rules.proplet()
    scheduled(rules, overlap=Overlap.ALLOW)
    passes(rules, HOUR)
    passes(rules, HOUR)
    ended = rules.task("a-19700101T020000Z")
    rules.completes("a-19700101T020000Z")
    rules.completes("a")
    passes(rules, HOUR)
    rules._tasks["a-19700101T020000Z"] = ended
    rules.start("a-19700101T020000Z")
    assert open_runs(rules.state, rules.task("a")) == [rules.task("a"), ended]


FAR = 253_000_000_000 * S


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (ScheduleOptions(end=at(HOUR)), "schedule_options.end: no time of the schedule comes from now until"),
        (ScheduleOptions(start=FAR), "schedule_options.start: no time of the schedule is known after it"),
    ],
)
def test_a_schedule_that_never_comes_is_refused(options, message):
    rules = patient()
    rules.create(a_task("b"))
    passes(rules, 2 * HOUR)
    said = {"schedule": "@hourly", "is_recurring": True, "schedule_options": options}
    with pytest.raises(Invalid, match=message):
        rules.create(a_task("a", **said))
    with pytest.raises(Invalid, match=message):
        rules.turn(UpdateTask("b", said))
    assert rules.task("b").spec.schedule == ""


def test_a_schedule_that_is_over_may_be_sent_back():
    rules = patient()
    rules.proplet()
    scheduled(rules, end=at(HOUR))
    passes(rules, HOUR)
    rules.completes("a")
    passes(rules, HOUR)
    options = ScheduleOptions(end=at(HOUR))
    rules.turn(UpdateTask("a", {"schedule": "@hourly", "is_recurring": True, "schedule_options": options}))
    assert course(rules).next_run == 0


def test_a_hundred_times_wait_for_the_run_before():
    rules = patient()
    rules.proplet()
    scheduled(rules, "* * * * *", overlap=Overlap.QUEUE)
    for _ in range(110):
        passes(rules, MINUTE)
    assert course(rules).waiting == [at(MINUTE * n) for n in range(2, 102)]


# -- the clock ---------------------------------------------------------------------------------------------


def test_nothing_runs_twice_when_the_clock_is_set_back():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    passes(rules, HOUR)
    rules.completes("a")
    assert passes(rules, 60, clock_moved_s=-HOUR / 2).moves == []
    assert passes(rules, HOUR / 2).moves == []
    rules.turn(PauseSchedule(None, "a"))
    rules.turn(PauseSchedule(None, "a", is_paused=False))
    assert course(rules).next_run == at(2 * HOUR)


def test_nothing_runs_twice_after_the_last_time_either():
    rules = patient()
    rules.proplet()
    scheduled(rules, end=at(HOUR))
    passes(rules, HOUR)
    rules.completes("a")
    passes(rules, 1, clock_moved_s=-HOUR / 2)
    rules.turn(PauseSchedule(None, "a"))
    rules.turn(PauseSchedule(None, "a", is_paused=False))
    assert passes(rules, HOUR / 2).moves == []


def test_the_clock_is_set_forward():
    rules = patient()
    rules.proplet()
    scheduled(rules, catch_up=CatchUp.LATEST)
    assert passes(rules, 1, clock_moved_s=30 * HOUR + 300).moves == ["a SCHEDULED", "a RUNNING"]
    assert course(rules).last_run == at(30 * HOUR)


def test_jitter_is_the_same_again_and_ends_before_the_next_time():
    options = ScheduleOptions(jitter_ns=at(HOUR))
    times = Times(Schedule(text=EVERY_5, is_recurring=True, options=options), "a")
    spread = [times.due(minute * at(MINUTE)) - minute * at(MINUTE) for minute in range(0, 500, 5)]
    assert all(0 <= late < at(5 * MINUTE) for late in spread)
    assert len(set(spread)) == 100
    assert spread == [times.due(minute * at(MINUTE)) - minute * at(MINUTE) for minute in range(0, 500, 5)]
    rules = patient()
    rules.proplet()
    scheduled(rules, EVERY_5, jitter_ns=at(HOUR))
    due = course(rules).due_at
    assert rules.state.due_in_ns() == due - rules.now
    assert passes(rules, due / S - 1).moves == []
    assert passes(rules, 1).moves == ["a SCHEDULED", "a RUNNING"]


def test_a_zone_that_is_not_known_any_more_pauses_the_schedule(monkeypatch):
    rules = patient()
    rules.proplet()
    scheduled(rules)

    def parse(_text, _timezone):
        raise ValueError('timezone: there is no zone "Europe/Nowhere"')

    monkeypatch.setattr(cron, "parse", parse)
    turn = passes(rules, HOUR)
    assert turn.moves == []
    assert (course(rules).is_paused, course(rules).error) == (
        True,
        'timezone: there is no zone "Europe/Nowhere"',
    )
    assert turn.changes.updated == [rules.task("a")]
    with pytest.raises(Invalid, match="there is no zone"):
        rules.turn(PauseSchedule(None, "a", is_paused=False))
    assert course(rules).is_paused


def test_a_schedule_begins_and_ends():
    rules = patient()
    rules.proplet()
    scheduled(rules, start=at(10 * HOUR), end=at(11 * HOUR))
    assert course(rules).next_run == at(10 * HOUR)
    for _ in range(2):
        passes(rules, 10 * HOUR - rules.now / S if not course(rules).last_run else HOUR)
        rules.completes("a")
    assert (course(rules).last_run, course(rules).next_run) == (at(11 * HOUR), 0)
    assert "a" not in rules.state.tasks


def test_times_during_a_pause_are_not_made_up_for():
    rules = patient()
    rules.proplet()
    scheduled(rules, catch_up=CatchUp.ALL)
    rules.turn(PauseSchedule(None, "a"))
    rules.restart()
    rules.proplet()
    assert passes(rules, 5 * HOUR).moves == []
    rules.turn(PauseSchedule(None, "a", is_paused=False))
    assert course(rules).next_run == at(6 * HOUR)
    rules.create(a_task("b"))
    with pytest.raises(Conflict, match="task b has no schedule"):
        rules.turn(PauseSchedule(None, "b"))
