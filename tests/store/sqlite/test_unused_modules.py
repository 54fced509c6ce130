"""Modules that no task uses any more, in SQLite: when they are looked for, and what comes meanwhile."""

import asyncio
import sqlite3
import threading

import pytest

from propeller.core.effects import Changes
from propeller.core.model import SubWorkflow
from propeller.errors import StoreUnusable
from propeller.store import limits
from propeller.store.sqlite import expiry
from tests.builders import a_move, a_spec, a_task, module_of
from tests.store.conformance.test_expiry import LONG_AGO, THEN


def test_a_module_that_comes_again_in_a_commit_under_way_stays(data, monkeypatch):
    module = module_of(b"wasm")

    async def work(store):
        may_end, has_begun = threading.Event(), threading.Event()

        def hold_up(_):
            has_begun.set()
            assert may_end.wait(10)

        await store.commit(Changes(modules={module: b"wasm"}))
        monkeypatch.setattr(store._history, "write", hold_up)
        again = Changes(created=[a_task(1, module=module)], modules={module: b"wasm"})
        again.transitions, again.first_event_id = [a_move("t1")], 1
        committing = asyncio.create_task(store.commit(again))
        assert await asyncio.to_thread(has_begun.wait, 10)
        looking = asyncio.create_task(store.forget_unused_modules())
        while store._queue.empty():  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0.001)
        may_end.set()
        await asyncio.gather(committing, looking)
        return await store.modules([module.digest])

    assert data.with_store(work) == {module.digest: b"wasm"}


def test_unused_modules_are_looked_for_only_where_there_may_be_any(data, monkeypatch):
    looks = []
    look = expiry.ModuleSearch
    monkeypatch.setattr(expiry, "ModuleSearch", lambda: looks.append(1) or look())

    async def looks_after(store, changes=None):
        if changes is not None:
            await store.commit(changes)
        del looks[:]
        await store.forget_unused_modules()
        return len(looks)

    async def work(store):
        tasks = [a_task(n) for n in (1, 2)]
        assert await looks_after(store) == 1, "it can't know what was before it started"
        assert await looks_after(store) == 0
        assert await looks_after(store, Changes(created=[*tasks, a_task(3, **LONG_AGO)])) == 0
        assert await looks_after(store, Changes(updated=tasks)) == 0
        assert await looks_after(store, Changes(respecified=tasks[:1])) == 1
        assert await looks_after(store, Changes(deleted=tasks[:1])) == 1
        assert await looks_after(store) == 0
        await store.forget(await store.find_ended(THEN), THEN)
        assert await looks_after(store) == 1
        await store.forget(await store.find_ended(THEN), THEN)
        assert await looks_after(store) == 0, "nothing went"

    data.with_store(work)


def test_unused_modules_that_could_not_be_looked_for_are_looked_for_again(data, monkeypatch):
    module = module_of(b"wasm")

    def fails(*_):
        raise sqlite3.OperationalError("disk I/O error")

    async def work(store):
        await store.forget_unused_modules()
        await store.commit(Changes(modules={module: b"wasm"}))
        with monkeypatch.context() as patch:
            patch.setattr(expiry.ModuleSearch, "piece", fails)
            with pytest.raises(StoreUnusable):
                await store.forget_unused_modules()
        await store.forget_unused_modules()
        return await store.modules([module.digest])

    assert data.with_store(work) == {}


def test_a_module_is_found_in_whichever_piece_of_the_tasks_it_is_used(data, monkeypatch):
    monkeypatch.setattr(limits, "MODULES_LOOKED_AT", 3)
    used, inside, unused = (module_of(name) for name in (b"used", b"inside", b"unused"))

    async def work(store):
        inner = SubWorkflow(specs=(a_spec("i", module=inside),))
        tasks = [a_task(2, module=used), a_task(5, workflow=inner), *(a_task(n) for n in range(6, 20))]
        modules = {used: b"used", inside: b"inside", unused: b"unused"}
        await store.commit(Changes(created=tasks, modules=modules))
        await store.forget_unused_modules()
        return set(await store.modules(module.digest for module in modules))

    assert data.with_store(work) == {used.digest, inside.digest}
