"""The order of a turn: load, decide, commit, and only then answer, send and announce.

A turn takes everything that has arrived. It is a generator of steps without IO; its runner carries out each
step and asks for the next. ``service`` does so with a real store and real sockets, the simulation with
simulated ones, and the simulation may stop between any two steps.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

import msgspec

from propeller.core import copies
from propeller.core.cluster import Cluster
from propeller.core.effects import Changes, Effect, Transition
from propeller.core.events import (
    CloneGroup,
    Command,
    CordonProplet,
    CreateTasks,
    DeleteGroup,
    DeleteProplet,
    DrainProplet,
    Fact,
    PauseSchedule,
    RerunGroup,
    StartGroup,
    StartTask,
    StopGroup,
    TimePassed,
)
from propeller.core.idempotency import Key, Memory, Remembered
from propeller.core.model import Group, Module, Task
from propeller.core.times import Moment
from propeller.errors import PropellerError


class Ask(msgspec.Struct, eq=False):
    """A command whose sender waits for an answer."""

    command: Command
    #: Bytes of the modules that came with it.
    modules: dict[Module, bytes] = {}
    #: The sender's own: says where the answer goes.
    ticket: Any = None
    #: Under which it is carried out once; None for a command that is carried out each time.
    key: Key | None = None


Input = Ask | Fact


class Load(msgspec.Struct, frozen=True):
    """Read these from the store, with their whole groups; the answer is ``Found``."""

    task_ids: list[str]
    group_ids: list[str]
    #: Idempotency keys.
    keys: list[str] = []


class Commit(msgspec.Struct, frozen=True):
    changes: Changes


class Send(msgspec.Struct, frozen=True):
    effects: list[Effect]


class Announce(msgspec.Struct, frozen=True):
    first_event_id: int
    transitions: list[Transition]


class Answer(msgspec.Struct, frozen=True):
    ask: Ask
    #: The tasks that the command created or changed, or why it was refused; what was done before, if that was
    #: under the same key.
    outcome: list[Task] | Remembered | PropellerError


Step = Load | Commit | Send | Announce | Answer
#: Groups, all of their tasks and tasks of no group; last attempts of deleted tasks that had such an id; what
#: was done under the keys.
Found = tuple[Sequence[Group], Sequence[Task], Mapping[str, int], Mapping[str, Remembered]]


def turn(cluster: Cluster, inputs: Sequence[Input], moment: Moment) -> Generator[Step, Found | None, None]:
    """Take in everything that has arrived, in order, and last that time has passed."""
    wanted = _named_but_absent(cluster, inputs, moment)
    memory = Memory()
    if wanted.task_ids or wanted.group_ids or wanted.keys:
        found = yield wanted
        assert found is not None
        groups, tasks, past_attempts, remembered = found
        cluster.state.adopt(groups, tasks, past_attempts)
        memory.adopt(remembered)

    now, answers, has_time_passed = moment.now, list[Answer](), False
    modules: dict[Module, bytes] = {}
    cluster.begin(moment)
    for item in inputs:
        if isinstance(item, Ask):
            answers.append(_carry_out_once(cluster, item, now, memory))
            modules.update(item.modules)
        elif isinstance(item, TimePassed):
            has_time_passed = True
        else:
            cluster.handle(item, now)
    if has_time_passed:
        cluster.handle(TimePassed(), now)
    cluster.settle(now)
    changes, effects = cluster.take_turn()
    changes.modules = modules
    changes.remembered = memory.new

    if changes:
        yield Commit(changes)
    cluster.state.let_go(changes)
    if effects:
        yield Send(effects)
    yield from answers
    if changes.transitions:
        yield Announce(changes.first_event_id, changes.transitions)


def _carry_out_once(cluster: Cluster, ask: Ask, now: int, memory: Memory) -> Answer:
    """Carry out a command, unless that was done under its key; one that is refused is not remembered."""
    try:
        if ask.key is not None and (done := memory.recall(ask.key, now)) is not None:
            ask.modules = {}
            return Answer(ask, done)
        tasks = cluster.handle(ask.command, now)
    except PropellerError as refusal:
        ask.modules = {}
        return Answer(ask, refusal)
    if ask.key is not None:
        memory.remember(ask.key, tasks, now)
    return Answer(ask, tasks)


def _named_but_absent(cluster: Cluster, inputs: Sequence[Input], moment: Moment) -> Load:
    """Collect keys, and what commands and schedules name and the cluster lacks: it ended, or never was."""
    tasks: dict[str, None] = {}
    groups: dict[str, None] = {}
    keys: dict[str, None] = {}
    starts: dict[str, int] = {}
    for item in inputs:
        if isinstance(item, TimePassed):
            _add(cluster.ring(moment), tasks, groups)
        if not isinstance(item, Ask):
            continue
        if item.key is not None:
            keys[item.key.text] = None
        match item.command:
            case CreateTasks(specs=specs, chosen_ids=chosen):
                tasks.update(dict.fromkeys(chosen))
                groups.update(dict.fromkeys(chosen))
                if specs[0].group_id:
                    groups[specs[0].group_id] = None
            case StartGroup(group_id=name):
                groups[name] = None
                starts[name] = starts.get(name, 0) + 1
                _add(cluster.ids_of_run(name, starts[name], moment), tasks, groups)
            case StartTask(task_id=name):
                tasks[name] = None
                if owner_id := copies.owner_in(name):  # a run again: what it is a run of has to know
                    tasks[owner_id] = None
            case PauseSchedule(kind=kind, owner_id=name):
                (tasks if kind is None else groups)[name] = None
            case StopGroup() | RerunGroup() | CloneGroup() | DeleteGroup():
                groups[item.command.group_id] = None
            case DeleteProplet() | CordonProplet() | DrainProplet():
                pass
            case command:
                tasks[command.task_id] = None
    state = cluster.state
    return Load(
        [task_id for task_id in tasks if task_id not in state.tasks],
        [group_id for group_id in groups if group_id not in state.groups],
        list(keys),
    )


def _add(ids: tuple[list[str], list[str]], tasks: dict[str, None], groups: dict[str, None]) -> None:
    """Add the ids of tasks and of groups; each may be taken by the other."""
    for name in (*ids[0], *ids[1]):
        tasks[name] = groups[name] = None
