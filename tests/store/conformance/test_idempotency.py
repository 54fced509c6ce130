"""Idempotency keys in a store: with the command, the first answer, for a day, and bounded."""

import pytest

from propeller.core.effects import Changes
from propeller.core.idempotency import REMEMBERED_NS, Key, Remembered
from propeller.store import limits
from propeller.store.port import KeptAnswer

KEY = Key("k", b"f")
DONE = Remembered(KEY, 5, ("t1", "t2"))
ANSWER = KeptAnswer(201, "/tasks/t1", b'{"id":"t1"}\n')


def test_a_key_and_its_first_answer_are_kept(data):
    async def work(store):
        await store.commit(Changes(remembered=[DONE]))
        assert await store.key("k") == (Remembered(KEY, 5), None)
        assert await store.write_answer(KEY, ANSWER) == ANSWER
        later = KeptAnswer(201, None, b"other")
        assert await store.write_answer(KEY, later) == ANSWER, "the first one stands"
        assert await store.write_answer(Key("k", b"other"), later) is None
        assert await store.write_answer(Key("none", b""), later) is None

    data.with_store(work)

    async def again(store):
        assert await store.key("k") == (Remembered(KEY, 5), ANSWER)
        assert await store.key("none") is None
        found = await store.find([], [], ["k", "none"])
        assert found.remembered == {"k": DONE}

    data.with_store(again)


def test_an_answer_without_a_body_is_an_answer(data):
    async def work(store):
        await store.commit(Changes(remembered=[DONE]))
        empty = KeptAnswer(204, None, b"")
        await store.write_answer(KEY, empty)
        assert (await store.key("k")).answer == empty

    data.with_store(work)


def test_a_key_that_is_used_anew_has_no_answer_yet(data):
    async def work(store):
        await store.commit(Changes(remembered=[DONE]))
        await store.write_answer(KEY, ANSWER)
        anew = Remembered(Key("k", b"g"), 5 + REMEMBERED_NS, ("t3",))
        await store.commit(Changes(remembered=[anew]))
        assert (await store.key("k")).answer is None
        assert (await store.find([], [], ["k"])).remembered == {"k": anew}

    data.with_store(work)


def test_keys_older_than_a_day_are_deleted_a_piece_at_a_time(data, monkeypatch):
    monkeypatch.setattr(limits, "KEYS_PIECE", 10)

    async def work(store):
        names = [f"k{n:02}" for n in range(25)]
        await store.commit(Changes(remembered=[Remembered(Key(name, b""), 5) for name in names]))
        for n, left in enumerate((15, 5, 0)):
            other = Remembered(Key(f"new{n}", b""), 5 + REMEMBERED_NS)
            await store.commit(Changes(remembered=[other]))
            assert len((await store.find([], [], names)).remembered) == left
        assert len((await store.find([], [], ["new0", "new1", "new2"])).remembered) == 3

    data.with_store(work)


def test_large_answers_are_not_kept_and_the_oldest_of_many_go_first(data, monkeypatch):
    monkeypatch.setattr(limits, "ANSWER_BYTES_MAX", 10)
    monkeypatch.setattr(limits, "ANSWER_BYTES_KEPT", 25)

    async def write(store, n, size):
        done = Remembered(Key(f"k{n}", b""), n)
        await store.commit(Changes(remembered=[done]))
        return await store.write_answer(done.key, KeptAnswer(200, None, b"x" * size))

    async def kept(store):
        return [n for n in range(1, 7) if (found := await store.key(f"k{n}")) and found.answer]

    async def work(store):
        assert await write(store, 1, 11) is None
        for n in (2, 3):
            assert await write(store, n, 10)
        assert await kept(store) == [2, 3]

    data.with_store(work)

    async def after_a_restart(store):
        await write(store, 4, 10)
        assert await kept(store) == [3, 4]
        await write(store, 5, 5)
        assert await kept(store) == [3, 4, 5]
        assert (await store.find([], [], ["k2"])).remembered, "the key still counts"

    data.with_store(after_a_restart)


@pytest.mark.parametrize("count", [1, 1201])
def test_tasks_are_read_by_their_ids(data, count):
    async def work(store):
        assert await store.tasks_of(["none"] * count) == []

    data.with_store(work)
