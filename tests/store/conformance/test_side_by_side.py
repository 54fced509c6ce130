"""All kinds of stores, given the same course of random changes, give the same answers, also when opened anew."""

import functools

import msgspec
import pytest

from propeller.core.effects import Changes
from propeller.store.memory import MemoryStore
from tests.store.conformance import answers
from tests.store.conformance.courses import Course
from tests.store.conformance.kinds import OPERATIONS, KeptData

STEPS = 60
#: After how many steps everything is asked.
EVERY = 30


def played(data, steps, operations):
    """Play the steps that a store can take; give all answers, by when they were given."""

    async def play(store):
        found = {}
        for number, (operation, given) in enumerate(steps, 1):
            if operation in operations:
                said = await getattr(store, operation)(*given)
                found[f"{number}: what {operation} said"] = said
            if number % EVERY == 0:
                found |= {f"{number}: {name}": said for name, said in (await ask(store)).items()}
        return found

    async def ask(store):
        return await answers.all_of(store, operations)

    async def forget(store):
        before = 20_000_000
        ended = await store.find_ended(before)
        while await store.forget(ended, before):
            pass
        await store.forget_unused_modules()
        return await ask(store)

    found = data.with_store(play)
    found |= {f"opened anew: {name}": said for name, said in data.with_store(ask).items()}
    if "forget" in operations:
        found |= {
            f"after all that ended long ago: {name}": said for name, said in data.with_store(forget).items()
        }
    return found


@pytest.mark.parametrize("seed", range(3))
def test_the_same_course_leads_to_the_same_answers(stores, seed):
    steps = Course(seed).steps(STEPS)
    expected = None
    for kind, operations in OPERATIONS.items():
        data = stores.fresh(kind)
        try:
            found = played(data, steps, operations)
        finally:
            data.remove()
        expected = expected or found
        assert found.keys() <= expected.keys()
        differing = [name for name, said in found.items() if said != expected[name]]
        assert not differing, f"{kind}, seed {seed}: {differing}"


def test_a_course_has_all_that_a_manager_writes():
    """Otherwise stores could differ in what no course ever does."""
    steps = [step for seed in range(6) for step in Course(seed).steps(STEPS)]
    commits = [step.given[0] for step in steps if step.operation == "commit"]
    for name in commits[0].__struct_fields__:
        assert any(getattr(changes, name) for changes in commits), name
    written = {step.operation for step in steps}
    assert written >= {
        "write_samples",
        "write_logs",
        "write_invocations",
        "close_invocations",
        "write_pace",
        "write_answer",
        "write_secret",
        "delete_secret",
        "write_secret_uses",
    }


class Forgetful(MemoryStore):
    """It writes all of a commit but one field."""

    field = ""

    async def commit(self, changes):
        nothing = (
            {"transitions": [], "first_event_id": 0} if self.field == "transitions" else {self.field: []}
        )
        if isinstance(getattr(changes, self.field), dict):
            nothing = {self.field: {}}
        await super().commit(msgspec.structs.replace(changes, **nothing))


def answers_in_memory(store, seed):
    async def work(store):
        for operation, given in Course(seed).steps(STEPS // 2):
            await getattr(store, operation)(*given)
        return await answers.all_of(store, OPERATIONS["memory"])

    data = KeptData("memory", store)
    try:
        return data.with_store(work)
    finally:
        data.remove()


@functools.cache
def expected_in_memory(seed):
    return answers_in_memory(MemoryStore, seed)


@pytest.mark.parametrize("field", [name for name in Changes.__struct_fields__ if name != "first_event_id"])
def test_a_store_that_loses_a_part_of_the_commits_is_found_out(monkeypatch, field):
    """A comparison that no fault breaks would prove nothing."""
    monkeypatch.setattr(Forgetful, "field", field)
    for seed in range(6):
        try:
            found = answers_in_memory(Forgetful, seed)
        except Exception:
            return
        if found != expected_in_memory(seed):
            return
    raise AssertionError(f"nobody misses {field}")
