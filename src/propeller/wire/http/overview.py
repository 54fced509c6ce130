"""The JSON of the HTTP API for all that a manager has at once; all of it is an extension of the contract."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.failures import ErrorKind
from propeller.core.model import Task
from propeller.wire.http.schema import Time, like
from propeller.wire.http.tasks import Id
from propeller.wire.rfc3339 import format_time


class TasksCounted(msgspec.Struct, kw_only=True):
    """How many tasks there are, and how many of them have not ended, by state."""

    total: int
    pending: int
    scheduled: int
    running: int


class GroupsCounted(msgspec.Struct, kw_only=True):
    """How many workflows or jobs there are, by state."""

    total: int
    pending: int
    running: int
    completed: int
    failed: int
    interrupted: int


class PropletsCounted(msgspec.Struct, kw_only=True):
    total: int
    alive: int
    cordoned: int
    slots: Annotated[int, like("How many guests the proplets that are alive run at once.")]
    busy: Annotated[int, like("How many of these slots have a task.")]


class OverviewView(msgspec.Struct, kw_only=True):
    event_id: Annotated[int, like("All events up to this one are counted; a later one may be.")]
    time: Time
    tasks: TasksCounted
    workflows: GroupsCounted
    jobs: GroupsCounted
    proplets: PropletsCounted


class FailedTask(msgspec.Struct, kw_only=True):
    """A task that failed, and was not started again since."""

    task_id: Id
    name: str
    workflow_id: str | UnsetType = UNSET
    job_id: str | UnsetType = UNSET
    proplet_id: str | UnsetType = UNSET
    attempt: int
    error: str
    error_kind: ErrorKind
    finish_time: Time


class FailuresView(msgspec.Struct, kw_only=True):
    total: Annotated[int, like("How many there are since then; no more than 100,000 are counted.")]
    failures: Annotated[list[FailedTask], like("The one that failed last is the first.")]


class PaceView(msgspec.Struct, kw_only=True):
    """The last hour in steps, the oldest first."""

    step_s: int
    end: Annotated[int, like("When the last step ended, ms since the Unix epoch.")]
    started: Annotated[list[int], like("How many attempts began in each step.")]
    completed: list[int]
    failed: list[int]
    ended_otherwise: Annotated[list[int], like("How many were skipped or interrupted.")]
    waiting: Annotated[
        list[int | None],
        like("How many tasks waited for a proplet at most in each step; null where no manager ran."),
    ]
    running: Annotated[list[int | None], like("How many ran at most.")]


def failed_task(task: Task) -> FailedTask:
    return FailedTask(
        task_id=task.id,
        name=task.spec.name,
        workflow_id=task.spec.workflow_id or UNSET,
        job_id=task.spec.job_id or UNSET,
        proplet_id=task.proplet_id or UNSET,
        attempt=task.attempt,
        error=task.error,
        error_kind=task.failure.kind if task.failure else ErrorKind.OTHER,
        finish_time=format_time(task.finished_at),
    )
