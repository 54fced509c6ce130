"""One store in SQLite and one in PostgreSQL, which are given the same, and asked the same."""

import asyncio
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from propeller.core.model import Group, Task
from propeller.store.port import Graph, GroupPage
from propeller.store.postgres.lease import Lease
from propeller.store.postgres.settings import PostgresSettings
from propeller.store.postgres.store import PostgresStore
from propeller.store.sqlite.store import SqliteStore
from tests.builders import stored
from tests.parts.postgres import PASSWORD, USER, Postgres


async def run_sql(store, *statements):
    """Change the database of a store as it stands."""
    if isinstance(store, PostgresStore):
        for statement in statements:
            await store._beside(lambda db: db.execute(statement))  # noqa: B023
    else:

        def work():
            for statement in statements:
                store._writer.execute(statement)

        await store._in_writer(work)


def plain(value):
    """Give an answer as values that can be compared."""
    match value:
        case Task() | Group():
            return plain(stored(value))
        case Graph():
            texts = {
                name: json.loads(getattr(value, name))
                for name in ("proplets", "edges", "past_attempts", "executions")
            }
            columns = {name: json.loads(text) for name, text in value.tasks.items()}
            return {"event_id": value.event_id, "mode": value.mode, "tasks": columns} | texts
        case GroupPage():
            earlier = {name: json.loads(text) for name, text in value.earlier.items()}
            return [value.total, plain(value.records), value.next, earlier]
        case dict():
            return {key: plain(item) for key, item in value.items()}
        case list() | tuple():
            return [plain(item) for item in value]
        case msgspec.Struct():
            return plain(msgspec.structs.asdict(value))
    return value


async def together(answers):
    return [(asked, plain(answer)) async for asked, answer in answers]


def compare(pair):
    for (asked, one), (_, other) in zip(*pair, strict=True):
        assert other == one, asked


class Stores:
    """Both stores, empty."""

    def __init__(self, server: Postgres) -> None:
        self._runner = asyncio.Runner()
        self._settings = PostgresSettings(
            host="127.0.0.1", port=server.port, user=USER, password=PASSWORD, database=server.database()
        )
        self._postgres = self._runner.run(self._open())

    async def _open(self) -> PostgresStore:
        store = PostgresStore(self._settings)
        await store.open(30)
        self._lease = Lease(self._settings)
        await store.lead(await self._lease.take("test", ""))
        return store

    def answers(self, work):
        """Do the same work with both; give what it returns, by the kind of store."""
        return self._runner.run(self._answers(work))

    async def _answers(self, work):
        tables = "tasks, runs, groups, task_blocks, executions, attempts, past_attempts, task_metadata, group_labels, going"
        tables += ", proplets, modules, events, task_samples, proplet_samples, log_streams, log_pieces"
        await run_sql(
            self._postgres,
            f"TRUNCATE {tables}, invocations, pace, secrets, secret_uses RESTART IDENTITY",
            "UPDATE totals SET count = 0",
            "UPDATE log_total SET bytes = 0",
        )
        with TemporaryDirectory() as directory:
            sqlite = SqliteStore(Path(directory), durability="normal")
            try:
                return [await work(store) for store in (sqlite, self._postgres)]
            finally:
                await sqlite.close()

    def close(self) -> None:
        self._runner.run(self._postgres.close())
        self._runner.run(self._lease.close())
        self._runner.close()
