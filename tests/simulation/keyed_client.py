"""A client that names each of its requests, and asks again under the same name: once, twice, or by mistake."""

from collections.abc import Callable
from random import Random
from typing import Any

from msgspec.structs import replace

from propeller.core.events import Command, CreateTasks, NewGroup, StartTask
from propeller.core.idempotency import Key, Remembered
from propeller.core.model import GroupKind, Spec
from propeller.errors import PropellerError
from propeller.manager.engine import Ask

from .manager import SimulatedManager
from .users import MODULES
from .world import ACTION, World

#: In how many of the worlds there is one.
SHARE = 0.3
PATIENCE = 6
REQUESTS_MAX = 12


class _Request:
    """What stays the same of a request, however often it is sent: its key and its content."""

    def __init__(self, key: str, content: int, make: Callable[[int], Command]):
        self.key = Key(key, b"%d" % content)
        #: Makes the command of a try as the API does, with new ids.
        self.make = make


class _Waiting:
    """A ticket: asks again when a crash ate the answer."""

    def __init__(self, client: "KeyedClient", request: _Request, tries: int):
        self._client, self._request, self._tries = client, request, tries
        self._is_done = False
        client.waiting += 1

    def answered(self, outcome: object) -> None:
        self._client.waiting -= 1
        self._is_done = True
        self._client.heard(self._request, outcome)

    def lost(self) -> None:
        if not self._is_done:
            self._client.waiting -= 1
            self._client.ask_later(self._request, self._tries - 1)


class KeyedClient:
    def __init__(self, world: World, manager: SimulatedManager):
        self._world, self._manager = world, manager
        #: A stream of its own: worlds without this client are not touched by it.
        self._random = Random(f"keys {world.seed}")
        self.is_there = self._random.random() < SHARE
        #: How many asks have no answer yet.
        self.waiting = 0
        self._sent: list[_Request] = []
        self._tries = self._contents = 0
        #: The first task of each creation that was answered.
        self._created: list[str] = []

    def act_again(self) -> None:
        if self.is_there and self._world.has_faults:
            self._act()
            self._world.after(int(self._random.uniform(20, 900) * 1e6), self.act_again)

    def _act(self) -> None:
        choose = self._random.random()
        is_full = len(self._sent) >= REQUESTS_MAX
        if self._sent and (choose < 0.35 or is_full):
            request = self._random.choice(self._sent)
            if self._world.happens(ACTION):
                self._ask(request)
        elif self._created and choose < 0.6:
            task_id = self._random.choice(self._created)
            self._send(lambda _: StartTask(task_id))
        elif choose < 0.7:
            self._send(self._blunder())
        else:
            self._send(self._creation())

    def _send(self, make: Callable[[int], Command]) -> None:
        """Send a new request, by mistake under a key that was used, or now and then twice at once."""
        self._contents += 1
        is_mistake = self._sent and self._random.random() < 0.1
        key = self._random.choice(self._sent).key.text if is_mistake else f"key-{self._contents}"
        request = _Request(key, self._contents, make)
        if not is_mistake:
            self._sent.append(request)
        for _ in range(2 if self._random.random() < 0.2 else 1):
            if self._world.happens(ACTION):
                self._ask(request)

    def _creation(self) -> Callable[[int], Command]:
        size = self._random.choice((0, 0, 1, 2, 3))
        if not size:
            single = self._spec(f"k{self._contents}")
            return lambda number: CreateTasks(specs=(replace(single, id=f"{single.id}.{number}"),))
        name = f"c{self._contents}"
        chain = [self._spec(f"{name}-{place}", workflow_id=name) for place in range(size)]
        return lambda number: CreateTasks(
            specs=tuple(_numbered(chain, number)),
            group=NewGroup(id=f"{name}.{number}", kind=GroupKind.WORKFLOW),
        )

    def _blunder(self) -> Callable[[int], Command]:
        """Ask for what is refused, each time."""
        bad = self._spec(f"k{self._contents}", workflow_id="k", depends_on=("nobody",))
        return lambda number: CreateTasks(specs=(replace(bad, id=f"{bad.id}.{number}"),))

    def _spec(self, task_id: str, **fields: Any) -> Spec:
        return Spec(
            id=task_id,
            name="main",
            module=self._random.choice(MODULES),
            env={"UID": f"key-{task_id}"},
            **fields,
        )

    def ask_later(self, request: _Request, tries: int) -> None:
        if tries >= 0:
            delay_ns = int(self._random.uniform(200, 1500) * 1e6)
            self._world.after(delay_ns, lambda: self._ask(request, tries))

    def _ask(self, request: _Request, tries: int = PATIENCE) -> None:
        if not self._manager.is_up:
            self.ask_later(request, tries - 1)
            return
        self._tries += 1
        command = request.make(self._tries)
        modules = {}
        if isinstance(command, CreateTasks):
            modules = {spec.module: b"" for spec in command.specs}
        self._world.note("client", f"asks under {request.key.text}: {type(command).__name__}")
        ask = Ask(command, modules, _Waiting(self, request, tries), request.key)
        self._manager.keys.asked(ask)
        self._manager.ask(ask)

    def heard(self, request: _Request, outcome: object) -> None:
        if isinstance(outcome, PropellerError):
            return
        ids = outcome.task_ids if isinstance(outcome, Remembered) else [task.id for task in outcome]
        if ids and ids[0] not in self._created:
            self._created.append(ids[0])


def _numbered(chain: list[Spec], number: int) -> list[Spec]:
    """Give the tasks of a chain the ids of one try."""
    found: list[Spec] = []
    for spec in chain:
        found.append(
            replace(
                spec,
                id=f"{spec.id}.{number}",
                workflow_id=f"{spec.workflow_id}.{number}",
                depends_on=tuple(before.id for before in found[-1:]),
            )
        )
    return found
