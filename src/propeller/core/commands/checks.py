"""Checks that several commands share."""

from propeller.core.attempts import obstacle, refused
from propeller.core.groups import UP
from propeller.core.model import Group, GroupKind, JobMode, Proplet, Spec, Task
from propeller.core.state import ClusterState
from propeller.core.states import RUNNING, SCHEDULED
from propeller.errors import Conflict, Invalid, no_such


def find_task(state: ClusterState, task_id: str) -> Task:
    task = state.tasks.get(task_id)
    if task is None:
        raise no_such("task", task_id)
    return task


def find_proplet(state: ClusterState, proplet_id: str) -> Proplet:
    proplet = state.proplets.get(proplet_id)
    if proplet is None:
        raise no_such("proplet", proplet_id)
    return proplet


def find_group(state: ClusterState, kind: GroupKind, group_id: str) -> Group:
    group = state.groups.get(group_id)
    if group is None or group.kind is not kind:
        raise no_such(kind.value, group_id)
    return group


def refuse_obstacle(state: ClusterState, spec: Spec) -> None:
    failure = obstacle(spec) or refused(state, spec)
    if failure:
        raise Conflict(failure.error)


def check_module(state: ClusterState, spec: Spec, at: str = "") -> None:
    """Raise ``Invalid`` for a module that the policy does not allow, or a signature that is not of it."""
    trust = state.policy.trust
    if why := trust.misgiven(spec) or trust.refusal(spec):
        raise Invalid(f"{at}{why}")


def runs_its_one_task(group: Group) -> bool:
    """Say whether a sequential job runs a task; it may be one that was started again out of its turn."""
    return (
        group.mode is JobMode.SEQUENTIAL
        and group.counts[SCHEDULED] + group.counts[RUNNING] > group.counts[UP]
    )
