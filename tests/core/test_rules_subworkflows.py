"""Workflows that tasks run: they begin and end with the task's attempt, and their results are its own."""

import pytest
from msgspec.structs import replace

from propeller.core.calendar import Schedule
from propeller.core.events import (
    CloneGroup,
    CreateTasks,
    DeleteGroup,
    DeleteTask,
    NewGroup,
    RerunGroup,
    StartGroup,
    StopGroup,
    TimePassed,
    UpdateTask,
)
from propeller.core.events import Rerun as What
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Defaults, Definition, FromParent, GroupKind, Spec, SubWorkflow
from propeller.core.retry import Retry
from propeller.errors import Conflict, Invalid
from tests.core.helpers import MODULE, Rules, S, a_task, workflow


def runs(task_id: str, *specs: Spec, inside: dict | None = None, **fields) -> Spec:
    """A task that runs a workflow of these tasks."""
    return Spec(
        **{"id": task_id, "name": task_id, "workflow": SubWorkflow(specs=specs, **(inside or {})), **fields}
    )


def begun(*specs: Spec, group: dict | None = None) -> Rules:
    """Rules with a proplet and a workflow of these tasks that has been started."""
    rules = Rules()
    rules.proplet()
    create = workflow(*specs)
    rules.turn(replace(create, group=replace(create.group, **(group or {}))))
    rules.start_workflow()
    return rules


def state_of(rules: Rules, task_id: str) -> str:
    return rules.states()[task_id]


def test_a_task_runs_a_workflow_and_has_its_results():
    rules = begun(
        a_task("a"),
        runs("t", a_task("x"), a_task("y", "x", inputs=(FromParent("x"),)), depends_on=("a",)),
        a_task("b", "t", inputs=(FromParent("t"),)),
    )
    assert rules.completes("a", "1").moves == ["a COMPLETED", "t SCHEDULED"]
    assert rules.state.due_in_ns() == 0
    turn = rules.turn(TimePassed())
    assert turn.moves == ["t RUNNING", "x.t.1 SCHEDULED", "x.t.1 RUNNING"]
    assert turn.sent == ["start x.t.1 1 on p"]
    assert rules.task("t").proplet_id == ""
    inner = rules.state.groups["t.1"]
    assert (inner.name, inner.definition.run_for) == ("t", "t")
    assert rules.completes("x.t.1", "2").sent[-1] == "start y.t.1 1 on p"
    turn = rules.completes("y.t.1", "3\n")
    assert turn.moves[:3] == ["y.t.1 COMPLETED", "t COMPLETED", "b SCHEDULED"]
    assert rules.task("t").results == {"y": "3\n"}
    assert turn.effects[-1].inputs == ('{"y": "3\\n"}',)
    assert "t.1" not in rules.state.groups


def test_what_is_skipped_takes_no_result_away_and_bytes_are_json():
    rules = begun(
        runs("t", a_task("x"), a_task("cleanup", "x", run_if="failure"), a_task("bytes"), a_task("none"))
    )
    rules.turn(TimePassed())
    rules.completes("bytes.t.1", b"\xff")
    rules.completes("none.t.1")
    rules.completes("x.t.1", "2")
    assert rules.task("t").results == {"x": "2", "bytes": {"base64": "/w=="}}


def test_a_failure_inside_is_the_failure_of_the_task():
    rules = begun(runs("t", a_task("x"), a_task("y"), a_task("z", "x")), a_task("h", "t", run_if="failure"))
    rules.turn(TimePassed())
    rules.turn(rules.end_of("x.t.1", failure=Failure("it trapped", ErrorKind.EXIT_CODE, 3)))
    assert state_of(rules, "t") == "RUNNING"
    rules.turn(rules.end_of("y.t.1", failure=Failure("later")))
    error = "workflow t.1: task x: it trapped"
    assert rules.task("t").failure == Failure(error, ErrorKind.EXIT_CODE, 3)
    assert state_of(rules, "h") == "RUNNING"


