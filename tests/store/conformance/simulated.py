"""The part of a store that the simulation's has, behind the interface of all stores."""

from collections.abc import Sequence

from propeller.core.effects import Changes, Transition
from propeller.core.model import Execution, Task
from propeller.store import rows
from propeller.store.port import Found, Loaded
from tests.simulation.store import SimulatedStore

#: What is tried of it. The rest of the interface it does not have, and the simulation has no need of it.
OPERATIONS = frozenset(
    {"load", "find", "commit", "events", "last_event_id", "task", "executions", "attempts", "close"}
)


class SimulatedPort:
    """``port.Store`` describes the methods."""

    def __init__(self) -> None:
        self._store = SimulatedStore()

    async def load(self) -> Loaded:
        return self._store.load()

    async def find(
        self, task_ids: Sequence[str], group_ids: Sequence[str], keys: Sequence[str] = ()
    ) -> Found:
        return self._store.find(task_ids, group_ids, keys)

    async def commit(self, changes: Changes) -> None:
        self._store.commit(changes)

    async def events(self, after: int, limit: int) -> list[tuple[int, Transition]]:
        return [event for event in self._store.transitions() if event[0] > after][:limit]

    async def last_event_id(self) -> int:
        return self._store.last_event_id

    async def task(self, task_id: str) -> Task | None:
        seq = self._store.ids.get(task_id)
        return None if seq is None else self._store.task(seq)

    async def executions(self, task_id: str) -> list[Execution]:
        task = await self.task(task_id)
        return list(task.executions.values()) if task else []

    async def attempts(self, task_id: str) -> list[Execution]:
        found = self._store.attempts.get(self._store.ids.get(task_id, 0), {})
        return [rows.to_execution(row[1:]) for _, row in sorted(found.items())]

    async def close(self) -> None:
        self._store.crashed()
