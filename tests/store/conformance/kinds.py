"""The kinds of stores that the suite holds to the same behaviour: how data of each is made, opened and removed."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from propeller.store.memory import MemoryStore
from propeller.store.port import Store
from propeller.store.proplet_keys import PropletKeyStore
from propeller.store.secrets import SecretStore
from propeller.store.tokens import TokenStore
from tests.store.conformance import simulated
from tests.store.conformance.postgres import Server
from tests.store.conformance.simulated import SimulatedPort
from tests.store.helpers import SqliteData, rows_of

T = TypeVar("T")

#: What each kind of store is asked to do, and its data: ``options`` are those of ``with_store``, and ``limits`` those
#: of ``propeller.store.limits``.
ALL = frozenset(
    name
    for part in (Store, SecretStore)
    for name, of_it in vars(part).items()
    if not name.startswith("_") and callable(of_it)
)
TOKENS = frozenset(
    name for kind in (TokenStore, PropletKeyStore) for name in vars(kind) if not name.startswith("_")
)
OPERATIONS = {
    "sqlite": ALL | TOKENS | {"reopen", "rows", "options", "limits"},
    "memory": ALL | TOKENS | {"rows", "options", "limits"},
    "postgres": ALL | TOKENS | {"reopen", "rows", "options", "limits"},
    "simulated": simulated.OPERATIONS,
}


class Data(Protocol):
    """Data of one kind of store, to be opened and closed as often as a test likes."""

    kind: str

    def with_store(self, work: Callable[[Any], Awaitable[T]], **options: Any) -> T:
        """Open the store, work with it, and close it."""

    def reopen(self) -> None:
        """Have the store opened anew by the next ``with_store``, which it is unless it lives in memory."""

    def rows(self) -> dict[str, int]:
        """Count the records in each table that has any."""

    def remove(self) -> None: ...


class KeptData:
    """A store that lives no longer than its program: it stays open from one ``with_store`` to the next."""

    def __init__(self, kind: str, make: Callable[..., Any]) -> None:
        self.kind = kind
        self._make = make
        self._runner = asyncio.Runner()
        self._store: Any = None

    def with_store(self, work: Callable[[Any], Awaitable[T]], **options: Any) -> T:
        async def run() -> T:
            if self._store is None:
                self._store = self._make(**options)
            return await work(self._store)

        return self._runner.run(run())

    def rows(self) -> dict[str, int]:
        return rows_of(self._store.directory)

    def remove(self) -> None:
        if self._store is not None:
            self._runner.run(self._store.close())
        self._runner.close()


class Stores:
    """Makes data of every kind, for all tests of a run."""

    def __init__(self, directory: Path) -> None:
        self._directories = (directory / str(number) for number in itertools.count())
        self._server: Server | None = None

    def directory(self, name: str) -> Path:
        """Make a directory for a test."""
        made = next(self._directories).with_suffix(f".{name}")
        made.mkdir()
        return made

    def fresh(self, kind: str) -> Data:
        """Make data of this kind with nothing in them."""
        match kind:
            case "sqlite":
                return SqliteData(next(self._directories), durability="normal")
            case "memory":
                return KeptData(kind, MemoryStore)
            case "postgres":
                self._server = self._server or Server()
                return self._server.fresh()
            case "simulated":
                return KeptData(kind, SimulatedPort)
        raise AssertionError(kind)

    def remove(self) -> None:
        if self._server is not None:
            self._server.remove()
