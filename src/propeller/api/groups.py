"""The part that the handlers of workflows and jobs share."""

import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import msgspec

from propeller.api import queries
from propeller.api.belonging import Creator, creator_of
from propeller.api.bodies import read_json, read_json_or_nothing
from propeller.api.context import HttpRequest, context_of, id_in_path
from propeller.api.lifting import Lifted
from propeller.api.looks import PORTION
from propeller.api.rendering import Shown, showing, shown_group, task_views
from propeller.api.scheduling import schedule_of_group
from propeller.api.spec_builder import SpecBuilder, check_group_name, max_parallel_of, new_ids
from propeller.api.submission import check_start_of_group, submit
from propeller.api.timing import defaults_of, duration_ns
from propeller.core.events import CloneGroup, CreateTasks, NewGroup, Rerun, RerunGroup
from propeller.core.model import Definition, Group, GroupKind, JobMode
from propeller.errors import Invalid, no_such
from propeller.wire.http.groups import (
    LABEL_KEY_CHARS_MAX,
    LABEL_VALUE_CHARS_MAX,
    LABELS_MAX,
    NewClone,
    NewJob,
    NewRerun,
    NewWorkflow,
)
from propeller.wire.http.tasks import TaskView

_LABEL_KEY = re.compile(rf"[^=\x00-\x1f\x7f-\x9f]{{1,{LABEL_KEY_CHARS_MAX}}}")

New = TypeVar("New", NewWorkflow, NewJob)
Creation = tuple[CreateTasks, SpecBuilder]


class Cloned(NamedTuple):
    """What a clone has made."""

    group: Group
    views: list[TaskView]


async def create_group(
    request: HttpRequest, shape: type[New], creation: Callable[[New, Lifted, Creator], Creation]
) -> tuple[NewGroup, list[TaskView]]:
    """Create a workflow or a job with all of its tasks; return it, and the tasks as answers have them."""
    context = context_of(request)
    show = showing(request)
    creator = creator_of(request)
    command, builder = await read_json(request, shape, lambda new, lifted: creation(new, lifted, creator))
    created = await submit(context, command, builder)
    assert command.group is not None
    # What was done before has the id that was given then.
    group = msgspec.structs.replace(command.group, id=created[0].spec.group_id)
    return group, await task_views(context, created, show)


def group_creation(
    new: NewWorkflow | NewJob,
    lifted: Lifted,
    creator: Creator,
    kind: GroupKind,
    *,
    mode: JobMode | None = None,
    fail_fast: bool | None = None,
) -> Creation:
    """Make the command of a request; the group has the id that a task names, or a new one."""
    if not new.tasks:
        raise Invalid(f"tasks: a {kind.value} needs at least one task")
    place = creator.place(new.namespace)
    field = f"{kind.value}_id"
    chosen_id: str = next(filter(None, (getattr(task, field) for task in new.tasks)), "")
    group = NewGroup(
        id=chosen_id or next(new_ids(1)),
        kind=kind,
        name=check_group_name(new.name),
        mode=mode,
        fail_fast=fail_fast,
        definition=Definition(
            namespace=place.namespace,
            created_by=place.created_by,
            labels=_labels(new.labels or {}),
            max_parallel=max_parallel_of(new.max_parallel),
            timeout_ns=0 if new.timeout is None else duration_ns(new.timeout, "timeout"),
            defaults=defaults_of(new.defaults),
            schedule=schedule_of_group(new, kind),
        ),
    )
    builder = SpecBuilder(lifted, place)
    specs, chosen = builder.specs(new.tasks, "tasks", **{field: group.id})
    chosen = (*chosen, chosen_id) if chosen_id else chosen
    return CreateTasks(specs=specs, group=group, chosen_ids=chosen), builder


def _labels(given: dict[str, str]) -> dict[str, str]:
    if len(given) > LABELS_MAX:
        raise Invalid(f"labels: {len(given)} are too many; give at most {LABELS_MAX}")
    for key, value in given.items():
        if not _LABEL_KEY.fullmatch(key):
            raise Invalid(
                f"labels: {key[:80]!r} is no key; one has 1 to {LABEL_KEY_CHARS_MAX} characters, no = and no "
                "control characters"
            )
        if len(value) > LABEL_VALUE_CHARS_MAX:
            raise Invalid(
                f"labels.{key}: it is longer than {LABEL_VALUE_CHARS_MAX} characters; shorten it, or use the "
                "metadata of tasks"
            )
    return given


async def rerun_group(request: HttpRequest, kind: GroupKind, group_id: str) -> None:
    """Run a workflow or a job again, or a part of it."""
    context = context_of(request)
    what, from_task = await read_json_or_nothing(request, NewRerun, _to_rerun) or (Rerun.FAILED, "")
    await check_start_of_group(context, kind, group_id)
    await context.ask(RerunGroup(kind, group_id, what, from_task))


def _to_rerun(new: NewRerun, _lifted: Lifted) -> tuple[Rerun, str]:
    if bool(new.what) == bool(new.from_task):
        given = "both are given; leave one of them out" if new.what else "say which tasks are to run again"
        raise Invalid(f"what, from: {given}: what is failed or all, and from names a task to begin with")
    if new.what not in (None, "", *Rerun):
        raise Invalid(f'what: "{new.what}" is unknown; use failed or all, or name a task in from')
    return Rerun(new.what or Rerun.FAILED), new.from_task or ""


async def clone_group(request: HttpRequest, kind: GroupKind, group_id: str) -> Cloned:
    """Create a workflow or a job with the tasks of another, which is not started."""
    context = context_of(request)
    show = showing(request)
    name = await read_json_or_nothing(request, NewClone, lambda new, _: check_group_name(new.name)) or ""
    created_by = creator_of(request).name
    created = await context.ask(CloneGroup(kind, group_id, next(new_ids(1)), name, created_by))
    new_id = created[0].spec.group_id
    records = await context.store.group(kind, new_id, tasks_max=0)
    if records is None:
        raise no_such(kind.value, new_id)
    return Cloned(records.groups[0], await task_views(context, created, show))


async def read_group(request: HttpRequest, kind: GroupKind) -> tuple[Group, Shown | None]:
    """Read the workflow or the job that the path names, and its tasks unless the request leaves them out."""
    context = context_of(request)
    show = showing(request)
    show_tasks = queries.flag(request, queries.SHOW_TASKS)
    group_id = id_in_path(request)
    records = await context.store.group(kind, group_id, tasks_max=PORTION if show_tasks else 0)
    if records is None:
        raise no_such(kind.value, group_id)
    (group,) = records.groups
    if not show_tasks:
        return group, None
    return group, await shown_group(context, group, records.tasks, show)
