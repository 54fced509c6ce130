"""Liveness of proplets: signs of life, silence, new boots, and what happens to the work of a lost proplet.

No rule here looks at all proplets: they are kept in the order of their last sign of life, so the silent ones
are at the front. Times are those of the monotonic clock (``ClusterState.ticks``).
"""

from propeller.core import attempts, broadcast, causes, inputs, losses
from propeller.core.effects import AskHello, Refused, SendStop
from propeller.core.events import PropletLost, PropletOffline, PropletSeen
from propeller.core.failures import ErrorKind, Failure
from propeller.core.model import Proplet, Task
from propeller.core.names import proplet_name
from propeller.core.reasons import AttemptLost
from propeller.core.silence import Silence
from propeller.core.state import ClusterState

SIGNS_OF_LIFE_KEPT = 10
#: How often a start is repeated without effect before the attempt counts as lost.
REPEATS_MAX = 12


def manager_started(state: ClusterState, now: int) -> None:
    """Wait for signs of life, and take back the work of local proplets.

    These ended with the previous manager.
    """
    for proplet in state.proplets.values():
        state.silence_of(proplet).heard(proplet, state.ticks)
    how = "the manager was started anew"
    for proplet in state.proplets.values():
        for task in state.tasks_on(proplet) if proplet.is_local else ():
            losses.take_back(state, proplet, task, AttemptLost(task.attempt, how), now)


# -- hearing -----------------------------------------------------------------------------------------------


def paused(state: ClusterState, paused_ns: int) -> None:
    """Take in that the manager stood still: the silence of proplets during that time means nothing."""
    for silence in (state.local, state.remote):
        silence.paused(paused_ns, state.ticks)


def connection_lost(state: ClusterState, unheard_ns: int) -> None:
    """Take in that remote proplets can't be heard, and could not for ``unheard_ns`` already."""
    state.remote.deafened(state.ticks - unheard_ns)


def connection_restored(state: ClusterState) -> None:
    state.remote.hears_again(state.ticks)


# -- signs of life -----------------------------------------------------------------------------------------


def seen(state: ClusterState, event: PropletSeen, now: int) -> None:
    """Take in a sign of life, and what the proplet says with it."""
    proplet = state.proplets.get(event.proplet_id)
    if proplet is None and _is_one_too_many(state, event):
        reason = f"{state.policy.foreign_max} proplets that only know the contract are known already"
        state.turn.effects.append(Refused(event.proplet_id, "", reason))
        return
    proplet = proplet or _welcome(state, event, now)
    if proplet.is_local != event.is_local:
        reason = "another proplet, beside the manager or not, has this id already"
        state.turn.effects.append(Refused(event.proplet_id, "", reason))
        return
    silence = state.silence_of(proplet)
    if proplet.id in silence and event.boot < proplet.boot:
        return  # a late message of an earlier boot
    # A foreign proplet says hello before it listens: only its next message shows that it does.
    is_listening = bool(event.boot) or not event.is_hello
    if is_listening and (not proplet.is_alive or event.boot != proplet.boot):
        state.consequences.back[proplet.id] = proplet
    running = None if event.running is None else dict(event.running)
    if event.boot != proplet.boot or (event.is_hello and not event.boot and proplet.placed):
        _restarted(state, proplet, event, running or {}, now)
    if event.metadata is not None and event.metadata != proplet.metadata:
        proplet.metadata = event.metadata
        if is_listening:
            state.consequences.back[proplet.id] = proplet
        state.turn.proplets[proplet.id] = proplet
        state.placement.changed(proplet)
    if event.boot and event.metadata is None and not proplet.metadata:
        state.turn.effects.append(AskHello(proplet.id))
    proplet.slots = event.slots or state.policy.foreign_slots
    proplet.window = max(proplet.window, proplet.slots) if event.boot else proplet.slots
    proplet.is_alive = is_listening
    proplet.seen = [*proplet.seen[-SIGNS_OF_LIFE_KEPT + 1 :], now]
    state.asleep.pop(proplet.id, None)
    silence.heard(proplet, state.ticks)
    if running is not None:
        _reconcile(state, proplet, running, now)
    state.placement.offer_room(proplet.id)


def _is_one_too_many(state: ClusterState, event: PropletSeen) -> bool:
    known, most = state.proplets, state.policy.foreign_max
    if event.boot or len(known) < most:
        return False
    return sum(not proplet.is_native for proplet in known.values()) >= most


def _welcome(state: ClusterState, event: PropletSeen, now: int) -> Proplet:
    name = proplet_name(event.proplet_id)
    proplet = Proplet(
        id=event.proplet_id, name=name, is_local=event.is_local, boot=event.boot, created_at=now
    )
    state.add_proplet(proplet)
    state.turn.proplets[proplet.id] = proplet
    return proplet


