"""Reruns: parts of a workflow or job that has ended run again, and the rest keeps its results."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from propeller.core.events import CreateTasks, Rerun, RerunGroup, RunUp, StopGroup, StopTask
from propeller.core.model import FromParent, GroupKind, JobMode
from propeller.core.states import COMPLETED, RUNNING
from propeller.errors import Conflict, Invalid, NotFound
from tests.core.helpers import Rules, Turn, a_task, job, workflow

FAILED = RerunGroup(GroupKind.WORKFLOW, "w")
ALL = RerunGroup(GroupKind.WORKFLOW, "w", Rerun.ALL)


def from_(task: str) -> RerunGroup:
    return RerunGroup(GroupKind.WORKFLOW, "w", from_task=task)


def a_workflow(*specs, **group) -> Rules:
    rules = Rules()
    rules.proplet()
    create = workflow(*specs)
    rules.turn(replace(create, group=replace(create.group, **group)))
    rules.start_workflow()
    return rules


def again(turn: Turn) -> list[str]:
    """Name the tasks that a rerun lets run again: each of them waits first."""
    return [move.partition(" ")[0] for move in turn.moves if move.endswith(" PENDING")]


def a_diamond_with_a_failure() -> Rules:
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("c", "a"), a_task("d", "b", "c"))
    rules.completes("a", "30\n")
    rules.completes("b", "1\n")
    rules.fails("c")
    assert rules.states() == {"a": "COMPLETED", "b": "COMPLETED", "c": "FAILED", "d": "SKIPPED"}
    return rules


def test_what_failed_runs_again_with_all_that_hangs_on_it():
    rules = a_diamond_with_a_failure()
    turn = rules.turn(FAILED)
    assert again(turn) == ["c", "d"]
    assert turn.sent == ["start c 2 on p"]
    (sent,) = turn.effects
    assert sent.parent_results == {"a": "30\n"}, "a kept result is given to who runs again"
    assert rules.completes("c", "2\n").sent[-1] == "start d 1 on p"
    rules.completes("d")
    assert (rules.task("a").attempt, rules.task("b").attempt, rules.task("b").results) == (1, 1, "1\n")


def test_all_of_it_runs_again():
    rules = a_diamond_with_a_failure()
    assert again(rules.turn(ALL)) == ["a", "b", "c", "d"]
    assert [rules.task(name).results for name in "abcd"] == [None] * 4


def test_a_task_and_all_that_hangs_on_it_run_again():
    rules = a_workflow(a_task("a"), a_task("b", "a"), a_task("c", "b"), a_task("d", "a"))
    for name in "abdc":
        rules.completes(name, name)
    turn = rules.turn(from_("b"))
    assert (again(turn), turn.sent) == (["b", "c"], ["start b 2 on p"])
    assert rules.task("d").results == "d"


def test_a_task_is_named_by_its_id_or_its_one_name():
    rules = a_workflow(a_task("a", name="load"), a_task("b", name="x"), a_task("c", name="x"))
    for name in "abc":
        rules.completes(name)
    with pytest.raises(Invalid, match="from: x: workflow w has 2 tasks of that name; give the id of one"):
        rules.turn(from_("x"))
    with pytest.raises(Invalid, match="from: nobody: workflow w has no such task"):
        rules.turn(from_("nobody"))
    assert again(rules.turn(from_("load"))) == ["a"]


def test_a_task_is_named_by_the_id_that_its_file_gives_it():
    rules = a_workflow(a_task("load-0aef3461"), a_task("loading-1aef3461"), a_task("x-2"), a_task("x-3"))
    for name in ("load-0aef3461", "loading-1aef3461", "x-2", "x-3"):
        rules.completes(name)
    with pytest.raises(Invalid, match="from: x: workflow w has 2 tasks of that name"):
        rules.turn(from_("x"))
    assert again(rules.turn(from_("load"))) == ["load-0aef3461"]


def test_what_has_not_begun_is_told_to_be_started():
    rules = Rules()
    rules.workflow(a_task("a"))
    with pytest.raises(Conflict, match="workflow w has not ended: it has not begun; start it"):
        rules.turn(ALL)


def test_conditions_are_looked_at_anew():
    rules = a_workflow(
        a_task("a"), a_task("mend", "a", run_if="failure"), a_task("use", "a"), a_task("other")
    )
    rules.fails("a")
    rules.completes("mend", "mended")
    rules.completes("other")
    assert again(rules.turn(FAILED)) == ["a", "mend", "use"]
    rules.completes("a")
    assert (rules.states()["mend"], rules.states()["use"]) == ("SKIPPED", "RUNNING")
    assert rules.task("mend").results is None


def test_what_was_stopped_or_skipped_by_a_failure_elsewhere_runs_again():
    rules = a_workflow(a_task("a"), a_task("b"), a_task("c", "b"), fail_fast=True)
    rules.fails("a")
    assert rules.states() == {"a": "FAILED", "b": "INTERRUPTED", "c": "SKIPPED"}
    assert again(rules.turn(FAILED)) == ["a", "b", "c"]


def test_a_reference_to_a_kept_result_is_filled_in():
    rules = a_workflow(a_task("a"), a_task("b", "a", inputs=(FromParent("a"),)))
    rules.completes("a", "30\n")
    rules.fails("b")
    (sent,) = rules.turn(FAILED).effects
    assert sent.inputs == ("30",)


def test_a_sequential_job_goes_on_where_it_stopped():
    rules = Rules()
    rules.proplet()
    rules.turn(job(JobMode.SEQUENTIAL, *(a_task(name) for name in "abcd")))
    rules.start_job()
    rules.completes("a", "kept")
    rules.fails("b")
    turn = rules.turn(RerunGroup(GroupKind.JOB, "j"))
    assert (again(turn), turn.sent) == (["b", "c", "d"], ["start b 2 on p"])
    rules.completes("b")
    rules.turn(StopGroup(GroupKind.JOB, "j"))
    turn = rules.turn(RerunGroup(GroupKind.JOB, "j", from_task="c"))
    assert (again(turn), turn.sent) == (["c", "d"], ["start c 2 on p"])


def test_what_has_not_ended_is_not_run_again():
    rules = a_workflow(a_task("a", daemon=True), a_task("b", "a"))
    refused = "workflow w has not ended: task a is running; wait for its end, or stop it first"
    rules.turn(RunUp("p", "a", 1))
    rules.fails("b")
    for command in (FAILED, ALL, from_("b")):
        with pytest.raises(Conflict, match=refused):
            rules.turn(command)
    rules.turn(StopTask("a"))
    assert again(rules.turn(FAILED)) == ["a", "b"]


def test_what_is_not_there_to_run_again():
    rules = a_workflow(a_task("a"), a_task("b", "a"))
    rules.completes("a")
    rules.completes("b")
    with pytest.raises(
        Conflict, match="nothing of workflow w failed, was interrupted or skipped; to run all"
    ):
        rules.turn(FAILED)
    with pytest.raises(NotFound, match="there is no job w"):
        rules.turn(RerunGroup(GroupKind.JOB, "w"))


def test_a_rerun_does_not_begin_where_a_kept_end_stands_against_it():
    rules = a_diamond_with_a_failure()
    with pytest.raises(Conflict, match="task d would be skipped: its parent c failed; begin with that one"):
        rules.turn(from_("d"))


def test_a_task_without_a_module_is_refused_before_anything_changes():
    rules = a_workflow(a_task("a"))
    rules.completes("a", "kept")
    rules.turn(CreateTasks(specs=(a_task("b", module=None, workflow_id="w"),)))
    rules.turn(StopTask("b"))
    with pytest.raises(Conflict, match="task b has no module"):
        rules.turn(ALL)
    assert rules.task("a").results == "kept"


# -- against a model -------------------------------------------------------------------------------------------

_GRAPHS = st.lists(
    st.tuples(st.sets(st.integers(1, 4), max_size=3), st.sampled_from(("", "", "success", "failure"))),
    min_size=1,
    max_size=9,
)


def _below(above: dict[str, set[str]], first: set[str]) -> set[str]:
    """Add all that hangs on some tasks, round by round."""
    found = set(first)
    while more := {name for name, parents in above.items() if parents & found} - found:
        found |= more
    return found


def _end_all(rules: Rules, data: st.DataObject) -> None:
    """Let each task that runs end in one way or another, until none is left."""
    while running := [task.id for task in rules._tasks.values() if task.state is RUNNING]:
        task_id = data.draw(st.sampled_from(running))
        match data.draw(st.sampled_from(("completes", "completes", "fails", "stops"))):
            case "completes":
                rules.completes(task_id, f"{task_id} {rules.task(task_id).attempt}")
            case "fails":
                rules.fails(task_id)
            case _:
                rules.turn(StopTask(task_id))


@given(data=st.data(), graph=_GRAPHS, is_sequential=st.booleans(), fail_fast=st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_rerun_runs_what_it_says_and_keeps_the_rest(data, graph, is_sequential, fail_fast):
    above = {
        f"t{number}": {f"t{number - back}" for back in parents if back <= number}
        for number, (parents, _) in enumerate(graph)
    }
    specs = [
        a_task(name, *sorted(parents), run_if=run_if)
        for (name, parents), (_, run_if) in zip(above.items(), graph, strict=True)
    ]
    mode = JobMode.SEQUENTIAL if is_sequential else JobMode.CONFIGURABLE
    rules = Rules()
    rules.proplet()
    create = job(mode, *specs)
    rules.turn(replace(create, group=replace(create.group, fail_fast=fail_fast or None)))
    rules.start_job()
    if is_sequential:
        names = list(above)
        above = {name: above[name] | set(names[max(at - 1, 0) : at]) for at, name in enumerate(names)}
    for _ in range(3):
        _end_all(rules, data)
        before = {name: _outcome(rules, name) for name in above}
        bad = {name for name in above if rules.task(name).state is not COMPLETED}
        what = data.draw(st.sampled_from(("failed", "all", "from")))
        first = {"failed": bad, "all": set(above)}.get(what) or {data.draw(st.sampled_from(list(above)))}
        names = {"from_task": next(iter(first))} if what == "from" else {"what": Rerun(what)}
        turn, refusal = _try(rules, RerunGroup(GroupKind.JOB, "j", **names))
        if turn is None:
            nothing = what == "failed" and not bad
            assert ("nothing of job j failed" if nothing else "would be skipped") in refusal
            assert {name: _outcome(rules, name) for name in above} == before
            continue
        wanted = _below(above, first)
        assert set(again(turn)) == wanted
        assert not {move.partition(" ")[0] for move in turn.moves} - wanted
        _end_all(rules, data)
        for name in above:
            if name in wanted:
                assert rules.task(name).attempt - before[name][1] <= 1
                assert rules.task(name).state.has_ended
            else:
                assert _outcome(rules, name) == before[name]


def _try(rules: Rules, command: RerunGroup) -> tuple[Turn | None, str]:
    try:
        return rules.turn(command), ""
    except Conflict as refusal:
        return None, str(refusal)


def _outcome(rules: Rules, name: str) -> tuple[object, ...]:
    task = rules.task(name)
    return task.state, task.attempt, task.results, task.error, task.started_at, task.finished_at
