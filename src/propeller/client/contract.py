"""Workflows at a manager that only knows the contract: after their creation it knows but their tasks."""

import contextlib
from typing import Any, Protocol

from propeller.client.errors import ApiError

_PAGE = 100
#: A state that is not an end is less than this.
_ENDED = 3
_PENDING = 0


class TaskClient(Protocol):
    """The part of a client that this needs."""

    def task(self, task_id: str) -> Any: ...

    def workflow(self, workflow_id: str, *, with_tasks: bool) -> Any: ...

    def tasks(self, *, offset: int, limit: int) -> Any: ...

    def start_task(self, task_id: str) -> Any: ...

    def stop_task(self, task_id: str) -> Any: ...


def workflow(client: TaskClient, workflow_id: str) -> Any:
    """Look through all tasks for those of a workflow."""
    found: list[Any] = []
    offset, total = 0, 1
    while offset < total:
        page = client.tasks(offset=offset, limit=_PAGE)
        found += [task for task in page["tasks"] if task.get("workflow_id") == workflow_id]
        offset, total = offset + _PAGE, page["total"]
    if not found:
        raise ApiError(404, f"there is no task of a workflow {workflow_id}")
    return {"workflow_id": workflow_id, "tasks": found}


class WorkflowLooks:
    """Looks at a workflow again and again, without its tasks if the manager can leave them out.

    A manager that only knows the contract is asked for all of its tasks once, and then only for those of the
    workflow that had not ended.
    """

    def __init__(self, client: TaskClient) -> None:
        self._client = client
        self._known: dict[str, Any] = {}

    def __call__(self, workflow_id: str) -> Any:
        open_ids = [task_id for task_id, task in self._known.items() if task["state"] < _ENDED]
        if not open_ids:
            answer = self._client.workflow(workflow_id, with_tasks=False)
            self._known = {task["id"]: task for task in answer.get("tasks", ())}
            return answer
        for task_id in open_ids:
            try:
                self._known[task_id] = self._client.task(task_id)
            except ApiError as error:
                if error.status != 404:
                    raise
                del self._known[task_id]  # somebody has deleted it
        return {"workflow_id": workflow_id, "tasks": [*self._known.values()]}


def job(answer: Any) -> Any:
    """Give the answer of a manager about a job; one that only knows the contract has an answer for any id."""
    if not answer.get("tasks", True) and answer.keys() <= {"job_id", "tasks"}:
        raise ApiError(404, f"there is no task of a job {answer['job_id']}")
    return answer


def start_workflow(client: TaskClient, workflow_id: str) -> Any:
    """Start the tasks that depend on nothing; the manager lets the others follow."""
    for task in workflow(client, workflow_id)["tasks"]:
        if not task.get("depends_on"):
            try:
                client.start_task(task["id"])
            except ApiError:
                # It may have begun with another one: such a manager starts whatever waits for nothing.
                if client.task(task["id"])["state"] == _PENDING:
                    raise
    return {"workflow_id": workflow_id, "message": "workflow started"}


def stop_workflow(client: TaskClient, workflow_id: str) -> Any:
    """Stop the tasks that have begun; such a manager refuses for those that have not."""
    for task in workflow(client, workflow_id)["tasks"]:
        if _PENDING < task["state"] < _ENDED:
            with contextlib.suppress(ApiError):  # it has ended meanwhile
                client.stop_task(task["id"])
    return {"workflow_id": workflow_id, "message": "workflow stopped"}
