"""Admission: new tasks come into the state, with the group that they are in. All checks are over before."""

from collections.abc import Sequence

from msgspec.structs import replace

from propeller.core import places
from propeller.core.model import Group, Spec, Task
from propeller.core.relations import attach
from propeller.core.state import ClusterState
from propeller.core.states import PENDING


def admit(state: ClusterState, specs: Sequence[Spec], group: Group | None, now: int) -> list[Task]:
    """Make tasks of specs, in the order given; a group that is new is admitted too."""
    if group and group.id not in state.groups:
        state.last_group_seq += 1
        group.seq = state.last_group_seq
        group.places = places.derive(group)
        state.groups[group.id] = group
    created = []
    for number, given in enumerate(specs):
        spec = _belonging(given, group) if group else given
        state.last_task_seq += 1
        # The tutorial's workflow tasks are created nanoseconds apart, a job's tasks all at once.
        created_at = now if spec.job_id else now + number
        attempt = state.turn.past_attempts.get(spec.id, 0)
        task = Task(spec=spec, seq=state.last_task_seq, created_at=created_at, attempt=attempt)
        state.tasks[spec.id] = state.turn.created[spec.id] = task
        created.append(task)
    state.tally[PENDING] += len(created)
    if group:
        before = next(reversed(group.tasks.values()), None)
        group.tasks.update((task.id, task) for task in created)
        for task in created:
            attach(task, group, before)
            before = task
        group.counts[PENDING] += len(created)
        state.turn.groups[group.id] = group
    return created


def _belonging(spec: Spec, group: Group) -> Spec:
    """Let a task belong to the namespace of its group, and to whoever created that if nobody else did."""
    namespace, created_by = group.definition.namespace, spec.created_by or group.definition.created_by
    if (spec.namespace, spec.created_by) == (namespace, created_by):
        return spec
    return replace(spec, namespace=namespace, created_by=created_by)
