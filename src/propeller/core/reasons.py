"""Reasons: why a task is in its present state, where that is not plain. Each kind is a value with its words.

Rules ask for the kind and its fields; the words are for people only. The store has the value as JSON, with
its kind in ``kind``. So a change of a name here needs a migration.
"""

import re
from collections.abc import Sequence

import msgspec

from propeller.core.states import FAILED, INTERRUPTED, SKIPPED, TaskState


def _kind(name: str) -> str:
    return re.sub(r"(?<=.)(?=[A-Z])", "_", name).lower()


class Reason(msgspec.Struct, frozen=True, tag_field="kind", tag=_kind):
    """The base of all reasons; ``str()`` gives the words."""

    @property
    def comes_after_failure(self) -> bool:
        """True of a skip that would not have been without the failure of another task."""
        return False


# -- it waits ----------------------------------------------------------------------------------------------


class Waiting(Reason, frozen=True):
    """The task is scheduled, and waits for this now."""


class WaitsForSlot(Waiting, frozen=True):
    """All proplets that could take the task are busy."""

    def __str__(self) -> str:
        return "waits for a free slot"


class WaitsForUnknownProplet(Waiting, frozen=True):
    """Its user pinned it to a proplet that has never been seen."""

    proplet_id: str

    def __str__(self) -> str:
        return f"waits for proplet {self.proplet_id}, which has never been seen"


class WaitsForDeadProplet(Waiting, frozen=True):
    """Its user pinned it to a proplet that is not alive."""

    proplet_id: str

    def __str__(self) -> str:
        return f"waits for proplet {self.proplet_id}, which is not alive"


class WaitsForCordonedProplet(Waiting, frozen=True):
    """Its user pinned it to a proplet that is cordoned."""

    proplet_id: str

    def __str__(self) -> str:
        return f"waits for proplet {self.proplet_id}, which is cordoned"


class WaitsForLeaveOfProplet(Waiting, frozen=True):
    """Its user pinned it to a proplet that does not allow what it asks for, or can't give what it needs."""

    proplet_id: str
    #: What is refused: a grant or limit by its field, or in words what the proplet can't give.
    refused: str

    def __str__(self) -> str:
        return f"waits for proplet {self.proplet_id}, which does not take it: {self.refused}"


class WaitsForTags(Waiting, frozen=True):
    """No proplet that takes work has its tags."""

    #: Sorted.
    tags: tuple[str, ...]

    def __str__(self) -> str:
        return f"waits for a proplet with {names_of_tags(self.tags)}: none that takes work has it"


class WaitsForLeave(Waiting, frozen=True):
    """No proplet that takes work allows what it asks for and gives what it needs; one of them is named."""

    proplet: str
    #: As above.
    refused: str

    def __str__(self) -> str:
        return f"waits for a proplet that takes it; {self.proplet} does not: {self.refused}"


class WaitsForUncordoned(Waiting, frozen=True):
    """All proplets that are alive are cordoned."""

    def __str__(self) -> str:
        return "waits for a proplet: all that are alive are cordoned"


class WaitsForAnyProplet(Waiting, frozen=True):
    """No proplet is alive."""

    def __str__(self) -> str:
        return "waits for a proplet: none is alive"


class WaitsForPlace(Waiting, frozen=True):
    """Its workflow or job runs only so many tasks at once, and has begun as many."""

    #: ``workflow`` or ``job``.
    of: str
    most: int

    def __str__(self) -> str:
        tasks = "one task" if self.most == 1 else f"{self.most} tasks"
        return f"waits for its {self.of}, which runs {tasks} at once"


# -- it runs again -----------------------------------------------------------------------------------------


class AttemptLost(Reason, frozen=True):
    """An attempt was lost with its proplet or its process."""

    attempt: int
    #: What happened.
    how: str
    #: How many attempts were lost, and how many may be lost; 0 where losses are not counted.
    losses: int = 0
    losses_max: int = 0

    def __str__(self) -> str:
        counted = f"; run again ({self.losses} of {self.losses_max})" if self.losses else ""
        return f"attempt {self.attempt} was lost: {self.how}{counted}"


class TriedAgain(Reason, frozen=True):
    """An attempt failed, and its task is tried again as its ``retry`` says."""

    attempt: int
    error: str
    #: How many attempts have failed, and how many may.
    tries: int
    tries_max: int

    def __str__(self) -> str:
        return (
            f"attempt {self.attempt} failed: {self.error}; tried again ({self.tries} of {self.tries_max - 1})"
        )


class HandedBack(Reason, frozen=True):
    """Its proplet did not run an attempt, through no fault of the task."""

    attempt: int
    how: str

    def __str__(self) -> str:
        return f"attempt {self.attempt} was handed back: {self.how}"


class Moved(Reason, frozen=True):
    """An attempt was taken off a proplet that is put out of service."""

    attempt: int
    how: str

    def __str__(self) -> str:
        return f"attempt {self.attempt} was moved: {self.how}"


class LostEverywhere(Reason, frozen=True):
    """A resident broadcast task runs on none of its proplets any more."""

    #: What happened on the first of them.
    how: str

    def __str__(self) -> str:
        return self.how


class Compiles(Reason, frozen=True):
    """Its module is large, and its proplet has never run it before."""

    size_mib: int

    def __str__(self) -> str:
        return f"its proplet compiles its module of {self.size_mib} MiB before it begins"


