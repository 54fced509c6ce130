"""Commands about one proplet: delete it, give it no new work, move its work elsewhere."""

from propeller.core import drains
from propeller.core.commands.checks import find_proplet
from propeller.core.events import CordonProplet, DeleteProplet, DrainProplet
from propeller.core.state import ClusterState
from propeller.errors import Conflict


def delete(state: ClusterState, command: DeleteProplet) -> None:
    proplet = find_proplet(state, command.proplet_id)
    if proplet.placed:
        raise Conflict(f"conflict: proplet {proplet.id} has {len(proplet.placed)} active tasks")
    if proplet.is_alive:
        raise Conflict(f"conflict: proplet {proplet.id} is alive; stop its program first")
    state.forget_proplet(proplet)


def cordon(state: ClusterState, command: CordonProplet) -> None:
    drains.cordon(state, find_proplet(state, command.proplet_id), is_cordoned=command.is_cordoned)


def drain(state: ClusterState, command: DrainProplet, now: int) -> None:
    drains.drain(state, find_proplet(state, command.proplet_id), command.timeout_s, now)