def test_a_retry_is_a_new_workflow():
    rules = begun(runs("t", a_task("x"), retry=Retry(max_attempts=2, delay_ns=S)))
    rules.turn(TimePassed())
    assert rules.fails("x.t.1").moves == ["x.t.1 FAILED", "t SCHEDULED"]
    assert rules.turn(TimePassed(), after_s=1).moves == []
    turn = rules.turn(TimePassed())
    assert turn.moves[:2] == ["t RUNNING", "x.t.2 SCHEDULED"]
    rules.completes("x.t.2", "1")
    assert (state_of(rules, "t"), rules.task("t").results) == ("COMPLETED", {"x": "1"})


def test_a_retry_stops_what_stays_up():
    rules = begun(runs("t", a_task("d", daemon=True), a_task("x"), retry=Retry(max_attempts=2, delay_ns=S)))
    rules.turn(TimePassed())
    rules.up("d.t.1")
    turn = rules.fails("x.t.1")
    assert turn.moves == ["x.t.1 FAILED", "t SCHEDULED", "d.t.1 INTERRUPTED"]
    assert "stop d.t.1 1 on p" in turn.sent


def test_what_stays_up_is_not_waited_for():
    rules = begun(runs("t", a_task("d", daemon=True), a_task("x", "d")))
    rules.turn(TimePassed())
    rules.up("d.t.1")
    assert rules.completes("x.t.1").moves == ["x.t.1 COMPLETED", "t COMPLETED"]
    assert state_of(rules, "d.t.1") == "RUNNING"
    turn = rules.turn(RerunGroup(GroupKind.WORKFLOW, "w", What.ALL))
    assert "d.t.1 INTERRUPTED" in turn.moves
    assert rules.turn(TimePassed()).moves[0] == "t RUNNING"


def test_only_what_stays_up():
    rules = begun(runs("t", a_task("d", daemon=True)))
    rules.turn(TimePassed())
    assert rules.up("d.t.1").moves == ["d.t.1 RUNNING", "t COMPLETED"]


@pytest.mark.parametrize("is_stopped_as_a_whole", [True, False])
def test_a_workflow_that_is_stopped_interrupts_its_task(is_stopped_as_a_whole):
    rules = begun(runs("t", a_task("x")))
    rules.turn(TimePassed())
    turn = rules.turn(StopGroup(GroupKind.WORKFLOW, "t.1")) if is_stopped_as_a_whole else rules.stop("x.t.1")
    assert turn.moves == ["x.t.1 INTERRUPTED", "t INTERRUPTED"]
    assert str(rules.task("t").reason) == "workflow t.1, which it runs, was stopped"


def test_a_workflow_that_is_deleted_interrupts_its_task():
    rules = begun(runs("t", a_task("x")))
    rules.turn(TimePassed())
    turn = rules.turn(DeleteGroup(GroupKind.WORKFLOW, "t.1"))
    assert (turn.moves, turn.sent) == (["t INTERRUPTED"], ["stop x.t.1 1 on p"])
    assert str(rules.task("t").reason) == "workflow t.1, which it runs, was deleted"


def test_a_task_that_is_deleted_inside_is_not_waited_for():
    rules = begun(runs("t", a_task("x"), a_task("y")))
    rules.turn(TimePassed())
    rules.completes("x.t.1", "1")
    assert rules.turn(DeleteTask("y.t.1")).moves == ["t COMPLETED"]


def test_its_workflow_is_stopped_with_a_task():
    rules = begun(runs("t", runs("u", a_task("x"))))
    rules.turn(TimePassed())
    assert rules.turn(TimePassed()).moves[0] == "u.t.1 RUNNING"
    turn = rules.stop("t")
    assert turn.moves == ["t INTERRUPTED", "u.t.1 INTERRUPTED", "x.u.t.1.1 INTERRUPTED"]
    assert turn.sent == ["stop x.u.t.1.1 1 on p"]
    assert str(rules.task("x.u.t.1.1").reason) == "task u.t.1, which ran its workflow, does so no more"


def test_its_workflow_is_stopped_when_a_task_is_deleted():
    rules = begun(runs("t", a_task("x")))
    rules.turn(TimePassed())
    assert rules.turn(DeleteTask("t")).moves == ["x.t.1 INTERRUPTED"]
    assert rules.turn(DeleteGroup(GroupKind.WORKFLOW, "t.1")).moves == []


