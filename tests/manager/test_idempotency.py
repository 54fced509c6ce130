"""Commands under idempotency keys: against a model through crashes and days, and through a real manager."""

import asyncio
import copy
import itertools
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.manager.helpers import MODULE, at_site
from tests.simulation.manager import POLICY, load
from tests.simulation.store import SimulatedStore

from propeller.core.cluster import Cluster
from propeller.core.events import (
    CreateTasks,
    DeleteTask,
    ManagerStarted,
    NewGroup,
    StartTask,
    StopTask,
    UpdateTask,
)
from propeller.core.idempotency import Key, Remembered
from propeller.core.model import GroupKind, Spec
from propeller.core.state import ClusterState
from propeller.core.states import PENDING, TaskState
from propeller.core.times import Moment
from propeller.errors import Conflict, Invalid, KeyReused, NotFound, PropellerError
from propeller.manager.engine import Answer, Ask, Commit, Load, turn
from propeller.store.port import TaskFilter

HOUR = 3600 * 10**9
DAY = 24 * HOUR


# -- against a model -----------------------------------------------------------------------------------------


class Request(NamedTuple):
    """A request as a client sends it, again and again under the same key."""

    key: str
    #: What it asks for: a number of new tasks, or to start or stop the first task of all.
    wanted: int | str


REQUESTS = st.builds(
    Request,
    key=st.sampled_from(["", "k1", "k2", "k3"]),
    wanted=st.sampled_from([0, 1, 2, 3, "start", "stop"]),
)
#: The requests that arrive together, how long after those before, and after how many halves of steps the
#: manager ends.
TURNS = st.lists(
    st.tuples(
        st.lists(REQUESTS, min_size=1, max_size=4),
        st.sampled_from([0, 0, HOUR, 13 * HOUR, DAY]),
        st.none() | st.integers(0, 12),
    ),
    max_size=12,
)


class Model:
    """What has to come of requests, in words of its own."""

    def __init__(self):
        #: The names of tasks, in the order of their creation.
        self.tasks = []
        self.first_is_live = False
        #: What each key stands for, since when, and the numbers of the tasks.
        self.keys = {}

        self._began_with = 0

    def after(self, requests, now):
        """Give what these requests, which arrive together, make of it, and the answers."""
        after = copy.deepcopy(self)
        after._began_with = len(after.tasks)
        return after, [after._take(request, now) for request in requests]

    def _take(self, request, now):
        """Give the names of the tasks in the answer, or the kind of the refusal."""
        known = self.keys.get(request.key)
        if known is not None and now < known[1] + DAY:
            return known[2] if known[0] == request.wanted else KeyReused
        done = self._do(request.wanted)
        if request.key and isinstance(done, list):
            self.keys[request.key] = (request.wanted, now, done)
        return done

    def _do(self, wanted):
        if isinstance(wanted, int):
            if wanted == 0:
                return Invalid  # it depends on a task that is not there
            new = [f"task {len(self.tasks) + number}" for number in range(wanted)]
            self.tasks += new
            return new
        if not self._began_with:
            return NotFound
        if wanted == "start" and self.first_is_live:
            return Conflict
        self.first_is_live = wanted == "start"
        return []


class Driven:
    """The engine on a store, one turn after another; what is lost in a crash is lost."""

    def __init__(self):
        self.store = SimulatedStore()
        self._ids = 0
        self._start()

    def _start(self):
        self._cluster = Cluster(load(self.store, ClusterState(POLICY)))
        self._first = [ManagerStarted()]

    def turn(self, requests, now, ends_after):
        """Give the answers that came, by the place of the request, and whether there was a commit."""
        asks = [self._ask(request, number) for number, request in enumerate(requests)]
        steps = turn(self._cluster, [*self._first, *asks], Moment(now, now))
        self._first = []
        answers, was_committed, halves, reply = {}, False, 0, None
        while True:
            try:
                step, reply = steps.send(reply), None
            except StopIteration:
                return answers, was_committed
            if halves == ends_after:
                break
            match step:
                case Load(task_ids, group_ids, keys):
                    reply = self.store.find(task_ids, group_ids, keys)
                case Commit(changes):
                    self.store.commit(changes)
                    was_committed = True
                case Answer(ask, outcome):
                    answers[ask.ticket] = self._seen(outcome)
            if halves + 1 == ends_after:
                break
            halves += 2
        self._start()
        return answers, was_committed

    def _ask(self, request, number):
        key = Key(request.key, f"{request.wanted}".encode()) if request.key else None
        return Ask(self._command(request.wanted), {}, number, key)

    def _command(self, wanted):
        """Make a command as the API does: with new ids each time."""
        first = min(self.store.ids, key=self.store.ids.get, default="none")
        if wanted == "start":
            return StartTask(first)
        if wanted == "stop":
            return StopTask(first)
        self._ids += 1
        if wanted == 0:
            spec = Spec(id=f"x{self._ids}", name="f", workflow_id=f"w{self._ids}", depends_on=("nobody",))
            return CreateTasks(specs=(spec,))
        names = [f"t{self._ids}-{number}" for number in range(wanted)]
        return CreateTasks(specs=tuple(Spec(id=name, name="f", module=MODULE) for name in names))

    def _seen(self, outcome):
        if isinstance(outcome, PropellerError):
            return type(outcome)
        ids = outcome.task_ids if isinstance(outcome, Remembered) else [task.id for task in outcome]
        return [self.name(task_id) for task_id in ids]

    def name(self, task_id):
        return f"task {list(self.store.ids).index(task_id)}"


