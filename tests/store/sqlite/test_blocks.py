"""The counts of tasks by blocks in SQLite: a migration makes them."""

import sqlite3

from propeller.store.sqlite.store import SqliteStore
from tests.store.conformance.test_totals import COUNT, filled
from tests.store.helpers import SqliteData


def test_a_store_of_an_earlier_version_is_counted_when_it_is_migrated(tmp_path):
    SqliteData(tmp_path).with_store(filled)
    with sqlite3.connect(tmp_path / "propeller.db") as db:
        before = db.execute("SELECT * FROM task_blocks ORDER BY block").fetchall()
        assert sum(sum(row[3:]) for row in before) == COUNT
        for trigger in ("come", "move", "go"):
            db.execute(f"DROP TRIGGER task_blocks_{trigger}")
        db.execute("DROP TABLE task_blocks")
        db.execute("DROP INDEX tasks_by_name")
        db.execute("DROP INDEX groups_ended")  # of the next migration
        number = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute(f"PRAGMA user_version = {number - 2}")
    db.close()
    SqliteData(tmp_path).with_store(SqliteStore.load)
    with sqlite3.connect(tmp_path / "propeller.db") as db:
        assert db.execute("SELECT * FROM task_blocks ORDER BY block").fetchall() == before
    db.close()
