"""Users: they create, start, stop, change and delete at random, make mistakes, and ask again."""

from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Any

from msgspec.structs import replace

from propeller.core.events import (
    Command,
    CordonProplet,
    CreateTasks,
    DeleteGroup,
    DeleteProplet,
    DeleteTask,
    DrainProplet,
    NewGroup,
    Rerun,
    RerunGroup,
    StartGroup,
    StartTask,
    StopGroup,
    StopTask,
    UpdateTask,
)
from propeller.core.failures import ErrorKind
from propeller.core.model import Definition, FromParent, GroupKind, JobMode, Module, Spec
from propeller.core.retry import Retry
from propeller.core.sandbox import Grants, Sandbox
from propeller.errors import PropellerError
from propeller.manager.engine import Ask

from .conditions_checker import EXPRESSIONS
from .manager import SimulatedManager
from .namespaces import placed
from .store import SimulatedStore
from .world import ACTION, MS, World

MODULES = tuple(Module(digest=letter * 8, size_bytes=1) for letter in "abc")
#: No bytes come with it: whoever runs it learns that it does not exist.
LOST_MODULE = Module(digest="lost", size_bytes=1)
#: How many of the tasks stay, and how.
STAYS = 0.12
STAYING = ({"daemon": True}, {"daemon": True}, {"latent": True})
CONDITIONS = ("failure", "all_done", "always", "any_success")
PATIENCE = 6
GROUPS_MAX = 7
#: Commands about one task.
_ON_TASK = (StartTask, StopTask, DeleteTask, UpdateTask)
SINGLES_MAX = 10


class _Waiting:
    """A ticket: asks again when a crash ate the answer."""

    def __init__(self, users: "Users", command: Command, then: Callable[[], None] | None, tries: int):
        self._users = users
        self._command = command
        self._then = then
        self._tries = tries
        self._is_done = False
        users.waiting += 1

    def answered(self, outcome: object) -> None:
        self._users.waiting -= 1
        self._is_done = True
        if self._then is not None and not isinstance(outcome, PropellerError):
            self._then()

    def lost(self) -> None:
        users = self._users
        if self._is_done:  # it was the last thing that the manager did
            return
        users.waiting -= 1
        if self._tries > 0:
            users.world.after(
                users.world.between(200, 1500),
                lambda: users.ask_again(self._command, self._then, self._tries - 1),
            )


