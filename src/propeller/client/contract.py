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
