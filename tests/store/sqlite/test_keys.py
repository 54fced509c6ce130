"""Idempotency keys in SQLite: what the look for one costs, and one that can't be read."""

import contextlib
import sqlite3

from propeller.core.effects import Changes
from propeller.core.idempotency import Key, Remembered
from propeller.store.sqlite import idempotency
from propeller.store.sqlite.soundness import damage_inside
from tests.store.conformance.test_idempotency import DONE


def test_the_look_for_a_key_reads_no_other(data, tmp_path):
    async def fill(store):
        await store.commit(
            Changes(remembered=[Remembered(Key(f"k{n}", b""), n) for n in range(2000)]),
        )

    data.with_store(fill)
    steps = 0

    def step():
        nonlocal steps
        steps += 1

    with contextlib.closing(sqlite3.connect(tmp_path / "propeller.db", isolation_level=None)) as db:
        db.execute("SELECT 1 FROM idempotency_keys LIMIT 1").fetchone()  # reads the schema
        db.set_progress_handler(step, 1)
        assert idempotency.find_keys(db, ["k7"])
        assert idempotency.read_key(db, "k7")
    assert 0 < steps < 200


def test_a_key_that_cannot_be_read_is_damage(data, tmp_path):
    data.with_store(lambda store: store.commit(Changes(remembered=[DONE])))
    with contextlib.closing(sqlite3.connect(tmp_path / "propeller.db", isolation_level=None)) as db:
        assert damage_inside(db, with_records=True) == ""
        db.execute("UPDATE idempotency_keys SET task_ids = '[7]'")
        found = damage_inside(db, with_records=True)
    assert found.startswith("is damaged: idempotency key 1 can't be read")
