"""Schedules of workflows and jobs: each time makes and starts a copy."""

import msgspec
import pytest

from propeller.core.calendar import CatchUp, Overlap, Schedule
from propeller.core.cluster import Cluster
from propeller.core.events import (
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    NewGroup,
    PauseSchedule,
    Rerun,
    RerunGroup,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    TimePassed,
)
from propeller.core.model import Definition, FromParent, GroupKind, JobMode
from propeller.core.times import Moment
from propeller.errors import Conflict, Invalid
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
    turn = passes(rules, HOUR)
    assert turn.moves == []
    said = "id: there was no run w-19700101T010000Z, because a-19700101T010000Z is taken; delete what has it"
    assert turn.changes.groups[0].course.error.startswith(said)
    assert passes(rules, HOUR).moves == ["a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"]
    assert rules.state.groups["w"].course.error == ""


def test_what_a_user_does_to_a_workflow_with_a_schedule():
    rules = patient()
    rules.proplet()
    planned_workflow(rules)
    turn = rules.turn(StartGroup(GroupKind.WORKFLOW, "w"), after_s=90)
    assert [task.spec.group_id for task in turn.answer] == ["w-19700101T000130.001Z"] * 2
    assert turn.moves == ["a-19700101T000130.001Z SCHEDULED", "a-19700101T000130.001Z RUNNING"]
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


# -- a run that runs again, starts at once, stops ------------------------------------------------------------


def rerun(rules):
    return rules.turn(RerunGroup(GroupKind.WORKFLOW, RUN, Rerun.ALL))


@pytest.mark.parametrize(
    ("overlap", "moves"),
    [
        (Overlap.SKIP, []),
        (
            Overlap.REPLACE,
            ["a-19700101T010000Z INTERRUPTED", "a-19700101T020000Z SCHEDULED", "a-19700101T020000Z RUNNING"],
        ),
    ],
)
def test_a_run_that_a_user_runs_again_is_a_run_of_its_schedule(overlap, moves):
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"), overlap=overlap)
    passes(rules, HOUR)
    ended = rules.state.groups[RUN], rules.task("a-19700101T010000Z")
    rules.completes("a-19700101T010000Z")
    rules.turn(StartGroup(GroupKind.WORKFLOW, "w"), after_s=1)  # from here on the first is remembered no more
    rules.completes("a-19700101T010001.001Z")
    rules._groups[RUN], rules._tasks["a-19700101T010000Z"] = ended
    turn = rerun(rules)
    assert rules.state.groups["w"] in turn.changes.groups
    assert passes(rules, HOUR - 1).moves == moves
    stopped = rules.turn(StopGroup(GroupKind.WORKFLOW, "w")).moves
    assert stopped == [f"a-19700101T0{1 if not moves else 2}0000Z INTERRUPTED"]


def test_a_run_of_a_deleted_workflow_is_no_run_of_another_with_its_id():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"))
    passes(rules, HOUR)
    rules.turn(DeleteGroup(GroupKind.WORKFLOW, "w"))
    planned_workflow(rules, a_task("a"))
    ended = rules.state.groups[RUN], rules.task("a-19700101T010000Z")
    rules.completes("a-19700101T010000Z")
    rules._groups[RUN], rules._tasks["a-19700101T010000Z"] = ended
    rerun(rules)
    assert rules.state.groups["w"].course.runs == []


def test_starts_in_one_millisecond_have_ids_of_their_own():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"))
    start = StartGroup(GroupKind.WORKFLOW, "w")
    moment = Moment(at(90), at(90))
    looked_up = [Cluster(rules.state).ids_of_run("w", number, moment)[1] for number in (1, 2)]
    assert looked_up == [["w-19700101T000130.001Z"], ["w-19700101T000130.002Z"]]
    rules.turn(start, start, after_s=90)
    rules.turn(start)
    made = sorted(name for name in rules.state.groups if name != "w")
    assert made == [f"w-19700101T000130.00{n}Z" for n in (1, 2, 3)]
    rules.turn(start, clock_moved_s=5000)
    rules.turn(start, clock_moved_s=-4000)
    assert list(rules.state.groups)[4:] == ["w-19700101T012450.001Z", "w-19700101T001810.001Z"]


def test_a_stop_drops_what_waits():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"), overlap=Overlap.QUEUE)
    for _ in range(3):
        passes(rules, HOUR)
    rules.turn(StopGroup(GroupKind.WORKFLOW, "w"))
    assert passes(rules, 1).moves == []
    rules.restart()
    rules.proplet()
    assert passes(rules, HOUR - 1).moves == ["a-19700101T040000Z SCHEDULED", "a-19700101T040000Z RUNNING"]


def test_a_turn_makes_so_many_tasks_for_what_was_missed():
    rules = patient()
    rules.proplet(slots=10_000)
    planned_workflow(
        rules, *(a_task(f"t{n}") for n in range(200)), catch_up=CatchUp.ALL, overlap=Overlap.ALLOW
    )
    turns = [passes(rules, 5 * HOUR + 1800), passes(rules, 0), passes(rules, 0), passes(rules, 0)]
    assert [len(turn.changes.created) for turn in turns] == [400, 400, 200, 0]


def test_a_workflow_without_tasks_is_paused():
    rules = patient()
    rules.proplet()
    planned_workflow(rules, a_task("a"))
    rules.turn(DeleteTask("a"))
    (group,) = passes(rules, HOUR).changes.groups
    wrong = "workflow w has no tasks; add one, and resume its schedule"
    assert (group.course.is_paused, group.course.error) == (True, wrong)
    assert rules.state.due_in_ns() is None
    with pytest.raises(Conflict, match=wrong):
        rules.turn(PauseSchedule(GroupKind.WORKFLOW, "w", is_paused=False))
    rules.turn(CreateTasks(specs=in_workflow(a_task("b"))))
    rules.turn(PauseSchedule(GroupKind.WORKFLOW, "w", is_paused=False))
    assert passes(rules, HOUR).moves == ["b-19700101T020000Z SCHEDULED", "b-19700101T020000Z RUNNING"]


def test_a_workflow_whose_schedule_never_comes_is_refused():
    rules = patient()
    passes(rules, 2 * HOUR)
    with pytest.raises(Invalid, match=r"schedule_options\.end: no time of the schedule comes from now"):
        planned_workflow(rules, a_task("a"), end=at(HOUR))
    assert not rules.state.groups
