"""The simulation sees faults as schedulers really have them: off by one, one wake-up too few, one write too late."""

from msgspec.structs import replace

from propeller.core import drains, reports, retries
from propeller.core.effects import SendAck
from propeller.core.placement import Placement
from propeller.core.state import ClusterState
from propeller.core.timers import TimerOf, Timers
from propeller.manager.engine import Commit

from . import disks
from .faults import assert_caught, spoil
from .manager import SimulatedManager
from .store import SimulatedStore
from .world import S

# -- counting ------------------------------------------------------------------------------------------------


def test_a_task_is_tried_once_more_than_it_may_be(monkeypatch):
    def generous(real, state, task, *rest):
        spec = task.spec
        task.spec = replace(spec, retry=replace(spec.retry, max_attempts=spec.retry.max_attempts + 1))
        try:
            return real(state, task, *rest)
        finally:
            task.spec = spec

    spoil(monkeypatch, retries, "attempt_failed", generous)
    assert_caught("tries", "invariants")


def test_the_wait_for_a_proplet_ends_too_soon(monkeypatch):
    real = Timers.set

    def early(timers, kind, owner_id, at):
        real(timers, kind, owner_id, at - 2 * S if kind is TimerOf.QUEUE else at)

    monkeypatch.setattr(Timers, "set", early)
    assert_caught("queue-time")


def test_a_new_manager_numbers_events_from_the_start():
    class Fresh(ClusterState):
        def adopt_proplets(self, proplets):
            super().adopt_proplets(proplets)
            self.last_event_id = 0

    assert_caught("store", "replay", state_class=Fresh)


# -- wake-ups ------------------------------------------------------------------------------------------------


def test_the_room_of_a_task_that_ended_is_offered_to_nobody(monkeypatch):
    def quiet(found, task, proplet_id):
        proplet = found.proplets.get(proplet_id)
        if proplet is not None and proplet.placed.pop(task.id, None) is not None:
            proplet.residents.discard(task.id)
            proplet.repeats.pop(task.id, None)

    monkeypatch.setattr(Placement, "freed", quiet)
    assert_caught("invariants", "ends")


def test_a_proplet_that_is_back_in_service_is_offered_to_nobody(monkeypatch):
    def quiet(real, state, proplet, *, is_cordoned):
        offer, state.placement.offer_room = state.placement.offer_room, lambda _: None
        real(state, proplet, is_cordoned=is_cordoned)
        state.placement.offer_room = offer

    real = drains.cordon
    monkeypatch.setattr(drains, "cordon", lambda *args, **names: quiet(real, *args, **names))
    assert_caught("invariants", "ends")


def test_what_waits_for_a_proplet_is_forgotten_when_that_is_cordoned(monkeypatch):
    real = drains.cordon

    def forgetful(state, proplet, *, is_cordoned):
        real(state, proplet, is_cordoned=is_cordoned)
        for task in state.placement.waiting() if is_cordoned else ():
            if task.spec.pin == proplet.id:
                state.placement.wait_no_more(task)

    monkeypatch.setattr(drains, "cordon", forgetful)
    assert_caught("invariants", "ends", "replay", "room")


# -- acknowledgements ----------------------------------------------------------------------------------------


def test_an_end_is_acknowledged_a_turn_before_it_is_taken_in(monkeypatch):
    waiting = {}

    def later(real, state, event, now):
        before = waiting.pop(id(state), None)
        waiting[id(state)] = event
        if event.attempt:
            state.turn.effects.append(SendAck(event.proplet_id, event.task_id, event.attempt))
        if before is not None:
            real(state, before, now)

    spoil(monkeypatch, reports, "ended", later)
    assert_caught("commit-first", "causes")


# -- what is kept ----------------------------------------------------------------------------------------------


def test_a_crash_leaves_a_part_of_a_commit():
    class Torn(SimulatedStore):
        def cut_off(self, changes):
            """Write the tasks, and not what belongs to them."""
            super().commit(replace(changes, transitions=[], groups=[], executions=[], proplets=[]))

    assert_caught("store", "counts", "durable", "replay", "invariants", "transitions", store_class=Torn)


def test_a_commit_that_failed_is_taken_for_done(monkeypatch):
    real = SimulatedManager._finish

    def careless(manager, step):
        if isinstance(step, Commit) and manager.disk.is_full:
            manager._committing = None
            manager._advance(None)
        else:
            real(manager, step)

    monkeypatch.setattr(SimulatedManager, "_finish", careless)
    assert_caught("commit-first", "replay", "durable", "store")


def test_a_power_cut_takes_what_was_written_through(monkeypatch):
    """Of a store that says that it waits for its disk."""

    def lying(disk):
        disk._store.restore(disk._synced)
        return False

    monkeypatch.setattr(disks, "IS_NORMAL", 1.0)
    monkeypatch.setattr(disks.StoreDisk, "lose_power", lying)
    assert_caught("durable")


def test_a_module_is_deleted_with_the_first_of_its_tasks():
    class Hasty(SimulatedStore):
        def commit(self, changes):
            super().commit(changes)
            for task in changes.deleted:
                if task.spec.module is not None:
                    self.modules.discard(task.spec.module.digest)

    assert_caught("modules", store_class=Hasty)


def test_a_task_is_found_as_it_was_before_it_was_deleted_and_made_anew():
    class Cached(SimulatedStore):
        """Keeps what it has found by id, and does not hear of deletes."""

        def find(self, task_ids, group_ids, keys=()):
            found = super().find(task_ids, group_ids, keys)
            cache = self.__dict__.setdefault("cache", {})
            for task in found[1]:
                task.spec = cache.setdefault(task.spec.id, task.spec)
            return found

    assert_caught("ended-stays", "replay", "invariants", "commit-first", store_class=Cached)


# -- clocks --------------------------------------------------------------------------------------------------


def test_the_times_of_a_proplet_are_taken_as_they_are(monkeypatch):
    def trusting(_real, task, event, now):
        return event.started_at or task.placed_at, event.finished_at or now

    spoil(monkeypatch, reports, "own_times", trusting)
    assert_caught("run-times")


def test_what_waits_is_placed_where_it_does_not_fit_any_more(monkeypatch):
    """A cache of the proplets that fit outlives a change of their tags."""
    real = Placement.changed

    def stale(found, proplet):
        fit = dict(found._fit)
        real(found, proplet)
        found._fit.update(fit)

    monkeypatch.setattr(Placement, "changed", stale)
    assert_caught("invariants", "ends", "everywhere", "replay", "tags")
