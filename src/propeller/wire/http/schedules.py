"""Schedules in the JSON of the HTTP API: when a task, workflow or job runs by itself.

All of it but ``schedule``, ``timezone`` and ``is_recurring`` of tasks is an extension.
"""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.calendar import (
    CatchUp,
    Overlap,
    Schedule,
    ScheduleOptions,
    ScheduleState,
)
from propeller.wire.durations import format_duration
from propeller.wire.http.schema import Time, like
from propeller.wire.rfc3339 import ZERO, format_time

CronText = Annotated[
    str,
    like(
        "A cron text: minute, hour, day of month, month, day of week; or @daily and its kin. Empty for none.",
        maxLength=256,
    ),
]
ZoneName = Annotated[str, like("The zone of the schedule's times, such as Europe/Paris; left out: UTC.")]
RecursTask = Annotated[
    bool, like("True: it runs at each time of the schedule. False or left out: once, at the next.")
]
RecursGroup = Annotated[
    bool, like("True or left out: it runs at each time of the schedule. False: once, at the next.")
]


class ScheduleOptionsField(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What holds for the times of a schedule; in a change, it replaces all options that were there."""

    catch_up: (
        Annotated[
            str,
            like(
                "Which of the times are made up for that were missed by more than a minute; left out: skip.",
                title="CatchUp",
                enum=list(CatchUp),
            ),
        ]
        | None
    ) = None
    overlap: (
        Annotated[
            str,
            like(
                "What becomes of a time that comes while the run before has not ended; left out: skip.",
                title="Overlap",
                enum=list(Overlap),
            ),
        ]
        | None
    ) = None
    jitter: (
        Annotated[
            str | float, like("By how much a run may begin later than its time: 30s, or a number of seconds.")
        ]
        | None
    ) = None
    start: Annotated[str, like("No times come before it.", format="date-time")] | None = None
    end: Annotated[str, like("No times come after it.", format="date-time")] | None = None


class OptionsView(msgspec.Struct, kw_only=True):
    """The options of a schedule."""

    catch_up: CatchUp
    overlap: Overlap
    jitter: str | UnsetType = UNSET
    start: Time | UnsetType = UNSET
    end: Time | UnsetType = UNSET


class ScheduleView(msgspec.Struct, kw_only=True):
    """What a schedule is, and what has become of it."""

    schedule: str
    timezone: str
    is_recurring: bool
    schedule_options: OptionsView
    paused: bool
    next_run: Time = ZERO
    next: Annotated[list[Time], like("The next ten times.")]
    last_run: Annotated[Time, like("The time of the last run.")] = ZERO
    waiting: Annotated[list[Time], like("Times that wait for the end of the run before.")]
    runs: Annotated[list[str], like("Ids of the copies that ran last, and may run still.")]
    error: (
        Annotated[str, like("What is wrong with it: why it is paused, if no user did that.")] | UnsetType
    ) = UNSET


class GroupScheduleFields(msgspec.Struct, kw_only=True):
    """What answers say about the schedule of a workflow or a job."""

    schedule: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    is_recurring: bool | UnsetType = UNSET
    schedule_options: OptionsView | UnsetType = UNSET
    next_run: Time | UnsetType = UNSET
    run_of: Annotated[str, like("What has the schedule that this is a run of.")] | UnsetType = UNSET


def options_view(options: ScheduleOptions) -> OptionsView:
    return OptionsView(
        catch_up=options.catch_up,
        overlap=options.overlap,
        jitter=format_duration(options.jitter_ns / 1e9) if options.jitter_ns else UNSET,
        start=format_time(options.start) if options.start else UNSET,
        end=format_time(options.end) if options.end else UNSET,
    )


def schedule_view(schedule: Schedule, course: ScheduleState, coming: list[int], error: str) -> ScheduleView:
    """Render a schedule with the times that come next, and what is wrong with it."""
    return ScheduleView(
        schedule=schedule.text,
        timezone=schedule.timezone or "UTC",
        is_recurring=schedule.is_recurring,
        schedule_options=options_view(schedule.options),
        paused=course.is_paused,
        next_run=format_time(course.next_run),
        next=[format_time(at) for at in coming],
        last_run=format_time(course.last_run),
        waiting=[format_time(at) for at in course.waiting],
        runs=course.runs,
        error=error or UNSET,
    )


def show_schedule(
    view: GroupScheduleFields, schedule: Schedule | None, run_of: str, course: ScheduleState | None
) -> None:
    """Write the schedule of a group into the view of the group, or which group it is a run of."""
    view.run_of = run_of or UNSET
    if schedule is None:
        return
    view.schedule = schedule.text
    view.timezone = schedule.timezone or UNSET
    view.is_recurring = schedule.is_recurring
    view.schedule_options = options_view(schedule.options)
    if course is not None and course.next_run:
        view.next_run = format_time(course.next_run)
