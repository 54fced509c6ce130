"""The part of the store in PostgreSQL that writes what the engine knows nothing of, and deletes the old."""

from abc import abstractmethod
from collections.abc import Sequence

from propeller.core.effects import Changes
from propeller.store.port import Ended
from propeller.store.postgres.access import Access, Db


class Writes(Access):
    """Writes beside the engine's; ``port.Store`` describes the methods."""

    def _note(self, changes: Changes) -> None:
        """Note what a commit is about to write: a module that it names is in use."""

    @abstractmethod
    async def _is_going(self, db: Db, task_ids: Sequence[str], group_ids: Sequence[str]) -> bool:
        """Say whether one of these ids belongs to a record that is being deleted."""

    @abstractmethod
    async def _forget_going(self, db: Db) -> None:
        """Finish all deletions that have begun, in a transaction of the writer."""

    @abstractmethod
    async def forget(self, ended: Ended, before: int) -> bool: ...
