"""Places: some groups run only so many of their tasks at once; the others that are ready wait for a place.

A task has a place while it is queued or runs. The places of a group go to the tasks that run, and then to the
first in rank of those that are ready. So a task that is queued may lose its place to one that is ready later
and comes before it; and who has a place follows from the records alone, also after a restart.
"""

from propeller.core.model import Group, Places, Task
from propeller.core.placement import DEFAULT_PRIORITY, Placement
from propeller.core.states import RUNNING

_Rank = tuple[bool, int, int]


def derive(group: Group) -> Places | None:
    """Make the places of a group, with those that run in theirs; None if any number may run at once."""
    if not group.definition.max_parallel:
        return None
    running = {task.id for task in group.tasks.values() if task.state is RUNNING and not task.was_up}
    return Places(most=group.definition.max_parallel, running=running)


def join(places: Places, task: Task, placement: Placement) -> None:
    """Take in a task that is ready."""
    places.waiting.push(task.id, rank_of(task), task)
    _let_in(places, placement)


def begin(places: Places, task: Task) -> None:
    """Note that a task that was queued runs now."""
    if task.id in places.queued:
        places.queued.leave(task.id)
        places.running.add(task.id)


def leave(places: Places, task: Task, placement: Placement) -> None:
    """Take back the place of a task, and let the next one in; the caller takes it off its queue."""
    places.waiting.leave(task.id)
    places.queued.leave(task.id)
    places.running.discard(task.id)
    _let_in(places, placement)


def has_one_for(places: Places, task: Task) -> bool:
    """Say whether a task that is ready has a place, or would get one."""
    if task.id in places.queued or _is_one_free(places):
        return True
    last = places.queued.head()
    return task.id not in places.waiting and last is not None and rank_of(task) < rank_of(last[1])


def rank_of(task: Task) -> _Rank:
    """Rank a task: first those whose attempt was lost or handed back, then by priority and age."""
    return not task.placed_at, -(task.spec.priority or DEFAULT_PRIORITY), task.seq


def _let_in(places: Places, placement: Placement) -> None:
    """Give places to the first in rank of those that are ready."""
    while (first := places.waiting.head()) is not None:
        rank, task = first
        if not _is_one_free(places):
            last = places.queued.head()
            if last is None or rank_of(last[1]) < rank:
                return
            _take_back(places, last[1], placement)
        places.waiting.leave(task.id)
        places.queued.push(task.id, tuple(-number for number in rank), task)
        placement.wait(task)


def _take_back(places: Places, task: Task, placement: Placement) -> None:
    places.queued.leave(task.id)
    placement.wait_no_more(task)
    places.waiting.push(task.id, rank_of(task), task)


def _is_one_free(places: Places) -> bool:
    return len(places.running) + len(places.queued) < places.most
