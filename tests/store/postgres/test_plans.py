"""How PostgreSQL finds what a store asks for: along indexes, whatever it knows of the tables."""

import asyncio

from tests.parts.postgres import ADMIN
from tests.store.conformance import answers
from tests.store.conformance.kinds import ALL
from tests.store.conformance.test_totals import filled
from tests.store.postgres.helpers import leading

#: They grow with what has ended.
LARGE = ("tasks", "runs", "task_metadata", "executions", "attempts", "groups", "group_labels")


def test_no_table_of_records_is_read_as_a_whole(server, settings):
    def scans():
        names = ", ".join(f"'{name}'" for name in LARGE)
        sql = f"SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname IN ({names}) ORDER BY relname"
        return server.sql(sql, settings.database)

    async def ask(work):
        async with leading(settings) as store:
            await work(store)

    def is_connected():
        name = f"datname = '{settings.database}' AND usename <> '{ADMIN}'"
        return server.sql(f"SELECT 1 FROM pg_stat_activity WHERE {name}")

    def scans_after(work):
        asyncio.run(ask(work))
        while is_connected():  # each connection says at its end what it has read
            pass
        return scans()

    before = scans_after(filled)
    assert scans_after(lambda store: answers.all_of(store, ALL)) == before
