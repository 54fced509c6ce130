"""Answers that come back as requests, of clients that read a task, change a field and send all of it.

``proplet_id`` is where a task runs in an answer, and where it has to run in a request; an answer has
``pinned_to`` for that. An answer is known by the time of its creation: existing clients send a zero for it in
requests of their own.
"""

from typing import Any

from propeller.core.model import Task
from propeller.errors import Conflict
from propeller.wire.http.tasks import TaskFields, inputs_as_texts
from propeller.wire.rfc3339 import ZERO, format_time


def is_answer(given: TaskFields) -> bool:
    return given.created_at not in (None, "", ZERO)


def as_new(given: TaskFields) -> None:
    """Have an answer that is sent as a new task ask for its task's pin, and not for where that ran."""
    if is_answer(given):
        given.proplet_id, given.created_at = given.pinned_to, None


def keep(task: Task, given: TaskFields, changes: dict[str, Any]) -> None:
    """Take out of the changes that a task's own answer makes what the answer only shows otherwise.

    Raises:
        Conflict: The answer may say where the task ran before, or where it is to run.

    """
    if not is_answer(given):
        return
    if given.proplet_id == (task.proplet_id or task.spec.pin):
        changes.pop("pin", None)
    elif given.proplet_id and given.updated_at != format_time(task.updated_at):
        raise Conflict(
            f"proplet_id: task {task.id} has changed since it was read, and {given.proplet_id} may be where "
            "it ran then; read it again, or send proplet_id without created_at to pin the task"
        )
    # To clients for Go all inputs are texts.
    if "inputs" in changes and inputs_as_texts(changes["inputs"]) == inputs_as_texts(task.spec.inputs or ()):
        del changes["inputs"]
