"""The placement of waiting tasks on proplets.

Waiting tasks queue by priority, then age. Of the proplets with room, the one that waited longest is next
(``ROUND_ROBIN``), or the one with the least to do (``LEAST_LOADED``). Nothing here looks at all tasks or,
for a task that may go anywhere, at all proplets: placing a task costs the logarithm of a queue's length.

A proplet has room while it holds fewer tasks than its *window*: the number of guests that it runs at once,
and as many more as it could finish in ``AHEAD_NS`` if each took as long as its last task. So short tasks are
sent in large batches, while a long task never waits behind another one.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import NamedTuple

from propeller.core.model import Proplet, Spec, Task
from propeller.core.ranked import Ranked
from propeller.core.reasons import (
    Waiting,
    WaitsForAnyProplet,
    WaitsForCordonedProplet,
    WaitsForDeadProplet,
    WaitsForLeave,
    WaitsForLeaveOfProplet,
    WaitsForTags,
    WaitsForUncordoned,
    WaitsForUnknownProplet,
    names_of_tags,
)
from propeller.core.sandbox import Sandbox, refusal
from propeller.core.trust import NO_TRUST, Trust

AHEAD_NS = 50_000_000
WINDOW_MAX = 1024
_FITS_MAX = 1000
DEFAULT_PRIORITY = 50

Tags = frozenset[str]


class Needs(NamedTuple):
    """The needs of a task: what a proplet must have and allow to be given it."""

    tags: Tags
    sandbox: Sandbox | None
    #: True if it must give the task standard input.
    stdin: bool
    #: True if it must find out who has signed the module that it fetches.
    keys: bool
    #: True if it must open secrets for the task.
    secrets: bool


def needs_of(spec: Spec, trust: Trust) -> Needs:
    is_fetched = spec.module is None and bool(spec.image_url)
    keys = is_fetched and trust.names_keys(spec)
    return Needs(frozenset(spec.required_tags), spec.sandbox, bool(spec.stdin), keys, bool(spec.secrets))


_NO_NEEDS = Needs(tags=frozenset(), sandbox=None, stdin=False, keys=False, secrets=False)


def refused_by(proplet: Proplet, needs: Needs) -> str:
    """Say why a proplet can't run a task with these needs; ``""`` if it can."""
    lacking = needs.tags - proplet.tags
    if lacking:
        return f"it does not have {names_of_tags(sorted(lacking))}"
    if needs.stdin and not _gives_stdin(proplet):
        return "it can't give a task standard input"
    offer = proplet.offer
    if needs.keys and (offer is None or not offer.checks_signatures):
        return "it does not check who has signed the images that it fetches"
    if needs.secrets and not proplet.sealing_key:
        return "it can't take secrets, since it says no key that they could be sealed to"
    if needs.sandbox is None:
        return ""
    return "it does not say what it allows" if offer is None else refusal(offer, needs.sandbox)


def _gives_stdin(proplet: Proplet) -> bool:
    """Say whether a proplet knows of standard input, an extension: those do that say what they allow."""
    return proplet.offer is not None


class Order(StrEnum):
    """The order in which proplets with room are given tasks."""

    ROUND_ROBIN = "round-robin"
    LEAST_LOADED = "least-loaded"


class Queue(Ranked[int, Task]):
    """Tasks that wait for room, by priority and age."""

    def add(self, task: Task) -> None:
        self.push(task.seq, (-(task.spec.priority or DEFAULT_PRIORITY), task.seq), task)

    def drop(self, task: Task) -> None:
        self.leave(task.seq)


class Line(Ranked[str, Proplet]):
    """Proplets that wait for work."""

    def __init__(self, load: Callable[[Proplet], float]) -> None:
        super().__init__()
        self._load = load

    def add(self, proplet: Proplet) -> None:
        self.push(proplet.id, self._load(proplet), proplet)

    def pop(self) -> Proplet | None:
        head = self.head()
        if head is None:
            return None
        self.leave(head[1].id)
        return head[1]