def test_its_workflow_is_stopped_when_its_time_is_over():
    rules = begun(runs("t", a_task("x"), deadline_ns=5 * S))
    rules.turn(TimePassed())
    assert rules.turn(TimePassed(), after_s=6).moves == ["t FAILED", "x.t.1 INTERRUPTED"]
    assert rules.task("t").failure.kind is ErrorKind.DEADLINE


def test_its_workflow_is_stopped_by_fail_fast():
    rules = begun(a_task("a"), runs("t", a_task("x")), group={"fail_fast": True})
    rules.turn(TimePassed())
    assert rules.fails("a").moves == ["a FAILED", "t INTERRUPTED", "x.t.1 INTERRUPTED"]


def test_the_workflow_has_its_own_time():
    inside = {"definition": Definition(timeout_ns=5 * S, max_parallel=1), "fail_fast": True, "name": "n"}
    rules = begun(runs("t", a_task("x"), a_task("y"), inside=inside))
    turn = rules.turn(TimePassed())
    assert turn.sent == ["start x.t.1 1 on p"]
    assert rules.state.groups["t.1"].name == "n"
    turn = rules.turn(TimePassed(), after_s=6)
    assert rules.states()["t"] == "FAILED"
    assert rules.task("t").failure.kind is ErrorKind.TIMEOUT


def test_a_workflow_that_takes_too_long_is_tried_again():
    inside = {"definition": Definition(timeout_ns=5 * S)}
    rules = begun(runs("t", a_task("x"), inside=inside, retry=Retry(max_attempts=2, delay_ns=S)))
    rules.turn(TimePassed())
    assert rules.turn(TimePassed(), after_s=6).moves == ["x.t.1 FAILED", "t SCHEDULED"]


def test_nothing_runs_a_clone_of_the_workflow_of_a_task():
    rules = begun(runs("t", a_task("x")))
    rules.turn(TimePassed())
    rules.turn(CloneGroup(GroupKind.WORKFLOW, "t.1", "clone"))
    assert rules.state.groups["clone"].definition.run_for == ""
    rules.turn(StartGroup(GroupKind.WORKFLOW, "clone"))
    (task,) = rules.state.groups["clone"].tasks
    assert rules.completes(task).moves == [f"{task} COMPLETED"]


def test_a_task_that_runs_a_workflow_takes_one_place():
    rules = begun(
        runs("t", a_task("x"), a_task("y")), a_task("b"), group={"definition": Definition(max_parallel=1)}
    )
    assert state_of(rules, "b") == "SCHEDULED"
    rules.turn(TimePassed())
    rules.completes("x.t.1")
    assert rules.completes("y.t.1").sent[-1] == "start b 1 on p"


def test_defaults_reach_what_they_are_for():
    retry = Retry(max_attempts=3)
    outer = Definition(defaults=Defaults(retry=retry, timeout_ns=S, queue_timeout_ns=S, deadline_ns=9 * S))
    inside = {"definition": Definition(defaults=Defaults(queue_timeout_ns=7 * S))}
    rules = begun(runs("t", a_task("x"), inside=inside), group={"definition": outer})
    spec = rules.task("t").spec
    assert (spec.retry, spec.sandbox, spec.queue_timeout_ns, spec.deadline_ns) == (retry, None, 0, 9 * S)
    inner = spec.workflow.specs[0]
    assert (inner.retry, inner.queue_timeout_ns) == (None, 7 * S)


def test_a_restart_goes_on():
    rules = begun(runs("t", a_task("x")), runs("late", a_task("x"), depends_on=("t",)))
    rules.turn(TimePassed())
    rules.restart()
    rules.proplet()
    assert rules.completes("x.t.1").moves == ["x.t.1 COMPLETED", "t COMPLETED", "late SCHEDULED"]
    rules.restart()
    assert rules.turn(TimePassed()).moves[0] == "late RUNNING"


def test_a_task_that_is_stopped_before_it_begins_runs_nothing():
    rules = begun(runs("t", a_task("x")))
    assert rules.stop("t").moves == ["t INTERRUPTED"]
    assert rules.turn(TimePassed()).moves == []