def _restarted(
    state: ClusterState, proplet: Proplet, event: PropletSeen, running: dict[str, int], now: int
) -> None:
    """Take back the tasks of the previous boot, except those whose ends it kept and will report."""
    proplet.boot = event.boot
    proplet.window = 1
    state.turn.proplets[proplet.id] = proplet
    placed = state.tasks_on(proplet)
    lost = [task for task in placed if running.get(task.id) != task.attempt_on(proplet.id)]
    _lose(state, proplet, lost, f"proplet {proplet.name} was started anew", now)


def _reconcile(state: ClusterState, proplet: Proplet, running: dict[str, int], now: int) -> None:
    """Compare the runs that a proplet names with the tasks placed there; repeat what got lost."""
    for task_id, attempt in running.items():
        if state.current(proplet.id, task_id, attempt) is None:
            state.turn.effects.append(SendStop(proplet.id, task_id, attempt))
    resend_ns = int(state.policy.resend_s * 1e9)
    for task_id, sent_at in list(proplet.placed.items()):
        task = state.tasks[task_id]
        if running.get(task_id) == task.attempt_on(proplet.id):
            proplet.repeats.pop(task_id, None)
        elif state.ticks - sent_at >= resend_ns:
            _send_again(state, proplet, task, now)


def _send_again(state: ClusterState, proplet: Proplet, task: Task, now: int) -> None:
    """Repeat the start of a task that a proplet does not name, up to a limit.

    If a result of a parent is gone that the start had, a broadcast task fails on this proplet; any other is
    taken back, and fails when it is placed.
    """
    state.cause = causes.by_loss_of(proplet.id)
    repeats = proplet.repeats[task.id] = proplet.repeats.get(task.id, 0) + 1
    given = inputs.given(task)
    if isinstance(given, Failure):
        attempts.send_stop(state, task, proplet.id)
        if task.spec.broadcast:
            broadcast.fail_there(state, task, proplet, given, now)
        else:
            attempts.run_again(state, task, AttemptLost(task.attempt, given.error), now)
    elif repeats > REPEATS_MAX:
        why = f"proplet {proplet.name} was told {repeats} times to run it, and says nothing of it"
        attempts.send_stop(state, task, proplet.id)
        losses.lose_there(state, proplet, task, why, now, kind=ErrorKind.DISPATCH)
    else:
        proplet.placed[task.id] = state.ticks
        attempts.send_start(state, task, proplet, given)


# -- silence -----------------------------------------------------------------------------------------------


def lost(state: ClusterState, event: PropletLost, now: int) -> None:
    """Take in that a proplet's program has ended for certain."""
    proplet = state.proplets.get(event.proplet_id)
    if proplet is not None and (not event.boot or event.boot == proplet.boot):
        _give_up(state, proplet, event.reason, now)


def offline(state: ClusterState, event: PropletOffline) -> None:
    """Give no work to a proplet that said good-bye, or whose will the broker has sent.

    The broker sends a will whenever a connection breaks, even when the broker itself ends. So the proplet
    keeps its tasks for a moment: it may come back with all of them.
    """
    proplet = state.proplets.get(event.proplet_id)
    if proplet is None or (event.boot and event.boot != proplet.boot):
        return
    silence = state.silence_of(proplet)
    if proplet.id in silence:
        proplet.is_alive = False
        silence.suspect(proplet, state.ticks)


def time_passed(state: ClusterState, now: int) -> None:
    """Give up proplets that were silent for too long, and forget those that were given up long ago."""
    for silence in (state.local, state.remote):
        _give_up_silent(state, silence, now)
    _forget_the_old(state)


def _give_up_silent(state: ClusterState, silence: Silence, now: int) -> None:
    policy, ticks = state.policy, state.ticks
    offline_ns = int(min(policy.offline_s, policy.liveness_s) * 1e9)
    while (proplet := silence.overdue_suspect(ticks, offline_ns)) is not None:
        _give_up(state, proplet, f"proplet {proplet.name} went offline", now)
    while (proplet := silence.overdue(ticks, int(policy.liveness_s * 1e9))) is not None:
        _give_up(state, proplet, f"proplet {proplet.name} was silent for {policy.liveness_s:g} s", now)


def _forget_the_old(state: ClusterState) -> None:
    forget_ns = int(state.policy.forget_s * 1e9)
    while state.asleep:
        proplet, since = next(iter(state.asleep.values()))
        if state.ticks - since <= forget_ns:
            break
        if proplet.is_cordoned:  # its machine is serviced, however long that takes
            del state.asleep[proplet.id]
        else:
            state.forget_proplet(proplet)


def _give_up(state: ClusterState, proplet: Proplet, why: str, now: int) -> None:
    """Count a proplet as dead; from now on a message of any boot shows that it is alive.

    Otherwise a late message of an old boot, once taken for that of a new one, would shut it out.
    """
    proplet.is_alive = False
    state.silence_of(proplet).forget(proplet.id)
    state.asleep.setdefault(proplet.id, (proplet, state.ticks))
    _lose(state, proplet, state.tasks_on(proplet), why, now)


def _lose(state: ClusterState, proplet: Proplet, tasks: list[Task], why: str, now: int) -> None:
    state.cause = causes.by_loss_of(proplet.id)
    for task in tasks:
        losses.lose(state, proplet, task, why, now)
