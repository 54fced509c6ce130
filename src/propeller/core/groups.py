"""The state of a workflow or job, derived from how many of its tasks are in which state."""

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

#: Where ``Group.counts`` has those that were up.
UP = len(TaskState)


def group_state(counts: Sequence[int]) -> TaskState:
    """Derive the state from ``Group.counts``.

    Source: ``semantics``, section 5. Differs: between two tasks of a group that has begun it is
    ``RUNNING``, not ``PENDING`` again.
    """
    if counts[FAILED] or counts[INTERRUPTED]:
        return FAILED
    # A daemon that is up does not hold up the end of its group.
    up = counts[UP]
    has_ended_tasks = counts[COMPLETED] or counts[SKIPPED] or up
    if counts[RUNNING] + counts[SCHEDULED] > up or (counts[PENDING] and has_ended_tasks):
        return RUNNING
    return COMPLETED if has_ended_tasks else PENDING