class Placement:
    """The proplets, their load, and the tasks that wait for them."""

    def __init__(self, order: Order = Order.ROUND_ROBIN, trust: Trust = NO_TRUST) -> None:
        self._trust = trust
        self.proplets: dict[str, Proplet] = {}
        self._anywhere = Queue()
        self._pinned: dict[str, dict[Needs, Queue]] = {}
        self._choosy: dict[Needs, Queue] = {}
        #: Broadcast tasks, which wait until there is any proplet for them, by ``seq``.
        self._broadcast: dict[int, Task] = {}
        #: Tasks that run a workflow, which need no proplet, by ``seq``.
        self.workflows: dict[int, Task] = {}
        load = _load if order is Order.LEAST_LOADED else _no_load
        #: Proplets that may have room, and for which a task may wait: they are still to be looked at.
        self._turn = Line(load)
        #: Proplets with room for which no task waited when they were looked at.
        self._idle = Line(load)
        self._fit: dict[Needs, dict[str, Proplet]] = {}
        #: Ids of the proplets that do not say that they run guests as ``propeller.runtime`` does.
        self._foreign_runtimes: set[str] = set()

    # -- tasks ---------------------------------------------------------------------------------------------

    def wait(self, task: Task) -> None:
        """Queue a task that has just become ``SCHEDULED``."""
        spec = task.spec
        if spec.workflow is not None:
            self.workflows[task.seq] = task
        elif spec.broadcast:
            self._broadcast[task.seq] = task
        elif spec.pin:
            queues = self._pinned.setdefault(spec.pin, {})
            queues.setdefault(needs_of_pinned(spec, self._trust), Queue()).add(task)
            self.offer_room(spec.pin)
        elif (needs := needs_of(spec, self._trust)) != _NO_NEEDS:
            queue = self._choosy.setdefault(needs, Queue())
            if not queue:  # else the proplets that could take it are in line already, or have no room
                for proplet_id in self.fit(needs):
                    self.offer_room(proplet_id)
            queue.add(task)
        else:
            self._anywhere.add(task)

    def wait_no_more(self, task: Task) -> None:
        """Take a task off the queues: it was stopped or deleted."""
        spec = task.spec
        self.workflows.pop(task.seq, None)
        self._broadcast.pop(task.seq, None)
        self._anywhere.drop(task)
        if spec.pin:
            queue = self._pinned.get(spec.pin, {}).get(needs_of_pinned(spec, self._trust))
        else:
            queue = self._choosy.get(needs_of(spec, self._trust))
        if queue is not None:
            queue.drop(task)

    def why_waits(self, task: Task) -> Waiting | None:
        """Say what a task waits for; None if it waits only for its turn."""
        if task.spec.workflow is not None:
            return None
        pin = task.spec.pin
        if pin:
            return self._why_waits_for(pin, needs_of_pinned(task.spec, self._trust))
        needs = needs_of(task.spec, self._trust)
        if any(takes_work(proplet) for proplet in self.fit(needs).values()):
            return None
        only_tags = _NO_NEEDS._replace(tags=needs.tags)
        tagged = [proplet for proplet in self.fit(only_tags).values() if takes_work(proplet)]
        if tagged:
            return WaitsForLeave(tagged[0].name, refused_by(tagged[0], needs))
        if needs.tags:
            return WaitsForTags(tuple(sorted(needs.tags)))
        is_one_alive = any(proplet.is_alive for proplet in self.proplets.values())
        return WaitsForUncordoned() if is_one_alive else WaitsForAnyProplet()

    def _why_waits_for(self, proplet_id: str, needs: Needs) -> Waiting | None:
        proplet = self.proplets.get(proplet_id)
        if proplet is None:
            return WaitsForUnknownProplet(proplet_id)
        if not proplet.is_alive:
            return WaitsForDeadProplet(proplet_id)
        if refused := refused_by(proplet, needs):
            return WaitsForLeaveOfProplet(proplet_id, refused)
        return WaitsForCordonedProplet(proplet_id) if proplet.is_cordoned else None

    def waiting(self) -> list[Task]:
        """List all waiting tasks, in no order; for checks, not for placing."""
        found = [*self._broadcast.values(), *self.workflows.values()]
        found += self._anywhere
        for queues in (*self._pinned.values(), self._choosy):
            for queue in queues.values():
                found += queue
        return found

    def waiting_broadcasts(self) -> list[tuple[Task, list[Proplet]]]:
        """List the broadcast tasks for which there are proplets now, each with all of these."""
        found = []
        for task in self._broadcast.values():
            proplets = [p for p in self.fit(needs_of(task.spec, self._trust)).values() if takes_work(p)]
            if proplets:
                found.append((task, proplets))
        return found

    # -- proplets ------------------------------------------------------------------------------------------

    def changed(self, proplet: Proplet) -> None:
        """Note that a proplet is new or gone, or has other tags or another offer."""
        self._fit.clear()
        self._foreign_runtimes.discard(proplet.id)
        if self.proplets.get(proplet.id) is not proplet:
            self._turn.leave(proplet.id)
            self._idle.leave(proplet.id)
        elif not proplet.has_own_runtime:
            self._foreign_runtimes.add(proplet.id)

    @property
    def knows_runtime(self) -> bool:
        """True if proplets are known, and all of them run guests as ``propeller.runtime`` does.

        Foreign proplets call other functions under some names, and an external runtime may take other values.
        """
        return bool(self.proplets) and not self._foreign_runtimes

    def fit(self, needs: Needs) -> dict[str, Proplet]:
        """Give the proplets that meet these needs, alive or not, by id."""
        found = self._fit.get(needs)
        if found is None:
            found = {p.id: p for p in self.proplets.values() if not refused_by(p, needs)}
            self._fit[needs] = found
            if len(self._fit) > _FITS_MAX:
                del self._fit[next(iter(self._fit))]
        return found

    def offer_room(self, proplet_id: str) -> None:
        """Put a proplet in line for work, if it has room."""
        proplet = self.proplets.get(proplet_id)
        if proplet is not None and has_room(proplet):
            self._idle.leave(proplet_id)
            self._turn.add(proplet)

    def next(self) -> tuple[Task, Proplet] | None:
        """Take the next task off its queue, and return it with its proplet; None if all tasks must wait."""
        while (proplet := self._next_in_line()) is not None:
            if not has_room(proplet):
                continue
            queue = self._first_claim(proplet)
            head = queue.head()
            if head is not None:
                queue.drop(head[1])
                return head[1], proplet
            self._idle.add(proplet)
        return None

    def _next_in_line(self) -> Proplet | None:
        """Take the next proplet to look at; an idle one only if there is a task that may go anywhere."""
        if self._anywhere:
            idle, turn = self._idle.head(), self._turn.head()
            if idle is not None and (turn is None or idle[0] <= turn[0]):
                return self._idle.pop()
        return self._turn.pop()

    def _first_claim(self, proplet: Proplet) -> Queue:
        """Choose the queue whose first task this proplet should get, by the rank of that task."""
        best = self._anywhere
        best_head = best.head()
        for queue in self._own_queues(proplet):
            head = queue.head()
            if head is not None and (best_head is None or head[0] < best_head[0]):
                best, best_head = queue, head
        return best

    def _own_queues(self, proplet: Proplet) -> Iterator[Queue]:
        if self._pinned:
            yield from self._its(proplet, self._pinned_to(proplet.id))
        if self._choosy:
            for wanted in [wanted for wanted, queue in self._choosy.items() if not queue]:
                del self._choosy[wanted]
            yield from self._its(proplet, self._choosy)

    def _its(self, proplet: Proplet, queues: dict[Needs, Queue]) -> Iterator[Queue]:
        return (queue for needs, queue in queues.items() if proplet.id in self.fit(needs))

    def _pinned_to(self, proplet_id: str) -> dict[Needs, Queue]:
        queues = self._pinned.get(proplet_id, {})
        for needs in [needs for needs, queue in queues.items() if not queue]:
            del queues[needs]
        if not queues:
            self._pinned.pop(proplet_id, None)
        return queues

    def hold(self, task: Task, proplet: Proplet, sent_at: int) -> None:
        """Note that a proplet has a task, and when its start was sent."""
        proplet.placed[task.id] = sent_at
        if task.spec.is_resident or task.was_up:
            proplet.residents.add(task.id)

    def placed(self, task: Task, proplet: Proplet, ticks: int) -> None:
        """Note that a proplet has an attempt, whose start is sent now for the first time."""
        proplet.repeats.pop(task.id, None)
        self.hold(task, proplet, ticks)
        self.offer_room(proplet.id)

    def stays(self, task: Task, proplet_id: str) -> None:
        """Note that a task stays until it is stopped, and so takes no room from others."""
        proplet = self.proplets.get(proplet_id)
        if proplet is not None and task.id in proplet.placed:
            proplet.residents.add(task.id)
            self.offer_room(proplet_id)

    def freed(self, task: Task, proplet_id: str) -> None:
        """Take a task off a proplet, for whatever reason."""
        proplet = self.proplets.get(proplet_id)
        if proplet is not None and proplet.placed.pop(task.id, None) is not None:
            proplet.residents.discard(task.id)
            proplet.repeats.pop(task.id, None)
            self.offer_room(proplet.id)

    def learn(self, proplet_id: str, run_ns: int) -> None:
        """Set a proplet's window by how long its last task ran, ns; it widens one by one and narrows at once.

        A foreign proplet keeps its window, because it hands back no task that it has no time for.
        """
        proplet = self.proplets.get(proplet_id)
        if proplet is None or not proplet.is_native:
            return
        ahead = proplet.slots * AHEAD_NS // max(run_ns, 1)
        proplet.window = min(proplet.window + 1, proplet.slots + ahead, WINDOW_MAX)


def takes_work(proplet: Proplet) -> bool:
    return proplet.is_alive and not proplet.is_cordoned


def has_room(proplet: Proplet) -> bool:
    return takes_work(proplet) and len(proplet.placed) - len(proplet.residents) < proplet.window


def needs_of_pinned(spec: Spec, trust: Trust) -> Needs:
    """Give the needs of a pinned task, whose tags do not count."""
    return needs_of(spec, trust)._replace(tags=frozenset())


def _load(proplet: Proplet) -> float:
    return len(proplet.placed) / proplet.slots


def _no_load(_proplet: Proplet) -> float:
    return 0.0
