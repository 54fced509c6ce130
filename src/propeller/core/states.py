"""The states of a task and the only table of moves between them.

``PENDING``      created, or waiting for its parents to end.
``SCHEDULED``    wanted and ready; waits for a proplet with room.
``RUNNING``      placed on a proplet: the start of this attempt is committed and sent.
``COMPLETED``    the attempt reported a result.
``FAILED``       the attempt reported an error, or the task can't be run.
``SKIPPED``      its parents did not end as its ``run_if`` asks, or its job stopped before it.
``INTERRUPTED``  somebody stopped it.

The last four are ends. An ended task leaves its end only by a new start, which is why they lead to
``PENDING`` (its workflow or job is started again) and ``SCHEDULED`` (it is started again itself).
"""

from enum import IntEnum

from propeller.errors import InvalidTransition


class TaskState(IntEnum):
    """The state of a task; the numbers are those of the wire (``http-api``, section 1.2)."""

    PENDING = 0
    SCHEDULED = 1
    RUNNING = 2
    COMPLETED = 3
    FAILED = 4
    SKIPPED = 5
    INTERRUPTED = 6

    #: As of any number: the one that enumerations bring is slow, and each move looks two states up.
    __hash__ = int.__hash__
    #: True for the ends. Each state has it, and computes nothing: the rules ask for it all the time.
    has_ended: bool

    def __init__(self, number: int) -> None:
        self.has_ended = number >= 3


PENDING, SCHEDULED, RUNNING, COMPLETED, FAILED, SKIPPED, INTERRUPTED = TaskState

#: From each state, the states a task may move to.
TRANSITIONS: dict[TaskState, frozenset[TaskState]] = {
    PENDING: frozenset({SCHEDULED, SKIPPED, INTERRUPTED}),
    SCHEDULED: frozenset({RUNNING, FAILED, SKIPPED, INTERRUPTED}),
    RUNNING: frozenset({SCHEDULED, COMPLETED, FAILED, INTERRUPTED}),
    COMPLETED: frozenset({PENDING, SCHEDULED}),
    FAILED: frozenset({PENDING, SCHEDULED}),
    SKIPPED: frozenset({PENDING, SCHEDULED}),
    INTERRUPTED: frozenset({PENDING, SCHEDULED}),
}


def check_transition(task_id: str, before: TaskState, after: TaskState) -> None:
    """Raise ``InvalidTransition`` unless the table has this move."""
    if after not in TRANSITIONS[before]:
        raise InvalidTransition(f"task {task_id} can't move from {before.name} to {after.name}")