@settings(max_examples=400, deadline=None)
@given(TURNS)
def test_what_a_key_stands_for_is_done_once_a_day_through_crashes(turns):
    driven, model, now = Driven(), Model(), 10 * DAY
    for requests, later, ends_after in turns:
        now += later + 1
        after, answers = model.after(requests, now)
        found, was_committed = driven.turn(requests, now, ends_after)
        assert found == {number: answers[number] for number in found}
        assert len(found) == len(requests) or ends_after is not None
        if was_committed:
            model = after
        elif ends_after is None:
            assert (after.tasks, after.keys) == (model.tasks, model.keys), (
                "what changes something is committed"
            )
        assert len(driven.store.ids) == len(model.tasks)


# -- through a manager on a real store -----------------------------------------------------------------------

KEY = Key("k", b"create")


def creation(*names, **group):
    """Make the command of a request; each time with new ids, as the API makes them."""
    number = next(_NUMBERS)
    group_id = f"w{number}" if group else ""
    specs = tuple(
        Spec(id=f"{name}-{number}", name=name, module=MODULE, workflow_id=group_id) for name in names
    )
    return CreateTasks(specs=specs, group=NewGroup(id=group_id, kind=GroupKind.WORKFLOW) if group else None)


_NUMBERS = itertools.count()


def test_what_was_done_before_comes_back_as_it_was_then(tmp_path):
    async def work(site):
        site.bring_proplet()
        first = await site.manager.ask_once(KEY, creation("a", "b", is_group=True), {MODULE: b"m"})
        assert not first.was_done_before
        ids = [task.id for task in first.tasks]
        await site.manager.ask(UpdateTask(ids[0], {"priority": 7}))
        await site.manager.ask(StartTask(ids[0]))
        await site.reached(TaskState.COMPLETED, ids[0])
        again = await site.manager.ask_once(KEY, creation("a", "b", is_group=True), {MODULE: b"m"})
        assert again.was_done_before
        assert [task.id for task in again.tasks] == ids
        assert {task.spec.group_id for task in again.tasks} == {first.tasks[0].spec.group_id}
        assert [(task.state, task.results) for task in again.tasks] == [(PENDING, None)] * 2
        assert [task.created_at for task in again.tasks] == [task.created_at for task in first.tasks]
        assert (await site.store.tasks(0, 9, TaskFilter())).total == 2
        with pytest.raises(KeyReused, match="Idempotency-Key: k was used for another request"):
            await site.manager.ask_once(Key("k", b"other"), creation("c"))

    at_site(tmp_path, work)


def test_what_was_created_and_deleted_is_not_created_again(tmp_path):
    async def work(site):
        (task,) = (await site.manager.ask_once(KEY, creation("a"))).tasks
        await site.manager.ask(DeleteTask(task.id))
        with pytest.raises(NotFound, match=f"created task {task.id}, which has been deleted since"):
            await site.manager.ask_once(KEY, creation("a"))
        # Another of the same id is not what the key stands for.
        await site.manager.ask(CreateTasks(specs=(task.spec,), chosen_ids=(task.id,)))
        with pytest.raises(NotFound, match="has been deleted since"):
            await site.manager.ask_once(KEY, creation("a"))
        assert (await site.store.tasks(0, 9, TaskFilter())).total == 1

    at_site(tmp_path, work)


def test_requests_under_a_key_that_arrive_together_are_one(tmp_path):
    async def work(site):
        asks = [site.manager.ask_once(KEY, creation("a")) for _ in range(5)]
        done = await asyncio.gather(*asks)
        assert [one.was_done_before for one in done] == [False, True, True, True, True]
        assert len({one.tasks[0].id for one in done}) == 1
        assert len(site.store.commits) == 1

    at_site(tmp_path, work)


def test_nothing_is_looked_up_or_written_for_who_sends_no_key(tmp_path):
    async def work(site):
        (task,) = await site.manager.ask(creation("a"))
        await site.manager.ask(StartTask(task.id))
        assert site.store.finds == 0
        assert not any(changes.remembered for changes in site.store.commits)

    at_site(tmp_path, work)
