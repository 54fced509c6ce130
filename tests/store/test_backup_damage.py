"""Backups that were cut or changed: what is restored is what was backed up, or nothing is restored."""

import asyncio
import random
import tracemalloc

import pytest

from propeller.errors import Invalid
from propeller.store import moving
from propeller.store.sqlite import backups
from tests.store.conformance import answers
from tests.store.conformance.courses import Course
from tests.store.conformance.kinds import ALL, Stores
from tests.store.helpers import SqliteData

CUTS = 150
FLIPS = 250


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("backups"))
    yield made
    made.remove()


async def ask(store):
    return await answers.all_of(store, ALL)


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def backup(request, stores):
    """The bytes of a backup of either kind of store, and the answers of that store."""
    directory = stores.directory("backup")

    async def play(store):
        for operation, given in Course(4).steps(60):
            await getattr(store, operation)(*given)
        return await ask(store)

    file = directory / "copy.db"
    if request.param == "sqlite":
        data = SqliteData(directory / "data", durability="normal")
        expected = data.with_store(play)
        backups.back_up(directory / "data", file)
    else:
        data = stores.fresh("postgres")
        expected = data.with_store(play)
        asyncio.run(moving.back_up(data.settings, file))
        data.remove()
    return file.read_bytes(), expected


def damaged(whole):
    """Give copies, most of them cut or with some bits flipped, each with its name."""
    rng = random.Random(5)
    # Without its seal, or with a part of it, it holds all the same.
    for size in (
        len(whole) - 1,
        len(whole) - 50,
        len(whole) - 88,
        *(rng.randrange(len(whole)) for _ in range(CUTS)),
    ):
        yield f"cut at {size}", whole[:size]
    for _ in range(FLIPS):
        data = bytearray(whole)
        bits = [rng.randrange(len(data) * 8) for _ in range(rng.choice([1, 1, 1, 8]))]
        for bit in bits:
            data[bit // 8] ^= 1 << bit % 8
        yield f"bits {bits}", bytes(data)


def test_a_damaged_backup_is_refused_or_gives_all_that_there_was(backup, tmp_path):
    whole, expected = backup
    said = []
    file, directory = tmp_path / "copy.db", tmp_path / "data"
    for name, content in damaged(whole):
        file.write_bytes(content)
        try:
            backups.restore(directory, file)
        except Invalid as error:
            said.append(str(error))
            assert not (directory / "propeller.db").exists(), name
            continue
        assert SqliteData(directory, durability="normal").with_store(ask) == expected, name
        directory = tmp_path / name
    assert len(said) >= CUTS + FLIPS - 5
    for text in said:
        assert text.startswith(f"{file} ")
        assert "name a backup" in text or text.endswith("restore another backup. Nothing was changed")


def test_a_damaged_backup_changes_nothing_in_postgres(backup, stores, tmp_path):
    whole, expected = backup
    data = stores.fresh("postgres")
    try:
        file = tmp_path / "copy.db"
        for name, content in [*damaged(whole)][:: (CUTS + FLIPS) // 20]:
            file.write_bytes(content)
            try:
                asyncio.run(moving.restore(data.settings, file))
            except Invalid:
                assert data.rows() == {}, name
            else:
                assert data.with_store(ask) == expected, name
                data.remove()
                data = stores.fresh("postgres")
        file.write_bytes(whole)
        asyncio.run(moving.restore(data.settings, file))
        assert data.with_store(ask) == expected
    finally:
        data.remove()


def test_a_large_backup_is_sealed_and_read_in_pieces(tmp_path):
    """What it takes of memory does not grow with the store."""
    large = tmp_path / "large.db"
    with large.open("wb") as file:
        file.truncate(64 * 2**20)
    tracemalloc.start()
    try:
        backups.seal(large)
        assert not backups._is_seal_broken(large)
        assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    finally:
        tracemalloc.stop()
    assert large.stat().st_size == 64 * 2**20
