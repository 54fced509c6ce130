"""Answers that come back as requests, of clients that read a task, change a field and send all of it.

``proplet_id`` is where a task runs in an answer, and where it has to run in a request; an answer has
``pinned_to`` for that. An answer is known by the time of its creation: existing clients send a zero for it in
requests of their own.
"""

from propeller.core.model import Task
from propeller.errors import Conflict
from propeller.wire.http.tasks import TaskFields, inputs_as_texts
from propeller.wire.rfc3339 import ZERO, format_time


def as_new(given: TaskFields) -> None:
    """Have an answer that is sent as a new task ask for its task's pin, and not for where that ran."""
    if _is_answer(given):
        given.proplet_id = given.pinned_to or None


def as_change(given: TaskFields, task: Task) -> None:
    """Take out of a task's own answer what would change the task, though the answer only shows it otherwise.

    Raises:
        Conflict: The answer may say where the task ran before, or where it is to run.

    """
    if not _is_answer(given):
        return
    if given.proplet_id == (task.proplet_id or task.spec.pin):
        given.proplet_id = None
    elif given.proplet_id and given.updated_at != format_time(task.updated_at):
        raise Conflict(
            f"proplet_id: task {task.id} has changed since it was read, and {given.proplet_id} may be where "
            "it ran then; read it again, or send proplet_id without created_at to pin the task"
        )
    inputs = inputs_as_texts("" if value is None else value for value in given.inputs or ())
    if inputs == inputs_as_texts(task.spec.inputs or ()):  # to clients for Go all inputs are texts
        given.inputs = None


def _is_answer(given: TaskFields) -> bool:
    return given.created_at not in (None, "", ZERO)
