"""Turns of schedules, written and read in one line each."""

from propeller.core.calendar import Schedule, ScheduleOptions
from propeller.core.events import CreateTasks, NewGroup, TimePassed
from propeller.core.model import Definition, GroupKind
from propeller.core.policy import Policy
from tests.core.helpers import Rules, S, a_task, in_workflow

MINUTE = 60
HOUR = 3600
EVERY_5 = "*/5 * * * *"


def patient() -> Rules:
    """Rules that take no proplet for lost, however long it says nothing."""
    return Rules(Policy(liveness_s=1e9, resend_s=1e9))


def scheduled(rules: Rules, text: str = "@hourly", *, is_recurring: bool = True, task_id="a", **options):
    """Create a task with a schedule."""
    given = ScheduleOptions(**options) if options else None
    rules.create(a_task(task_id, schedule=text, is_recurring=is_recurring, schedule_options=given))


def planned_workflow(rules: Rules, *specs, text: str = "@hourly", **options):
    """Create the workflow ``w`` with a schedule."""
    schedule = Schedule(text=text, is_recurring=True, options=ScheduleOptions(**options))
    group = NewGroup(
        id="w", kind=GroupKind.WORKFLOW, name="nightly", definition=Definition(schedule=schedule)
    )
    rules.turn(CreateTasks(specs=in_workflow(*(specs or (a_task("a"), a_task("b", "a")))), group=group))


def passes(rules: Rules, seconds: float, **fields):
    return rules.turn(TimePassed(), after_s=seconds, **fields)


def at(seconds: float) -> int:
    return int(seconds * S)


def course(rules: Rules, task_id="a"):
    return rules.task(task_id).course
