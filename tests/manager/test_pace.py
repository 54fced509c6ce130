"""What was done in each step of the last hour, also before a restart, and whatever the clock does."""

import asyncio

from tests.builders import a_spec
from tests.manager.helpers import MODULE, WatchedStore, at_site, until

from propeller.core.events import CreateTasks, StartTask, StopTask
from propeller.core.state import ClusterState
from propeller.core.states import COMPLETED, FAILED, INTERRUPTED, RUNNING, SCHEDULED
from propeller.manager.pace import STEP_S, STEPS, Pace
from propeller.manager.present import Present

#: The begin of a step.
NOON = 1_700_000_000 // STEP_S * STEP_S


class Clock:
    def __init__(self, at=NOON):
        self.at = at

    def __call__(self):
        return self.at


def with_pace(directory, work):
    """Run a part with a store and what makes paces that follow a clock and a state."""

    async def run():
        store = WatchedStore(directory)
        try:
            await work(store)
        finally:
            await store.close()

    asyncio.run(run())


async def a_pace(store, clock, state):
    pace = Pace(store, Present(state), clock=clock)
    await pace.load()
    return pace


def did(state, *, started=0, completed=0, running=0):
    state.starts += started
    state.tally[COMPLETED] += completed
    state.tally[RUNNING] = running


def shown(pace):
    """Give the steps in which something is known, by how many seconds after noon they begin."""
    hour = pace.last_hour()
    assert len(hour.steps) == STEPS
    first = hour.end_s - STEPS * STEP_S
    for number, step in enumerate(hour.steps):
        assert step is None or step.step * STEP_S == first + number * STEP_S
    return {
        first + number * STEP_S - NOON: (step.started, step.completed, step.running)
        for number, step in enumerate(hour.steps)
        if step is not None
    }


def test_each_step_has_what_was_done_in_it(tmp_path):
    async def work(store):
        clock, state = Clock(), ClusterState()
        pace = await a_pace(store, clock, state)
        assert pace.last_hour().end_s == NOON
        did(state, started=3, completed=2, running=1)
        clock.at += STEP_S - 0.001
        await pace.look()
        assert shown(pace) == {}, "the step is not over"
        clock.at += 0.001
        await pace.look()
        assert pace.last_hour().end_s == NOON + STEP_S
        clock.at += STEP_S
        await pace.look()
        did(state, completed=1)
        clock.at += STEP_S
        await pace.look()
        assert shown(pace) == {0: (3, 2, 1), 10: (0, 0, 1), 20: (0, 1, 1)}, "at first one ran in the last"

    with_pace(tmp_path, work)


def test_the_next_manager_shows_what_the_last_one_did_and_when_there_was_none(tmp_path):
    async def work(store):
        clock, state = Clock(), ClusterState()
        pace = await a_pace(store, clock, state)
        did(state, started=5, completed=4, running=1)
        clock.at += STEP_S
        await pace.look()
        did(state, completed=1)
        clock.at += 4
        await pace.end()
        clock.at += 3  # in the same step
        state = ClusterState()
        pace = await a_pace(store, clock, state)
        did(state, started=1, running=1)
        clock.at += STEP_S
        await pace.look()
        assert shown(pace) == {0: (5, 4, 1), 10: (1, 1, 1)}
        await pace.end()
        clock.at += 60
        pace = await a_pace(store, clock, ClusterState())
        clock.at += STEP_S
        await pace.look()
        assert shown(pace) == {0: (5, 4, 1), 10: (1, 1, 1), 20: (0, 0, 1), 80: (0, 0, 0)}

    with_pace(tmp_path, work)


def test_a_clock_that_is_set_forward_leaves_a_gap(tmp_path):
    async def work(store):
        clock, state = Clock(), ClusterState()
        pace = await a_pace(store, clock, state)
        did(state, started=1)
        clock.at += 600
        await pace.look()
        did(state, started=2)
        clock.at += STEP_S
        await pace.look()
        assert shown(pace) == {0: (1, 0, 0), 600: (2, 0, 0)}
        clock.at += 30 * 24 * 3600
        await pace.look()
        assert shown(pace) == {}
        assert len(pace.last_hour().steps) == STEPS

    with_pace(tmp_path, work)


