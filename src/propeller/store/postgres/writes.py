"""The part of the store in PostgreSQL that writes what the engine does not, and deletes what is old."""

from collections.abc import Sequence

from propeller.core.effects import Changes
from propeller.store.port import Ended, Invocation, LogPiece, PaceStep, Sample
from propeller.store.postgres.access import Access, Db
from propeller.store.postgres.expiry import Forgetting, is_going, prune_past_attempts
from propeller.store.postgres.invocations import close_invocations, write_invocations
from propeller.store.postgres.logs import write_logs
from propeller.store.postgres.modules import ModuleSearch, forget_module
from propeller.store.postgres.overview import write_pace
from propeller.store.postgres.samples import write_samples
from propeller.store.unused import UnusedModules


class Writes(Access):
    """Writes beside the engine's; ``port.Store`` describes the methods."""

    def __init__(self) -> None:
        super().__init__()
        self._modules = UnusedModules()

    async def write_samples(self, samples: Sequence[Sample], now: int) -> None:
        await self._beside(lambda db: write_samples(db, samples, now))

    async def write_pace(self, steps: Sequence[PaceStep], kept: int) -> None:
        await self._beside(lambda db: write_pace(db, steps, kept))

    async def write_logs(self, pieces: Sequence[LogPiece]) -> None:
        await self._beside(lambda db: write_logs(db, pieces))

    async def write_invocations(self, invocations: Sequence[Invocation]) -> None:
        await self._beside(lambda db: write_invocations(db, invocations))

    async def close_invocations(self, error: str) -> None:
        await self._beside(lambda db: close_invocations(db, error))

    # -- deleting ------------------------------------------------------------------------------------------

    async def forget(self, ended: Ended, before: int) -> bool:
        async def piece(db: Db) -> tuple[Forgetting, bool]:
            forgetting = Forgetting(ended, before)
            is_left = await forgetting.run(db)
            await prune_past_attempts(db)
            return forgetting, is_left

        forgetting, is_left = await self._beside(piece)
        ended.groups[:], ended.tasks[:] = forgetting.groups, forgetting.tasks
        self._modules.may_be_some |= forgetting.has_deleted
        return is_left

    async def _is_going(self, db: Db, task_ids: Sequence[str], group_ids: Sequence[str]) -> bool:
        """Say whether one of these ids belongs to a record that is being deleted."""
        return await is_going(db, task_ids, group_ids)

    async def _forget_going(self, db: Db) -> None:
        """Finish all deletions that have begun, in a transaction of the writer."""
        await Forgetting(Ended([], [], is_full=False), 0).run_to_end(db)
        self._modules.may_be_some = True

    def _begin_to_write(self) -> None:
        """Take nothing for known of what others have written before."""
        self._modules.may_be_some = True

    def _note(self, changes: Changes) -> None:
        """Note what a commit writes, while no other write is under way: a module that it names is in use."""
        self._modules.note(changes)

    async def forget_unused_modules(self) -> None:
        if not self._modules.may_be_some:
            return

        async def begin(_db: Db) -> None:
            self._modules.begin_to_look()  # while no commit is under way

        await self._beside(begin)
        try:
            search = ModuleSearch()
            while await self._read(search.piece):
                pass
            for digest in search.unused or ():
                await self._beside(lambda db: self._forget_module(db, digest))  # noqa: B023  called at once
        except BaseException:
            self._modules.may_be_some = True
            raise

    async def _forget_module(self, db: Db, digest: str) -> None:
        if self._modules.may_go(digest):
            await forget_module(db, digest)