class Restarted(Reason, frozen=True):
    """A resident task has crashed, and its proplet has started it anew."""

    restarts: int
    #: The error of the last crash.
    error: str

    def __str__(self) -> str:
        times = "once" if self.restarts == 1 else f"{self.restarts} times"
        return f"started anew {times}; the last crash: {self.error}"


# -- it does not run ---------------------------------------------------------------------------------------


class ParentEnded(Reason, frozen=True, omit_defaults=True):
    """A parent did not end as ``run_if`` of the task asks."""

    parent: str
    state: TaskState
    #: True if one of its parents failed, or was skipped because a task before it failed.
    after_failure: bool = False

    @property
    def comes_after_failure(self) -> bool:
        return self.after_failure or self.state is FAILED  # versions before this one stored the state only

    def __str__(self) -> str:
        return f"its parent {self.parent} {describe_end(self.state)}"


class NoParentFailed(Reason, frozen=True):
    """It runs only after a failure, and there was none."""

    def __str__(self) -> str:
        return "run_if is failure, and none of its parents failed"


class NoTaskFailed(Reason, frozen=True):
    """It runs only after a failure, and there was none in its sequential job."""

    def __str__(self) -> str:
        return "run_if is failure, and no task of its job failed"


class NoParentSucceeded(Reason, frozen=True, omit_defaults=True):
    """It runs if one of its parents succeeded, and none did."""

    #: As above.
    after_failure: bool = False

    @property
    def comes_after_failure(self) -> bool:
        return self.after_failure

    def __str__(self) -> str:
        return "run_if is any_success, and none of its parents succeeded"


class ConditionNotMet(Reason, frozen=True):
    """The expression in its ``run_if`` gave false."""

    expression: str

    def __str__(self) -> str:
        return f"its condition is not met: {on_one_line(self.expression)}"


class TaskBeforeEnded(Reason, frozen=True):
    """The task before it in a sequential job did not succeed."""

    task: str
    state: TaskState

    @property
    def comes_after_failure(self) -> bool:
        return self.state is FAILED

    def __str__(self) -> str:
        return f"task {self.task}, before it in the sequential job, {describe_end(self.state)}"


class JobFailed(Reason, frozen=True):
    """Another task of its fail-fast job or workflow failed."""

    task: str
    #: ``workflow`` or ``job``.
    of: str = "job"

    @property
    def comes_after_failure(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"task {self.task} of its {self.of} failed, and the {self.of} is fail-fast"


class GroupTimedOut(Reason, frozen=True):
    """Its workflow or job has used up its time."""

    #: ``workflow`` or ``job``.
    kind_of_group: str
    #: In words.
    timeout: str

    @property
    def comes_after_failure(self) -> bool:
        return True

    def __str__(self) -> str:
        return f"its {self.kind_of_group} had not ended within {self.timeout} of its start"


class Stopped(Reason, frozen=True):
    """A user stopped it, or the workflow or job that it is part of."""

    #: ``workflow`` or ``job``; ``""`` where the task itself was stopped.
    with_its: str = ""

    def __str__(self) -> str:
        return f"its {self.with_its} was stopped by a user" if self.with_its else "stopped by a user"


class WorkflowGone(Reason, frozen=True):
    """The workflow that it runs was interrupted or deleted."""

    workflow: str
    is_deleted: bool = False

    def __str__(self) -> str:
        return f"workflow {self.workflow}, which it runs, was {'deleted' if self.is_deleted else 'stopped'}"


class OuterTaskEnded(Reason, frozen=True):
    """The task that runs its workflow has ended, is gone, or begins anew."""

    task: str

    def __str__(self) -> str:
        return f"task {self.task}, which ran its workflow, does so no more"


class Replaced(Reason, frozen=True):
    """The next run of its schedule took its place."""

    def __str__(self) -> str:
        return "the next run of its schedule took its place"


class Note(Reason, frozen=True):
    """A text that a version without kinds of reasons has stored."""

    text: str

    def __str__(self) -> str:
        return self.text


#: All kinds, for the store.
AnyReason = (
    WaitsForSlot
    | WaitsForUnknownProplet
    | WaitsForDeadProplet
    | WaitsForCordonedProplet
    | WaitsForLeaveOfProplet
    | WaitsForTags
    | WaitsForLeave
    | WaitsForUncordoned
    | WaitsForAnyProplet
    | WaitsForPlace
    | AttemptLost
    | TriedAgain
    | HandedBack
    | Moved
    | LostEverywhere
    | Compiles
    | Restarted
    | ParentEnded
    | NoParentFailed
    | NoTaskFailed
    | NoParentSucceeded
    | ConditionNotMet
    | TaskBeforeEnded
    | JobFailed
    | GroupTimedOut
    | Stopped
    | WorkflowGone
    | OuterTaskEnded
    | Replaced
    | Note
)


def on_one_line(expression: str) -> str:
    return expression.replace("\n", "\\n")


def names_of_tags(tags: Sequence[str]) -> str:
    return ("the tag " if len(tags) == 1 else "the tags ") + ", ".join(tags)


def describe_end(state: TaskState) -> str:
    words = {FAILED: "failed", SKIPPED: "was skipped", INTERRUPTED: "was interrupted"}
    return words.get(state, "completed")