def test_an_id_that_is_taken_fails_the_attempt():
    rules = begun(runs("t", a_task("x"), retry=Retry(max_attempts=2, delay_ns=S)))
    rules.create(a_task("x.t.1"))
    assert rules.turn(TimePassed()).moves == ["t RUNNING", "t SCHEDULED"]
    assert "x.t.1, an id that it needs, is taken" in str(rules.task("t").reason)
    rules.turn(TimePassed(), after_s=1)
    assert rules.turn(TimePassed()).moves[0] == "t RUNNING"
    assert state_of(rules, "x.t.1") == "PENDING"


def test_a_task_of_no_group_and_of_a_run_may_run_a_workflow():
    rules = Rules()
    rules.proplet()
    rules.create(runs("t", a_task("x")))
    rules.start("t")
    rules.turn(TimePassed())
    rules.completes("x.t.1", "1")
    assert rules.task("t").results == {"x": "1"}
    create = workflow(runs("s", a_task("x")))
    schedule = Definition(schedule=Schedule(text="@daily", is_recurring=True))
    rules.turn(replace(create, group=replace(create.group, definition=schedule)))
    (task,) = rules.turn(StartGroup(GroupKind.WORKFLOW, "w")).answer
    rules.turn(TimePassed())
    assert state_of(rules, f"x.{task.id}.1") == "RUNNING"


def test_the_workflow_of_before_may_run_again_without_its_task():
    rules = begun(runs("t", a_task("x")))
    rules.turn(TimePassed())
    rules.fails("x.t.1")
    rules.turn(RerunGroup(GroupKind.WORKFLOW, "t.1", What.ALL))
    assert rules.completes("x.t.1").moves == ["x.t.1 COMPLETED"]
    assert state_of(rules, "t") == "FAILED"


# -- what is refused ----------------------------------------------------------------------------------------


def refusal(*specs: Spec) -> str:
    with pytest.raises(Invalid) as caught:
        Rules().workflow(*specs)
    return str(caught.value)


def test_what_is_for_a_module_is_refused_by_its_field():
    assert refusal(a_task("a"), runs("t", a_task("x"), module=MODULE)).startswith("tasks[1].file: ")
    assert refusal(runs("t", runs("u", a_task("x"), daemon=True))).startswith(
        "tasks[0].workflow.tasks[0].daemon: "
    )
    rules = begun(runs("t", a_task("x")))
    rules.stop("t")
    with pytest.raises(Invalid, match=r"^image_url: "):
        rules.turn(UpdateTask("t", {"image_url": "i"}))
    rules.turn(UpdateTask("t", {"name": "other"}))


def test_tasks_inside_need_modules_and_parents_that_are_there():
    at = "tasks[0].workflow.tasks"
    assert refusal(runs("t", Spec(id="x", name="x"))).startswith(f"{at}[0]: file: ")
    assert refusal(runs("t", a_task("x", "no"))).startswith(f"{at}: dependency validation failed")
    assert refusal(runs("t", a_task("x", run_if="results['n'] == 1"))).startswith(f"{at}[0].run_if: ")
    assert refusal(runs("t")).startswith(f"{at}: a workflow needs")


def test_depth_and_ids_have_bounds():
    deep = runs("t", a_task("x"))
    for _ in range(7):
        deep = runs("t", deep)
    begun(deep)
    assert "8 workflows deep" in refusal(runs("t", deep))
    assert "shorter ids" in refusal(runs("t", a_task("x" * 200)))
    begun(runs("t" * 36, a_task("x" * 180)))


def test_the_workflow_can_not_be_taken_up_by_another_of_the_same_id():
    rules = Rules()
    rules.proplet()
    rules.turn(
        CreateTasks(
            specs=(a_task("b", workflow_id="t.1"),), group=NewGroup(id="t.1", kind=GroupKind.WORKFLOW)
        )
    )
    rules.create(runs("t", a_task("x")))
    rules.start("t")
    assert rules.turn(TimePassed()).moves == ["t RUNNING", "t FAILED"]
    with pytest.raises(Conflict):
        rules.turn(RerunGroup(GroupKind.WORKFLOW, "t.1", What.ALL))
