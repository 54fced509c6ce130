"""Executions of a broadcast task, one on each proplet, and the outcome of the task that follows from them."""

import msgspec

from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Execution, Proplet, Task
from propeller.core.results import all_alike
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, TaskState

#: How many failed executions the error of the task names.
_NAMED_MAX = 3


def begin(state: ClusterState, task: Task, proplet: Proplet, now: int) -> None:
    """Begin the task's present attempt on one proplet."""
    before = task.executions.get(proplet.id)
    if before is not None:
        state.past(task, _as_past(before, now))
    put(state, task, Execution(proplet_id=proplet.id, attempt=task.attempt, started_at=now))


def _as_past(execution: Execution, now: int) -> Execution:
    """Give an execution that another one follows as what it came to."""
    if execution.state.has_ended:
        return execution
    failure = execution.failure or Failure("its proplet gave it back and began it anew", ErrorKind.RETURNED)
    how = FAILED if execution.failure else INTERRUPTED
    finished_at = max(now, execution.started_at)
    return msgspec.structs.replace(execution, state=how, failure=failure, finished_at=finished_at)


def put(state: ClusterState, task: Task, execution: Execution) -> None:
    """Set the execution of a task on the proplet that the execution names."""
    task.executions[execution.proplet_id] = execution
    state.turn.set_execution(task, execution)


def forget(state: ClusterState, task: Task) -> None:
    """Forget the executions of a task, before it is started again."""
    state.turn.drop_executions(task)
    if task.executions:
        for execution in task.executions.values():
            state.past(task, _as_past(execution, execution.finished_at or execution.started_at))
        task.executions = {}
        state.turn.replaced[task.id] = task


def close(state: ClusterState, task: Task, now: int) -> None:
    """Interrupt the executions that run or would run again, because the task ends."""
    for execution in task.executions.values():
        if not execution.state.has_ended:
            end(state, task, execution, INTERRUPTED, now)
    task.live_executions = 0


def end(state: ClusterState, task: Task, execution: Execution, how: TaskState, now: int) -> None:
    execution.state, execution.finished_at = how, now
    state.turn.set_execution(task, execution)


def conclude(state: ClusterState, task: Task) -> TaskState:
    """Set the outcome of a task whose executions have all ended; return how the task ends."""
    executions = task.executions.values()
    failed = [execution for execution in executions if execution.state is FAILED]
    task.results = _results(task)
    task.failure = _failure(state, task, failed)
    task.started_at = min(execution.started_at for execution in executions)
    task.finished_at = max(execution.finished_at for execution in executions)
    return FAILED if failed else COMPLETED


def _results(task: Task) -> object:
    """Give the results in the contract's form if one proplet ran the task, else by proplet id."""
    executions = list(task.executions.values())
    if len(executions) == 1:
        return executions[0].results
    return all_alike((one.proplet_id, one.results) for one in executions if one.state is COMPLETED)


def _failure(state: ClusterState, task: Task, failed: list[Execution]) -> Failure | None:
    if not failed:
        return None
    if len(task.executions) == 1:
        return failed[0].failure
    named = [f"{_name(state, execution)}: {execution.error}" for execution in failed[:_NAMED_MAX]]
    more = f"; and {len(failed) - _NAMED_MAX} more" if len(failed) > _NAMED_MAX else ""
    error = f"failed on {len(failed)} of {len(task.executions)} proplets: {'; '.join(named)}{more}"
    kinds = {execution.failure.kind for execution in failed if execution.failure}
    return Failure(error, kinds.pop() if len(kinds) == 1 else ErrorKind.OTHER)


def _name(state: ClusterState, execution: Execution) -> str:
    proplet = state.proplets.get(execution.proplet_id)
    return proplet.name if proplet is not None else execution.proplet_id