class Users:
    def __init__(self, world: World, manager: SimulatedManager, proplet_ids: list[str]):
        self.world = world
        self._random = world.stream("users")
        #: How many asks have no answer yet.
        self.waiting = 0
        self._manager = manager
        self._proplet_ids = proplet_ids
        #: A stream of its own: what else happens does not hang on which results tasks refer to.
        self._reference_random = Random(f"references {world.seed}")
        #: Another one for conditions, for the same reason.
        self._condition_random = Random(f"conditions {world.seed}")
        #: And for which of them are tried again, or have only so much time.
        self._timing_random = Random(f"timing {world.seed}")
        #: And for what is said of groups as a whole, and which of them run again.
        self._groups_random = Random(f"groups {world.seed}")
        self._uids = 0
        self._singles: list[str] = []
        #: Kind, and the ids of the tasks, in order.
        self._groups: dict[str, tuple[GroupKind, list[str]]] = {}
        self._favourite = ""
        self._endless: list[str] = []
        #: Ids that may be used again.
        self._free: list[str] = []
        #: What they do, and how often they do one thing for each of another.
        self._deeds, weights = zip(*self._acts(), strict=True)
        self._sums_of_weights = list(accumulate(weights))

    def ask(self, command: Command, then: Callable[[], None] | None = None, tries: int = PATIENCE) -> None:
        """Ask for something; again where the manager is not there, or went away before it answered."""
        if not self.world.has_faults or self.world.happens(ACTION):
            self.ask_again(command, then, tries)

    def ask_again(self, command: Command, then: Callable[[], None] | None, tries: int) -> None:
        if not self._manager.is_up:
            if tries > 0:
                self.world.after(
                    self.world.between(200, 1500), lambda: self.ask_again(command, then, tries - 1)
                )
            return
        command = placed(command)
        about, modules = [], {}
        if isinstance(command, CreateTasks):
            about = [spec.id for spec in command.specs]
            modules = {spec.module: b"" for spec in command.specs if spec.module in MODULES}
        elif isinstance(command, _ON_TASK):
            about = [command.task_id]
        target = "" if about else f" {command}"
        self.world.note("user", f"asks: {type(command).__name__}{target}", *about)
        if isinstance(command, UpdateTask) and command.changes.get("module") in MODULES:
            modules = {command.changes["module"]: b""}
        self._manager.ask(Ask(command, modules, _Waiting(self, command, then, tries)))

    def restored(self, store: SimulatedStore) -> None:
        """Learn what is there no more after a restore; such ids may be used for something else."""
        gone = [task_id for task_id in self._singles if task_id not in store.ids]
        self._singles = [task_id for task_id in self._singles if task_id in store.ids]
        lost = [group_id for group_id in self._groups if group_id not in store.groups]
        for group_id in lost:
            del self._groups[group_id]
        self._free += [*gone, *lost]

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    # -- what users do -------------------------------------------------------------------------------------

    def _acts(self) -> list[tuple[Callable[[], None], float]]:
        return [
            (self._create_single, 3),
            (self._create_group, 5),
            (self._add_tasks, 2.5),
            (self._start_group, 8),
            (self._start_task, 6),
            (self._stop_task, 2.5),
            (self._stop_group, 1),
            (self._delete_task, 1.5),
            (self._delete_group, 0.5),
            (self._update_task, 2),
            (self._blunder, 1),
            (self._replace_task, 0.7),
            (self._start_and_stop, 0.7),
            (self.stop_endless, 1.5),
            (self._delete_proplet, 0.3),
            (self._service_proplet, 0.8),
        ]

    def act(self) -> None:
        """Do one thing, or now and then several at once."""
        for _ in range(1 if self._chance(0.7) else 3):
            self._random.choices(self._deeds, cum_weights=self._sums_of_weights)[0]()
        if self._groups and self._groups_random.random() < 0.2:
            self._rerun_group()

    def _spec(self, task_id: str, **fields) -> Spec:
        self._uids += 1
        chance = self.world.chance
        module = self._random.choice(MODULES)
        if chance(0.03):
            module = self._random.choice((LOST_MODULE, None))
        env = {"UID": str(self._uids)}
        is_broadcast, listens = chance(0.06), chance(0.06)
        if chance(STAYS):
            fields |= self._random.choice(STAYING)
        elif not is_broadcast and chance(0.04):
            env["SERVER"] = "1"
        fields |= self._timing(is_broadcast=is_broadcast)
        return Spec(
            id=task_id,
            name=task_id.partition("-")[2] or "main",
            module=module,
            env=env,
            stdin="" if self._uids % 16 else "in",
            priority=self._random.choice((0, 0, 0, 10, 90)),
            pin=self._random.choice(self._proplet_ids) if chance(0.1) and not is_broadcast else "",
            broadcast=is_broadcast,
            required_tags=("edge",) if chance(0.1) else (),
            sandbox=Sandbox(grants=Grants(listen=True)) if listens and not is_broadcast else None,
            **fields,
        )

    def _timing(self, *, is_broadcast: bool) -> dict[str, Any]:
        """Choose how often a task is tried, and how long it may take; most say nothing of that."""
        random = self._timing_random
        fields: dict[str, Any] = {}
        if random.random() < 0.15:
            fields["retry"] = Retry(
                max_attempts=random.randint(1, 4),
                delay_ns=random.choice((0, 200, 900)) * MS,
                backoff=random.choice((1.0, 3.0)),
                max_delay_ns=2000 * MS,
                jitter=random.choice((0.0, 0.5)),
                on=random.choice(((), (), (ErrorKind.OTHER,), (ErrorKind.TRAP,), (ErrorKind.LOST,))),
            )
        if random.random() < 0.07:
            fields["deadline_ns"] = random.choice((300, 2500, 8000)) * MS
        if random.random() < 0.07:
            fields["queue_timeout_ns"] = random.choice((300, 4000)) * MS
        return {} if is_broadcast else fields

    def _new_id(self, letter: str) -> str:
        free = [name for name in self._free if name[0] == letter]
        if free and self._chance(0.5):
            name = self._random.choice(free)
            self._free.remove(name)
            return name
        return f"{letter}{self._uids}"

    def _create_single(self) -> None:
        if len(self._singles) >= SINGLES_MAX:
            return
        task_id = self._new_id("t")
        spec = self._spec(task_id)
        if self._chance(0.15):
            spec = replace(spec, env={**(spec.env or {}), "ENDLESS": "1"})
            self._endless.append(task_id)
        self.ask(CreateTasks(specs=(spec,), chosen_ids=(task_id,)), lambda: self._singles.append(task_id))

    def _create_group(self) -> None:
        if len(self._groups) >= GROUPS_MAX:
            return
        random = self._random
        name = self._new_id("g")
        kind = random.choice((GroupKind.WORKFLOW, GroupKind.WORKFLOW, GroupKind.JOB))
        mode = random.choice((*JobMode, None)) if kind is GroupKind.JOB else None
        specs = self._dag(name, kind, random.randint(1, 7), [])
        ids = [spec.id for spec in specs]
        may_go_on = mode in (JobMode.PARALLEL, JobMode.CONFIGURABLE)
        fail_fast = random.choice((None, False)) if may_go_on else None
        timeout_ns = self._timing_random.choice((0, 0, 0, 0, 0, 1500 * MS, 9000 * MS))
        max_parallel = self._groups_random.choice((0, 0, 1, 2, 3))
        if kind is GroupKind.WORKFLOW and self._groups_random.random() < 0.2:
            fail_fast = True
        if mode not in (JobMode.PARALLEL, JobMode.CONFIGURABLE) and kind is GroupKind.JOB:
            max_parallel = 0  # it may be sequential
        group = NewGroup(
            id=name,
            kind=kind,
            mode=mode,
            fail_fast=fail_fast,
            definition=Definition(timeout_ns=timeout_ns, max_parallel=max_parallel),
        )
        create = CreateTasks(specs=specs, group=group, chosen_ids=(name, *ids))

        def remember() -> None:
            self._groups[name] = (kind, ids)

        self.ask(create, remember)

    def _dag(self, group_id: str, kind: GroupKind, size: int, existing: list[str]) -> tuple[Spec, ...]:
        """Make tasks that depend on some of those before them: chains, fans, diamonds."""
        random = self._random
        density = random.choice((0.1, 0.4, 0.9))
        first = len(existing) + self._uids
        known = list(existing)
        specs = []
        for number in range(size):
            near = known[-4:]
            parents = tuple(parent for parent in near if self._chance(density / max(len(near) ** 0.5, 1)))
            spec = self._spec(
                f"{group_id}-{first + number}",
                depends_on=parents,
                run_if=random.choice(("", "success", "failure")) if self._chance(0.3) else "",
                **{f"{kind}_id": group_id},
            )
            specs.append(self._with_condition(self._with_reference(spec)))
            known.append(spec.id)
        return tuple(specs)

    def _with_reference(self, spec: Spec) -> Spec:
        """Let a task refer to the result of a parent, or not."""
        random = self._reference_random
        if not spec.depends_on or random.random() < 0.5:
            return spec
        parent = random.choice(spec.depends_on)
        inputs = random.choice(((FromParent(parent),), (f"at ${{{parent}}}", 7), None))
        return replace(spec, inputs=inputs, stdin=spec.stdin if inputs else FromParent(parent))

    def _with_condition(self, spec: Spec) -> Spec:
        """Let a task run on another condition, or not."""
        random = self._condition_random
        if random.random() < 0.6:
            return spec
        if not spec.depends_on or random.random() < 0.6:
            return replace(spec, run_if=random.choice(CONDITIONS))
        parent = random.choice(spec.depends_on)
        return replace(spec, run_if=random.choice(tuple(EXPRESSIONS)).format(parent=parent))

    def _add_tasks(self) -> None:
        if self._groups:
            name, (kind, ids) = self._any_group()
            specs = self._dag(name, kind, self._random.randint(1, 2), ids)
            new = [spec.id for spec in specs]
            self.ask(CreateTasks(specs=specs, chosen_ids=tuple(new)), lambda: ids.extend(new))

    def _any_group(self) -> tuple[str, tuple[GroupKind, list[str]]]:
        """Choose a group, rather the one that was chosen last: there things get in each other's way."""
        if self._favourite not in self._groups or self._chance(0.3):
            self._favourite = self._random.choice(list(self._groups))
        return self._favourite, self._groups[self._favourite]

    def _any_task(self) -> str:
        if self._groups and (not self._singles or self._chance(0.6)):
            _, (_, ids) = self._any_group()
            return self._random.choice(ids) if ids else "nothing"
        return self._random.choice(self._singles) if self._singles else "nothing"

    def _start_group(self) -> None:
        if self._groups:
            name, (kind, _) = self._any_group()
            self.ask(StartGroup(kind, name))

    def _rerun_group(self) -> None:
        """Run a group again, or a part of it; most have not ended, and it is refused."""
        random = self._groups_random
        name = random.choice(list(self._groups))
        kind, ids = self._groups[name]
        from_task = random.choice(ids) if ids and random.random() < 0.4 else ""
        what = random.choice((Rerun.FAILED, Rerun.FAILED, Rerun.ALL))
        self.ask(RerunGroup(kind, name, what, from_task), tries=0)

    def _stop_group(self) -> None:
        if self._groups:
            name, (kind, _) = self._any_group()
            self.ask(StopGroup(kind, name))

    def _delete_group(self) -> None:
        if self._groups:
            name, (kind, _) = self._any_group()
            del self._groups[name]
            self.ask(DeleteGroup(kind, name), lambda: self._free.append(name))

    def _start_task(self) -> None:
        self.ask(StartTask(self._any_task()))

    def _stop_task(self) -> None:
        self.ask(StopTask(self._any_task()))

    def stop_endless(self) -> None:
        """Stop the tasks whose guests never end by themselves."""
        for task_id in self._endless:
            self.ask(StopTask(task_id))

    def _delete_task(self) -> None:
        if self._singles and self._chance(0.6):
            task_id = self._random.choice(self._singles)
            self._singles.remove(task_id)
            self.ask(DeleteTask(task_id), lambda: self._free.append(task_id))
        elif self._groups:
            _, (_, ids) = self._any_group()
            if len(ids) > 1:
                last = ids[-1]
                self.ask(DeleteTask(last), lambda: ids.remove(last) if last in ids else None)

    def _update_task(self) -> None:
        change = self._random.choice(
            (
                {"module": self._random.choice(MODULES)},
                {"run_if": self._random.choice(("success", "failure"))},
                {"priority": 70},
                {"pin": self._random.choice((*self._proplet_ids, ""))},
                {"metadata": {"colour": "blue"}},
            )
        )
        self.ask(UpdateTask(self._any_task(), change))

    def _replace_task(self) -> None:
        """Delete a task and create another with its id, all at once."""
        if self._singles:
            task_id = self._random.choice(self._singles)
            self.ask(DeleteTask(task_id), tries=0)
            self.ask(CreateTasks(specs=(self._spec(task_id),), chosen_ids=(task_id,)), tries=0)
            self.ask(StartTask(task_id), tries=0)

    def _start_and_stop(self) -> None:
        task_id = self._new_id("t")
        self.ask(
            CreateTasks(specs=(self._spec(task_id),), chosen_ids=(task_id,)),
            lambda: self._singles.append(task_id),
            tries=0,
        )
        self.ask(StartTask(task_id), tries=0)
        self.ask(StopTask(task_id), tries=0)

    def _delete_proplet(self) -> None:
        self.ask(DeleteProplet(self._random.choice(self._proplet_ids)))

    def _service_proplet(self) -> None:
        """Take a machine out of service, or put it back."""
        random = self._random
        name = random.choice(self._proplet_ids)
        seconds = random.choice((None, 0.5, 4.0))
        self.ask(
            random.choice(
                (CordonProplet(name), DrainProplet(name, seconds), CordonProplet(name, is_cordoned=False))
            )
        )

    def uncordon_all(self) -> None:
        """Put all machines back into service."""
        proplets = self._manager.cluster.state.proplets if self._manager.cluster is not None else {}
        for proplet in proplets.values():
            if proplet.is_cordoned:
                self.ask(CordonProplet(proplet.id, is_cordoned=False))

    def _blunder(self) -> None:
        """Ask for what must be refused; a refusal changes nothing."""
        name = f"x{self._uids}"
        one = self._spec(f"{name}-1", workflow_id=name, depends_on=(f"{name}-2",))
        two = self._spec(f"{name}-2", workflow_id=name, depends_on=(f"{name}-1",))
        lost = self._spec(f"{name}-3", workflow_id=name, depends_on=("nobody",))
        bad = (
            CreateTasks(specs=(one, two), chosen_ids=()),
            CreateTasks(specs=(lost,)),
            CreateTasks(specs=(lost, lost)),
            CreateTasks(specs=(self._spec(self._any_task()),), chosen_ids=(self._any_task(),)),
            StartTask("nobody"),
            StopGroup(GroupKind.JOB, "nobody"),
        )
        command = self._random.choice(bad)
        if isinstance(command, CreateTasks) and command.chosen_ids:
            command = CreateTasks(specs=command.specs, chosen_ids=(command.specs[0].id,))
        self.ask(command)
