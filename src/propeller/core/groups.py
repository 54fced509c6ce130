"""The state of a workflow or job, derived from the number of its tasks in each state."""

from collections.abc import Sequence

from propeller.core.states import (
    COMPLETED,
    FAILED,
    INTERRUPTED,
    PENDING,
    RUNNING,
    SCHEDULED,
    SKIPPED,
    TaskState,
)

#: Index in ``Group.counts`` of the number of tasks that were up.
UP = len(TaskState)


def group_state(counts: Sequence[int]) -> TaskState:
    """Derive the state from ``Group.counts``.

    Source: ``semantics``, section 5, with two differences: a group that has begun stays ``RUNNING`` between
    two of its tasks, and does not become ``PENDING`` again; and one whose tasks were interrupted, while none
    failed, is ``INTERRUPTED``, not ``FAILED``.
    """
    if counts[FAILED]:
        return FAILED
    if counts[INTERRUPTED]:
        return INTERRUPTED
    # A group does not wait for the end of a daemon that is up.
    up = counts[UP]
    has_ended_tasks = counts[COMPLETED] or counts[SKIPPED] or up
    if counts[RUNNING] + counts[SCHEDULED] > up or (counts[PENDING] and has_ended_tasks):
        return RUNNING
    return COMPLETED if has_ended_tasks else PENDING