def test_a_clock_that_is_set_back_shows_nothing_that_is_yet_to_come(tmp_path):
    async def work(store):
        clock, state = Clock(), ClusterState()
        pace = await a_pace(store, clock, state)
        for _ in range(6):
            did(state, started=1)
            clock.at += STEP_S
            await pace.look()
        did(state, started=7)
        clock.at -= 35  # from noon and a minute
        await pace.look()
        at_once = {0: (1, 0, 0), 10: (8, 0, 0)}
        assert shown(pace) == at_once
        await pace.end()
        again = await a_pace(store, clock, ClusterState())
        assert shown(again) == at_once
        clock.at = NOON - 24 * 3600
        assert shown(await a_pace(store, clock, ClusterState())) == {}, "it was set while no manager ran"
        clock.at = NOON + 300
        again = await a_pace(store, clock, ClusterState())
        assert shown(again) == {**at_once, 20: (0, 0, 0)}, "what was to come never came"

    with_pace(tmp_path, work)


def test_only_so_much_is_kept(tmp_path):
    async def work(store):
        clock = Clock()
        pace = await a_pace(store, clock, ClusterState())
        for number in range(3 * STEPS):
            clock.at += STEP_S
            await pace.look()
            if number % 50 == 0:
                await pace.end()
        await pace.end()
        assert len(shown(pace)) == STEPS
        kept = await store.pace()
        assert STEPS < len(kept) <= 2 * STEPS
        assert kept[-1].step == clock.at // STEP_S

    with_pace(tmp_path, work)


def test_a_step_is_put_down_when_it_is_over(tmp_path):
    async def work(store):
        clock, state = Clock(NOON + STEP_S - 0.01), ClusterState()
        pace = await a_pace(store, clock, state)
        running = asyncio.create_task(pace.run())
        await asyncio.sleep(0)  # it has looked at the clock
        clock.at = NOON + 2 * STEP_S - 0.01  # and by then it stands there
        did(state, started=1)
        await until(lambda: pace.last_hour().end_s > NOON)
        running.cancel()
        assert shown(pace) == {0: (1, 0, 0)}

    with_pace(tmp_path, work)


def test_the_engine_counts_what_is_done(tmp_path):
    async def work(site):
        site.bring_proplet(slots=4)
        site.fleet.is_quick = False
        names = ("done", "bad", "stopped", "goes-on")
        specs = tuple(a_spec(name, module=MODULE) for name in names)
        await site.manager.ask(
            CreateTasks(specs=(*specs, a_spec("waits", module=MODULE, pin="none"))), {MODULE: b"m"}
        )
        for name in (*names, "waits"):
            await site.manager.ask(StartTask(name))
        starts = {start.spec.id: start for start in site.fleet.starts}
        site.fleet.end(starts["done"])
        site.fleet.end(starts["bad"], error="it trapped")
        await site.manager.ask(StopTask("stopped"))
        await site.reached(COMPLETED, "done")
        await site.reached(FAILED, "bad")
        await site.reached(INTERRUPTED, "stopped")
        await site.manager.ask(StartTask("done"))  # an end that a task leaves again was an end
        await site.reached(SCHEDULED, "waits")
        await site.manager.stop()
        steps = await site.store.pace()
        return [sum(step[column] for step in steps) for column in range(1, 5)], steps[-1][5:]

    # Four ran at once, which is what counts, though two of them run in the end.
    assert at_site(tmp_path, work) == ([5, 1, 1, 1], (1, 4))


def test_a_store_that_fails_ends_no_manager_for_this(tmp_path):
    async def work(store):
        clock = Clock()
        pace = await a_pace(store, clock, ClusterState())

        async def broken(steps, kept):
            raise OSError("the disk is full")

        store.write_pace = broken
        clock.at += STEP_S
        await pace.look()
        await pace.end()
        assert list(shown(pace)) == [0]

    with_pace(tmp_path, work)
