"""Who is alive: signs of life and their absence, boots, drains, and what is then done with their work.

Nothing here looks at all proplets. Those that were heard of stand in the order of their last sign of life,
so that silence is found at the front.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from propeller.core import broadcast
from propeller.core.effects import AskHello, Refused, SendStop
from propeller.core.events import PropletLost, PropletSeen
from propeller.core.model import Proplet, Task
from propeller.core.names import proplet_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from propeller.core.cluster import Cluster

SIGNS_OF_LIFE_KEPT = 10


class Watch:
    """The fleet as far as it was heard of."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._started_at = 0
        #: Alive, or holding work of which we don't know yet; the one that was silent for longest first.
        self._awake: OrderedDict[str, Proplet] = OrderedDict()
        #: The others, the one that fell silent first at the front.
        self._asleep: OrderedDict[str, Proplet] = OrderedDict()
        #: Foreign proplets that were given work.
        self._foreign: dict[str, Proplet] = {}
        #: Proplets with a ``drain_by``.
        self._draining: dict[str, Proplet] = {}

    def adopt(self, proplets: Iterable[Proplet]) -> None:
        """Take in what the store knows; whether they live, they must show."""
        for proplet in proplets:
            self._cluster.proplets[proplet.id] = self._awake[proplet.id] = proplet
            self._cluster.placement.changed(proplet)
            if proplet.drain_by:
                self._draining[proplet.id] = proplet

    def manager_started(self, now: int) -> None:
        """Give back the work of local proplets: they ended with the manager before."""
        self._started_at = now
        for proplet in self._cluster.proplets.values():
            if not proplet.is_local:
                continue
            for task in self._tasks_of(proplet):
                reason = f"attempt {task.attempt} was lost: the manager was started anew; run again"
                if task.spec.broadcast:
                    broadcast.give_up(self._cluster, task, proplet.id, "the manager was started anew", now)
                else:
                    self._cluster.run_again(task, reason, now)

    def forget(self, proplet: Proplet) -> None:
        """Drop everything about a proplet that holds no work."""
        del self._cluster.proplets[proplet.id]
        for known in (self._awake, self._asleep, self._foreign, self._draining, self._cluster.back):
            known.pop(proplet.id, None)
        self._cluster.placement.changed(proplet)
        self._cluster.touched_proplets.pop(proplet.id, None)
        self._cluster.deleted_proplets[proplet.id] = proplet

    # -- signs of life -------------------------------------------------------------------------------------

    def seen(self, event: PropletSeen, now: int) -> None:
        proplet = self._cluster.proplets.get(event.proplet_id) or self._welcome(event, now)
        if proplet.is_local != event.is_local:
            reason = "another proplet, beside the manager or not, has this id already"
            self._cluster.effects.append(Refused(event.proplet_id, "", reason))
            return
        if proplet.is_alive and event.boot < proplet.boot:
            return  # a message of a program that has been replaced since
        if not proplet.is_alive or event.boot != proplet.boot:
            self._cluster.back[proplet.id] = proplet
        running = None if event.running is None else dict(event.running)
        if event.boot != proplet.boot or (event.is_hello and not event.boot and proplet.placed):
            self._restarted(proplet, event, running or {}, now)
        if event.metadata is not None and event.metadata != proplet.metadata:
            proplet.metadata = event.metadata
            self._cluster.back[proplet.id] = proplet
            self._cluster.touched_proplets[proplet.id] = proplet
            self._cluster.placement.changed(proplet)
        if event.boot and event.metadata is None and not proplet.metadata:
            self._cluster.effects.append(AskHello(proplet.id))
        proplet.slots = event.slots or self._cluster.policy.foreign_slots
        proplet.window = max(proplet.window, proplet.slots) if event.boot else proplet.slots
        proplet.is_alive = True
        proplet.seen = [*proplet.seen[-SIGNS_OF_LIFE_KEPT + 1 :], now]
        self._asleep.pop(proplet.id, None)
        self._awake[proplet.id] = proplet
        self._awake.move_to_end(proplet.id)
        if running is not None:
            self._reconcile(proplet, running, now)
        self._cluster.placement.offer_room(proplet.id)

    def _welcome(self, event: PropletSeen, now: int) -> Proplet:
        name = proplet_name(event.proplet_id)
        proplet = Proplet(
            id=event.proplet_id, name=name, is_local=event.is_local, boot=event.boot, created_at=now
        )
        self._cluster.proplets[proplet.id] = self._cluster.touched_proplets[proplet.id] = proplet
        self._cluster.placement.changed(proplet)
        return proplet

    def _restarted(self, proplet: Proplet, event: PropletSeen, running: dict[str, int], now: int) -> None:
        """Give back what the program before held, but for the ends that it kept and will report."""
        proplet.boot = event.boot
        proplet.window = 1
        self._cluster.touched_proplets[proplet.id] = proplet
        placed = self._tasks_of(proplet)
        lost = [task for task in placed if running.get(task.id) != task.attempt_on(proplet.id)]
        self._lose(proplet, lost, f"proplet {proplet.name} was started anew", now)

    def _reconcile(self, proplet: Proplet, running: dict[str, int], now: int) -> None:
        """Compare what a proplet says it holds with what was placed there: repeat what got lost."""
        cluster = self._cluster
        for task_id, attempt in running.items():
            if cluster.current(proplet.id, task_id, attempt) is None:
                cluster.effects.append(SendStop(proplet.id, task_id, attempt))
        patience_ns = int(cluster.policy.resend_s * 1e9)
        for task_id, sent_at in list(proplet.placed.items()):
            task = cluster.tasks[task_id]
            if running.get(task_id) != task.attempt_on(proplet.id) and now - sent_at >= patience_ns:
                proplet.placed[task_id] = now
                cluster.send_start(task, proplet)

    # -- silence -------------------------------------------------------------------------------------------

    def lost(self, event: PropletLost, now: int) -> None:
        proplet = self._cluster.proplets.get(event.proplet_id)
        if proplet is not None and (not event.boot or event.boot == proplet.boot):
            self._give_up(proplet, event.reason, now)

    def time_passed(self, now: int) -> None:
        policy = self._cluster.policy
        limit_ns = int(policy.liveness_s * 1e9)
        while self._awake:
            proplet = next(iter(self._awake.values()))
            if now - self._last_seen(proplet) <= limit_ns:
                break
            self._give_up(proplet, f"proplet {proplet.name} was silent for {policy.liveness_s:g} s", now)
        forget_ns = int(policy.forget_s * 1e9)
        while self._asleep:
            proplet = next(iter(self._asleep.values()))
            if now - self._last_seen(proplet) <= forget_ns:
                break
            if proplet.is_cordoned:  # somebody services the machine, however long that takes
                del self._asleep[proplet.id]
            else:
                self.forget(proplet)
        self._end_foreign_leases(now)
        self._end_drains(now)

    def _last_seen(self, proplet: Proplet) -> int:
        return proplet.seen[-1] if proplet.seen else max(self._started_at, proplet.created_at)

    def _give_up(self, proplet: Proplet, why: str, now: int) -> None:
        """Take a proplet for dead; from now on any boot of it may be the one that runs.

        A message of an old boot that came late may have been taken for that of a new one.
        """
        proplet.is_alive = False
        self._awake.pop(proplet.id, None)
        self._asleep.setdefault(proplet.id, proplet)
        self._lose(proplet, self._tasks_of(proplet), why, now)

    def _tasks_of(self, proplet: Proplet) -> list[Task]:
        return [self._cluster.tasks[task_id] for task_id in proplet.placed]

    def _lose(self, proplet: Proplet, tasks: list[Task], why: str, now: int) -> None:
        for task in tasks:
            if task.spec.broadcast:
                broadcast.give_up(self._cluster, task, proplet.id, f"lost: {why}", now)
            else:
                self._cluster.lose(task, why, now)

    # -- limits --------------------------------------------------------------------------------------------

    def given_work(self, proplet: Proplet) -> None:
        """Note that a foreign proplet was given a task: it may never hear of it, and would not say so."""
        self._foreign[proplet.id] = proplet

    def _end_foreign_leases(self, now: int) -> None:
        lease_s = self._cluster.policy.foreign_lease_s
        for proplet in list(self._foreign.values()):
            if not proplet.placed:
                del self._foreign[proplet.id]
            overdue = []
            for task_id, placed_at in proplet.placed.items():  # in the order of being placed
                if now - placed_at <= lease_s * 1e9:
                    break
                task = self._cluster.tasks[task_id]
                if not task.is_up and not task.spec.latent:  # of a latent one it says nothing
                    overdue.append(task)
            for task in overdue:
                attempt = task.attempt_on(proplet.id)
                self._cluster.effects.append(SendStop(proplet.id, task.id, attempt, is_ours=False))
            why = f"proplet {proplet.name}, which acknowledges nothing, sent no result within {lease_s:g} s"
            self._lose(proplet, overdue, why, now)

    def cordon(self, proplet: Proplet, *, is_cordoned: bool, drain_by: int = 0) -> None:
        proplet.is_cordoned = is_cordoned
        proplet.drain_by = drain_by
        self._cluster.touched_proplets[proplet.id] = proplet
        if drain_by:
            self._draining[proplet.id] = proplet
        else:
            self._draining.pop(proplet.id, None)
        if not is_cordoned:
            self._cluster.back[proplet.id] = proplet
        self._cluster.placement.offer_room(proplet.id)

    def _end_drains(self, now: int) -> None:
        """Move elsewhere what still runs on proplets whose time to finish is over."""
        for proplet in [proplet for proplet in self._draining.values() if now >= proplet.drain_by]:
            self.cordon(proplet, is_cordoned=True)
            for task in self._tasks_of(proplet):
                attempt = task.attempt_on(proplet.id)
                self._cluster.effects.append(SendStop(proplet.id, task.id, attempt, is_ours=proplet.is_ours))
                why = f"proplet {proplet.name} was drained"
                if task.spec.broadcast:
                    broadcast.give_up(self._cluster, task, proplet.id, why, now)
                else:
                    self._cluster.run_again(task, f"attempt {task.attempt} was moved: {why}", now)
