"""Who is alive: signs of life and their absence, boots, drains, and what is then done with their work.

Nothing here looks at all proplets. Those that were heard of stand in the order of their last sign of life,
so that silence is found at the front. Times here are those of the monotonic clock (``Cluster.ticks``).
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from propeller.core import broadcast
from propeller.core.effects import AskHello, Refused, SendStop
from propeller.core.model import Proplet, Task
from propeller.core.names import proplet_name
from propeller.core.silence import Silence

if TYPE_CHECKING:
    from collections.abc import Iterable

    from propeller.core.cluster import Cluster
    from propeller.core.events import PropletLost, PropletOffline, PropletSeen

SIGNS_OF_LIFE_KEPT = 10
#: A start that was repeated so often to no effect is taken for lost.
REPEATS_MAX = 12


class Watch:
    """The fleet as far as it was heard of."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        #: Alive, or holding work of which we don't know yet.
        self._local, self._remote = Silence(), Silence()
        #: The others, and since when; the one that fell silent first at the front.
        self._asleep: OrderedDict[str, tuple[Proplet, int]] = OrderedDict()
        #: Proplets that are drained, and when what still runs there is moved elsewhere.
        self._draining: dict[str, tuple[Proplet, int]] = {}

    def adopt(self, proplets: Iterable[Proplet]) -> None:
        """Take in what the store knows; whether they live, they must show once the manager has started."""
        for proplet in proplets:
            self._cluster.proplets[proplet.id] = proplet
            self._cluster.placement.changed(proplet)

    def manager_started(self, now: int) -> None:
        """Give back the work of local proplets: they ended with the manager before."""
        for proplet in self._cluster.proplets.values():
            self._silence_of(proplet).heard(proplet, self._cluster.ticks)
            self._cluster.foreign.manager_started(proplet, now)
            if proplet.drain_by:
                self._draining[proplet.id] = proplet, self._cluster.ticks + max(proplet.drain_by - now, 0)
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
        self._silence_of(proplet).forget(proplet.id)
        for known in (self._asleep, self._draining, self._cluster.back):
            known.pop(proplet.id, None)
        self._cluster.placement.changed(proplet)
        self._cluster.touched_proplets.pop(proplet.id, None)
        self._cluster.deleted_proplets[proplet.id] = proplet

    def remote_clock(self) -> int:
        """Tell for how long remote proplets could be heard, all in all."""
        return self._remote.clock(self._cluster.ticks)

    def may_judge_remote(self) -> bool:
        return self._remote.may_judge(self._cluster.ticks)

    def _silence_of(self, proplet: Proplet) -> Silence:
        return self._local if proplet.is_local else self._remote

    # -- hearing -------------------------------------------------------------------------------------------

    def paused(self, paused_ns: int) -> None:
        """The manager stood still: nobody's silence meanwhile says anything."""
        for silence in (self._local, self._remote):
            silence.paused(paused_ns, self._cluster.ticks)

    def connection_lost(self, unheard_ns: int) -> None:
        """Nothing can be heard of remote proplets, and could not be for so long already."""
        self._remote.deafened(self._cluster.ticks - unheard_ns)

    def connection_restored(self) -> None:
        self._remote.hears_again(self._cluster.ticks)

    # -- signs of life -------------------------------------------------------------------------------------

    def seen(self, event: PropletSeen, now: int) -> None:
        proplet = self._cluster.proplets.get(event.proplet_id)
        if proplet is None and self._is_one_too_many(event):
            reason = (
                f"{self._cluster.policy.foreign_max} proplets that only know the contract are known already"
            )
            self._cluster.effects.append(Refused(event.proplet_id, "", reason))
            return
        proplet = proplet or self._welcome(event, now)
        if proplet.is_local != event.is_local:
            reason = "another proplet, beside the manager or not, has this id already"
            self._cluster.effects.append(Refused(event.proplet_id, "", reason))
            return
        silence = self._silence_of(proplet)
        if proplet.id in silence and event.boot < proplet.boot:
            return  # a message of a program that has been replaced since
        # A foreign proplet says hello before it listens: only its next word shows that it does.
        is_listening = bool(event.boot) or not event.is_hello
        if is_listening and (not proplet.is_alive or event.boot != proplet.boot):
            self._cluster.back[proplet.id] = proplet
        running = None if event.running is None else dict(event.running)
        if event.boot != proplet.boot or (event.is_hello and not event.boot and proplet.placed):
            self._restarted(proplet, event, running or {}, now)
        if event.metadata is not None and event.metadata != proplet.metadata:
            proplet.metadata = event.metadata
            if is_listening:
                self._cluster.back[proplet.id] = proplet
            self._cluster.touched_proplets[proplet.id] = proplet
            self._cluster.placement.changed(proplet)
        if event.boot and event.metadata is None and not proplet.metadata:
            self._cluster.effects.append(AskHello(proplet.id))
        proplet.slots = event.slots or self._cluster.policy.foreign_slots
        proplet.window = max(proplet.window, proplet.slots) if event.boot else proplet.slots
        proplet.is_alive = is_listening
        proplet.seen = [*proplet.seen[-SIGNS_OF_LIFE_KEPT + 1 :], now]
        self._asleep.pop(proplet.id, None)
        silence.heard(proplet, self._cluster.ticks)
        if running is not None:
            self._reconcile(proplet, running, now)
        self._cluster.placement.offer_room(proplet.id)

    def _is_one_too_many(self, event: PropletSeen) -> bool:
        known, most = self._cluster.proplets, self._cluster.policy.foreign_max
        if event.boot or len(known) < most:
            return False
        return sum(not proplet.is_ours for proplet in known.values()) >= most

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
        resend_ns = int(cluster.policy.resend_s * 1e9)
        for task_id, sent_at in list(proplet.placed.items()):
            task = cluster.tasks[task_id]
            if running.get(task_id) == task.attempt_on(proplet.id):
                proplet.repeats.pop(task_id, None)
            elif cluster.ticks - sent_at >= resend_ns:
                self._send_again(proplet, task, now)

    def _send_again(self, proplet: Proplet, task: Task, now: int) -> None:
        """Repeat a start that a proplet says nothing of; but not for ever, for it should answer."""
        cluster = self._cluster
        repeats = proplet.repeats[task.id] = proplet.repeats.get(task.id, 0) + 1
        if repeats > REPEATS_MAX:
            why = f"proplet {proplet.name} was told {repeats} times to run it, and says nothing of it"
            cluster.effects.append(SendStop(proplet.id, task.id, task.attempt_on(proplet.id)))
            cluster.lose_on(proplet, task, why, now)
        else:
            proplet.placed[task.id] = cluster.ticks
            cluster.send_start(task, proplet)

    # -- silence -------------------------------------------------------------------------------------------

    def lost(self, event: PropletLost, now: int) -> None:
        """Take in that a proplet's program has ended for sure."""
        proplet = self._cluster.proplets.get(event.proplet_id)
        if proplet is not None and (not event.boot or event.boot == proplet.boot):
            self._give_up(proplet, event.reason, now)

    def offline(self, event: PropletOffline) -> None:
        """Give no work to a proplet that said good-bye, or of which the broker says so.

        The broker says it whenever a connection breaks, also when it is the broker that ends. So what the
        proplet holds waits for a moment: it may be back with all of it.
        """
        proplet = self._cluster.proplets.get(event.proplet_id)
        if proplet is None or (event.boot and event.boot != proplet.boot):
            return
        silence = self._silence_of(proplet)
        if proplet.id in silence:
            proplet.is_alive = False
            silence.suspect(proplet, self._cluster.ticks)

    def time_passed(self, now: int) -> None:
        for silence in (self._local, self._remote):
            self._end_leases(silence, now)
        self._forget_the_old()
        self._cluster.foreign.time_passed(now)
        self._end_drains(now)

    def _end_leases(self, silence: Silence, now: int) -> None:
        policy, ticks = self._cluster.policy, self._cluster.ticks
        offline_ns = int(min(policy.offline_s, policy.liveness_s) * 1e9)
        while (proplet := silence.overdue_suspect(ticks, offline_ns)) is not None:
            self._give_up(proplet, f"proplet {proplet.name} went offline", now)
        while (proplet := silence.overdue(ticks, int(policy.liveness_s * 1e9))) is not None:
            self._give_up(proplet, f"proplet {proplet.name} was silent for {policy.liveness_s:g} s", now)

    def _forget_the_old(self) -> None:
        forget_ns = int(self._cluster.policy.forget_s * 1e9)
        while self._asleep:
            proplet, since = next(iter(self._asleep.values()))
            if self._cluster.ticks - since <= forget_ns:
                break
            if proplet.is_cordoned:  # somebody services the machine, however long that takes
                del self._asleep[proplet.id]
            else:
                self.forget(proplet)

    def _give_up(self, proplet: Proplet, why: str, now: int) -> None:
        """Take a proplet for dead; from now on any boot of it may be the one that runs.

        A message of an old boot that came late may have been taken for that of a new one.
        """
        proplet.is_alive = False
        self._silence_of(proplet).forget(proplet.id)
        self._asleep.setdefault(proplet.id, (proplet, self._cluster.ticks))
        self._lose(proplet, self._tasks_of(proplet), why, now)

    def _tasks_of(self, proplet: Proplet) -> list[Task]:
        return [self._cluster.tasks[task_id] for task_id in proplet.placed]

    def _lose(self, proplet: Proplet, tasks: list[Task], why: str, now: int) -> None:
        for task in tasks:
            self._cluster.lose_on(proplet, task, why, now)

    # -- out of service ------------------------------------------------------------------------------------

    def cordon(self, proplet: Proplet, *, is_cordoned: bool) -> None:
        """Give a proplet no new work, or some again; a drain is over with either."""
        proplet.is_cordoned = is_cordoned
        proplet.drain_by = 0
        self._draining.pop(proplet.id, None)
        self._cluster.touched_proplets[proplet.id] = proplet
        if not is_cordoned:
            self._cluster.back[proplet.id] = proplet
        self._cluster.placement.offer_room(proplet.id)

    def drain(self, proplet: Proplet, timeout_s: float | None, now: int) -> None:
        """Cordon a proplet; what still runs there after the timeout is moved elsewhere."""
        self.cordon(proplet, is_cordoned=True)
        if timeout_s is not None:
            timeout_ns = int(timeout_s * 1e9)
            proplet.drain_by = now + timeout_ns
            self._draining[proplet.id] = proplet, self._cluster.ticks + timeout_ns

    def _end_drains(self, now: int) -> None:
        """Move elsewhere what still runs on proplets whose time to finish is over."""
        ticks = self._cluster.ticks
        for proplet in [proplet for proplet, until in self._draining.values() if ticks >= until]:
            self.cordon(proplet, is_cordoned=True)
            for task in self._tasks_of(proplet):
                attempt = task.attempt_on(proplet.id)
                self._cluster.effects.append(SendStop(proplet.id, task.id, attempt, is_ours=proplet.is_ours))
                why = f"proplet {proplet.name} was drained"
                if task.spec.broadcast:
                    broadcast.give_up(self._cluster, task, proplet.id, why, now)
                else:
                    self._cluster.run_again(task, f"attempt {task.attempt} was moved: {why}", now)
