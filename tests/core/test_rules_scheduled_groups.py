"""Schedules of workflows and jobs: each time makes and starts a copy."""

import msgspec
import pytest

from propeller.core.calendar import Overlap, Schedule
from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    NewGroup,
    PauseSchedule,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.core.model import Definition, FromParent, GroupKind, JobMode
from propeller.errors import Conflict
from tests.core.helpers import a_task, in_workflow
from tests.core.schedules_helpers import (
    HOUR,
    at,
    passes,
    patient,
    planned_workflow,
    scheduled,
)

# -- workflows and jobs ------------------------------------------------------------------------------------

RUN = "w-19700101T010000Z"


def test_each_run_of_a_workflow_is_a_copy():
    rules = patient()
    rules.proplet()
    referring = a_task("b", "a", inputs=(FromParent("a"), "$${x} ${a}", 3), run_if="success")
    planned_workflow(rules, a_task("a"), referring)
    turn = passes(rules, HOUR)
    assert turn.moves == ["a-19700101T010000Z SCHEDULED", "a-19700101T010000Z RUNNING"]
    run = rules.state.groups[RUN]
    assert (run.name, run.definition, run.course) == ("nightly", Definition(run_of="w"), None)
    copied = rules.task("b-19700101T010000Z").spec
    assert copied == msgspec.structs.replace(
        referring,
        id="b-19700101T010000Z",
        copy_of="b",
        workflow_id=RUN,
        depends_on=("a-19700101T010000Z",),
        inputs=(FromParent("a-19700101T010000Z"), "$${x} ${a-19700101T010000Z}", 3),
    )
    assert {rules.task(name).state.name for name in "ab"} == {"PENDING"}
    assert rules.state.groups["w"].course.next_run == at(2 * HOUR)
    rules.completes("a-19700101T010000Z", "7")
    rules.completes("b-19700101T010000Z", "8")
    assert RUN not in rules.state.groups
    rules.restart()
    rules.proplet()
    assert passes(rules, HOUR).moves == ["a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"]


def test_a_sequential_job_runs_its_copies_in_order():
    rules = patient()
    rules.proplet()
    definition = Definition(schedule=Schedule(text="@hourly", is_recurring=True))
    group = NewGroup(id="j", kind=GroupKind.JOB, mode=JobMode.SEQUENTIAL, definition=definition)
    rules.turn(CreateTasks(specs=(a_task("a", job_id="j"), a_task("b", job_id="j")), group=group))
    assert passes(rules, HOUR).moves == ["a-19700101T010000Z SCHEDULED", "a-19700101T010000Z RUNNING"]
    assert rules.completes("a-19700101T010000Z").moves[1:] == [
        "b-19700101T010000Z SCHEDULED",
        "b-19700101T010000Z RUNNING",
    ]


def test_runs_of_a_workflow_wait_for_each_other():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"), overlap=Overlap.QUEUE)
    passes(rules, HOUR)
    passes(rules, HOUR)
    passes(rules, HOUR)
    assert rules.state.groups["w"].course.waiting == [at(2 * HOUR), at(3 * HOUR)]
    rules.restart()
    rules.proplet()
    assert passes(rules, 1).moves == []
    rules.turn(DeleteGroup(GroupKind.WORKFLOW, RUN))
    assert passes(rules, 1).moves == ["a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"]
    rules.fails("a-19700101T020000Z")
    assert passes(rules, 1).moves == ["a-19700101T030000Z SCHEDULED", "a-19700101T030000Z RUNNING"]


def test_the_next_run_of_a_workflow_takes_the_place_of_the_one_before():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, overlap=Overlap.REPLACE)
    passes(rules, HOUR)
    assert passes(rules, HOUR).moves == [
        "b-19700101T010000Z INTERRUPTED",
        "a-19700101T010000Z INTERRUPTED",
        "a-19700101T020000Z SCHEDULED",
        "a-19700101T020000Z RUNNING",
    ]
    assert str(rules.task("a-19700101T010000Z").reason) == "the next run of its schedule took its place"


def test_an_id_that_is_taken_makes_no_second_run():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"))
    rules.create(a_task("a-19700101T010000Z"))
    assert passes(rules, HOUR).moves == []
    assert passes(rules, HOUR).moves == ["a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"]


def test_what_a_user_does_to_a_workflow_with_a_schedule():
    rules = patient()
    rules.proplet()
    planned_workflow(rules)
    turn = rules.turn(StartGroup(GroupKind.WORKFLOW, "w"), after_s=90)
    assert [task.spec.group_id for task in turn.answer] == ["w-19700101T000130.001Z"] * 2
    assert turn.moves == ["a-19700101T000130.001Z SCHEDULED", "a-19700101T000130.001Z RUNNING"]
    with pytest.raises(Conflict, match="was started just now"):
        rules.turn(StartGroup(GroupKind.WORKFLOW, "w"))
    with pytest.raises(Conflict, match="only copies of it run"):
        rules.start("a")
    with pytest.raises(Conflict, match="only copies of it run"):
        rules.turn(StopTask("a"))
    stopped = rules.turn(StopGroup(GroupKind.WORKFLOW, "w")).moves
    assert stopped == ["b-19700101T000130.001Z INTERRUPTED", "a-19700101T000130.001Z INTERRUPTED"]
    rules.turn(CreateTasks(specs=in_workflow(a_task("c"))))
    assert len(passes(rules, HOUR - 90).moves) == 4
    rules.turn(DeleteGroup(GroupKind.WORKFLOW, "w"))
    assert passes(rules, HOUR).moves == []
    assert "a-19700101T010000Z" in rules.state.tasks


def test_a_manual_start_of_a_task_counts_as_its_run():
    rules = patient()
    rules.proplet()
    scheduled(rules)
    rules.turn(StartTask("a"))
    assert passes(rules, HOUR).moves == []


def test_runs_that_have_ended_are_remembered_no_longer_than_need_be():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"))
    rules.turn(PauseSchedule(GroupKind.WORKFLOW, "w"))
    for _ in range(3):
        (started,) = rules.turn(StartGroup(GroupKind.WORKFLOW, "w"), after_s=1).answer
        assert rules.state.groups["w"].course.runs == [started.spec.group_id]
        rules.completes(started.id)


def test_a_run_that_a_user_started_takes_no_time_from_the_schedule():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"), overlap=Overlap.REPLACE)
    passes(rules, HOUR - 1)
    rules.turn(StartGroup(GroupKind.WORKFLOW, "w"), TimePassed(), after_s=1)
    assert rules.states() == {
        "a": "PENDING",
        "a-19700101T010000.001Z": "INTERRUPTED",
        "a-19700101T010000Z": "RUNNING",
    }


def test_the_run_before_is_not_stopped_for_one_whose_id_is_taken():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"), overlap=Overlap.REPLACE)
    passes(rules, HOUR)
    rules.create(a_task("a-19700101T020000Z"))
    assert passes(rules, HOUR).moves == []
    assert passes(rules, HOUR).moves[0] == "a-19700101T010000Z INTERRUPTED"
