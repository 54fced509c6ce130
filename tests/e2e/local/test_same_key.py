"""kill -9 of the manager around the commit of a request; the client asks again with its key, and there is one."""

import sys

import httpx
import pytest

from tests.e2e.local.harness import ADDITION, ENDED, System
from tests.waiting import until

#: A manager that ends itself as kill -9 does, once it has come to a point with a request that has a key.
PROGRAM = """
import os, signal, sys
from propeller.store.sqlite.store import SqliteStore

point = sys.argv.pop(1)

def end():
    os.kill(os.getpid(), signal.SIGKILL)

class Dying(SqliteStore):
    async def commit(self, changes):
        if changes.remembered and point == "before the commit":
            end()
        await super().commit(changes)
        if changes.remembered and point == "after the commit":
            end()

    async def write_answer(self, key, answer):
        kept = await super().write_answer(key, answer)
        if point == "after the answer was kept":
            end()
        return kept

import propeller.store.sqlite.store
propeller.store.sqlite.store.SqliteStore = Dying
from propeller.__main__ import main
main()
"""
TASKS = [
    {"name": "main", "file": ADDITION, "inputs": [1, 2]},
    {"name": "main", "file": ADDITION, "inputs": [3, 4]},
]


class Mortal(System):
    """Dies at a point, and lives on the next time that it is brought up."""

    def dies(self, point):
        self.program = (sys.executable, "-c", PROGRAM, point)
        self.up()
        self.program = System.program


@pytest.fixture
def mortal(tmp_path):
    made = Mortal(tmp_path / "data")
    yield made
    made.clean_up()


def killed_while_it_answers(system, path, **sent):
    with pytest.raises(httpx.TransportError):
        system.http.post(path, **sent)
    assert system.reap() == -9


@pytest.mark.parametrize("point", ["before the commit", "after the commit", "after the answer was kept"])
@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_a_workflow_or_job_is_created_once(mortal, point, kind):
    sent = {"json": {"name": "once", "tasks": TASKS}, "headers": {"Idempotency-Key": "k"}}
    mortal.dies(point)
    killed_while_it_answers(mortal, f"/{kind}s", **sent)
    mortal.up()
    first, second = (mortal.http.post(f"/{kind}s", **sent) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert ("Idempotent-Replayed" in first.headers) is (point != "before the commit")
    (found,) = mortal.call("GET", f"/{kind}s")[f"{kind}s"]
    assert found["name"] == "once"
    there = mortal.call("GET", "/tasks?file=false")["tasks"]
    assert [task["id"] for task in there] == [task["id"] for task in first.json()["tasks"]]
    mortal.call("POST", f"/{kind}s/{found[f'{kind}_id']}/start")
    until(lambda: mortal.call("GET", f"/{kind}s/{found[f'{kind}_id']}?tasks=false")["state"] == ENDED)


@pytest.mark.parametrize("point", ["before the commit", "after the commit", "after the answer was kept"])
def test_a_task_is_started_once(mortal, point):
    mortal.dies(point)
    mortal.call("POST", "/tasks", {"id": "t", **TASKS[0]})
    sent = {"headers": {"Idempotency-Key": "k"}}
    killed_while_it_answers(mortal, "/tasks/t/start", **sent)
    mortal.up()
    for _ in range(2):
        assert mortal.http.post("/tasks/t/start", **sent).json() == {"started": True}
        until(lambda: mortal.call("GET", "/tasks/t")["state"] == ENDED)
    ends = mortal.call("GET", "/tasks/t")
    assert ends["results"] == "3\n"
    assert starts_in(mortal) == 1


def starts_in(system):
    """Count, in the log of events, how often the task was scheduled; a marker says where the log ends."""
    system.call("POST", "/tasks", {"id": "marker", **TASKS[0]})
    system.call("POST", "/tasks/marker/start")
    count = 0
    with system.http.stream("GET", "/events?after=0") as stream:
        for line in stream.iter_lines():
            count += line.startswith("data:") and '"task_id":"t"' in line and '"state":1' in line
            if '"task_id":"marker"' in line:
                return count
    raise AssertionError("the stream of events ended")
