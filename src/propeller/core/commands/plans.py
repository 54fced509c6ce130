"""The command about the schedule of a task, workflow or job: pause it, or let it go on."""

from propeller.core import schedules
from propeller.core.commands.checks import find_group, find_task
from propeller.core.events import PauseSchedule
from propeller.core.state import ClusterState


def pause(state: ClusterState, command: PauseSchedule) -> None:
    record: schedules.Record
    if command.kind is None:
        record = find_task(state, command.owner_id)
    else:
        record = find_group(state, command.kind, command.owner_id)
    if command.is_paused:
        schedules.pause(state, record)
    else:
        schedules.resume(state, record)
