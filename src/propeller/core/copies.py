"""Copies of tasks, and of whole workflows and jobs: the same work under other ids; pure.

A copy refers to copies: ``depends_on``, inputs and standard input name the ids of the copied parents. What a
task was copied from is in ``Spec.copy_of``, and what that was copied from in ``Spec.copied_before``: an
expression that names any of them finds the copy.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from msgspec.structs import replace

from propeller.core.inputs import with_other_ids
from propeller.core.model import Definition, Group, Spec, SubWorkflow, Task

#: By how much the id of a run is longer than that of what has the schedule, at most.
RUN_CHARS = len("-20261129T020000.123Z")
_RUN = re.compile(r"(.+)-\d{8}T\d{6}(?:\.\d{3})?Z", re.DOTALL)
#: How many characters the number of an attempt has in an id, at most, with the dot before it.
_ATTEMPT_CHARS = len(".1000000")
_UUID_CHARS = 36


def run_id(owner_id: str, at: int) -> str:
    """Make the id of the run of a time, ns since the epoch: ``nightly-20261129T020000Z``.

    A time makes the same id again, so it can't make two runs. A run that a user starts is between two
    seconds: ``nightly-20261129T091523.042Z``.
    """
    seconds, ms = divmod(at // 1_000_000, 1000)
    fraction = f".{ms:03}" if ms else ""
    return f"{owner_id}-{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}{fraction}Z"


def owner_in(name: str) -> str:
    """Give the id of what a record is a run of, if its id is that of a run; ``""`` if it is not."""
    found = _RUN.fullmatch(name)
    return found[1] if found else ""


def ids_of_run(task_ids: Iterable[str], at: int) -> dict[str, str]:
    """Make the ids of the tasks of a run, by the ids of those that they are copies of."""
    return {task_id: run_id(task_id, at) for task_id in task_ids}


def copy_of(spec: Spec, ids: Mapping[str, str], group_id: str = "") -> Spec:
    """Copy a task into the group of this id; ``ids`` has the new ids of it and its parents, by the old ones.

    The copy has no schedule, and is a run of nothing.
    """
    return replace(
        with_other_ids(spec, ids),
        id=ids[spec.id],
        depends_on=tuple(ids.get(parent, parent) for parent in spec.depends_on),
        workflow_id=group_id if spec.workflow_id else "",
        job_id=group_id if spec.job_id else "",
        copy_of=spec.id,
        copied_before=(spec.copy_of, *spec.copied_before) if spec.copy_of else (),
        run_of="",
        schedule="",
        is_recurring=False,
        timezone="",
        schedule_options=None,
    )


def run_of_task(spec: Spec, new_id: str) -> Spec:
    """Copy a task with a schedule that runs already."""
    return replace(copy_of(spec, {spec.id: new_id}), run_of=spec.id)


def run_of(group: Group, new_id: str, now: int) -> Group:
    """Make the group of a run of a group with a schedule; it has no tasks yet, and no place in the order."""
    return _like(group, new_id, group.name, replace(group.definition, schedule=None, run_of=group.id), now)


def ids_of_clone(task_ids: Iterable[str], clone_id: str) -> dict[str, str]:
    """Make the ids of the tasks of a clone, UUIDs that nothing else has if that holds for its own."""
    return {task_id: _uuid(f"{clone_id}/{task_id}") for task_id in task_ids}


def clone_of(group: Group, new_id: str, name: str, now: int) -> Group:
    """Make the group of a clone, as ``run_of`` does; the clone has no schedule, and nothing runs it."""
    definition = replace(group.definition, schedule=None, run_of="", run_for="")
    return _like(group, new_id, name, definition, now)


# -- the workflow of a task --------------------------------------------------------------------------------


def id_of_inner(task_id: str, attempt: int) -> str:
    """Make the id of the workflow that an attempt of a task runs: ``load.2``."""
    return f"{task_id}.{attempt}"


def ids_of_inner(workflow: SubWorkflow, inner_id: str) -> dict[str, str]:
    """Make the ids of the tasks of such a workflow, ``rows.load.2``, by the ids that they have inside."""
    return {spec.id: f"{spec.id}.{inner_id}" for spec in workflow.specs}


def id_inside(task: Task) -> str:
    """Give the id that a task of such a workflow has inside."""
    return task.id.removesuffix(f".{task.spec.workflow_id}")


def longest_inner_id(task_id: str, workflow: SubWorkflow) -> int:
    """Give the most characters of an id that comes of a task, or of a copy of it, and its workflow."""
    return max(len(task_id), _UUID_CHARS) + RUN_CHARS + _chars_below(workflow)


def _chars_below(workflow: SubWorkflow) -> int:
    longest = max(
        len(spec.id) + 1 + (_chars_below(spec.workflow) if spec.workflow else 0) for spec in workflow.specs
    )
    return longest + _ATTEMPT_CHARS


def _like(group: Group, new_id: str, name: str, definition: Definition, now: int) -> Group:
    return Group(
        id=new_id,
        kind=group.kind,
        seq=0,
        created_at=now,
        name=name,
        mode=group.mode,
        fail_fast=group.fail_fast,
        definition=definition,
        counts=[0] * len(group.counts),
        tasks={},
    )


def _uuid(text: str) -> str:
    """Make a UUID of version 8 of a text."""
    digits = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
