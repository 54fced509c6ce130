"""Where a result comes from, over HTTP: an in-toto statement with SLSA provenance, of each attempt."""

from hashlib import sha256

from propeller.core.events import RunEnded
from propeller.core.ran import Ran
from propeller.core.sandbox import Grants
from propeller.core.states import TaskState
from tests.api.helpers import ADDITION, ADDITION_TEXT, play

TASK = {"id": "a", "name": "main", "inputs": [1, 2], "env": {"SECRET": "word"}, "file": ADDITION_TEXT}
DIGEST = sha256(ADDITION).hexdigest()
RAN = Ran(
    digest=DIGEST, runtime="wasmtime 50.0.0", version="1.2", signer="ann", grants=Grants(http=("a.test",))
)


def ends(site, start, results, ran=RAN):
    site.manager.tell(
        RunEnded(
            proplet_id=start.proplet_id,
            task_id=start.spec.id,
            attempt=start.attempt,
            results=results,
            started_at=start.placed_at,
            finished_at=start.placed_at,
            ran=ran,
        )
    )


async def run(site, task_id, results):
    await site.post(f"/tasks/{task_id}/start", status=200)
    start = await site.started_one(task_id)
    ends(site, start, results)
    async for _ in site.manager.feed.follow(0):
        if (await site.get(f"/tasks/{task_id}"))["state"] == TaskState.COMPLETED:
            return


async def ready(site):
    site.bring_proplet()
    site.is_slow = True
    await site.turned()


def test_a_result_has_a_statement_of_where_it_comes_from(tmp_path):
    async def part(site):
        await ready(site)
        await site.post("/tasks", TASK)
        said = await site.refused("GET", "/tasks/a/provenance", 404)
        assert said.startswith("not found: task a has no such attempt")
        await run(site, "a", "3\n")
        shown = await site.get("/tasks/a/provenance")
        assert shown["_type"] == "https://in-toto.io/Statement/v1"
        assert shown["predicateType"] == "https://slsa.dev/provenance/v1"
        assert shown["subject"] == [
            {"name": "tasks/a/attempts/1/results", "digest": {"sha256": sha256(b"3\n").hexdigest()}}
        ]
        definition, details = shown["predicate"]["buildDefinition"], shown["predicate"]["runDetails"]
        asked = definition["externalParameters"]
        assert asked.pop("submitted_by", "local") == "local"
        assert asked == {
            "task": "a",
            "name": "main",
            "namespace": "default",
            "inputs": [1, 2],
            "env": ["SECRET"],
        }
        assert definition["internalParameters"] == {
            "attempt": 1,
            "proplet_id": "p-9",
            "state": "completed",
            "grants": {"http": ["a.test"]},
        }
        assert definition["resolvedDependencies"] == [{"name": "module", "digest": {"sha256": DIGEST}}]
        assert details["builder"]["version"] == {"propeller": "1.2", "runtime": "wasmtime 50.0.0"}
        assert details["metadata"]["startedOn"] <= details["metadata"]["finishedOn"]
        assert "word" not in str(shown)

    play(part, tmp_path)


def test_each_attempt_has_its_own_and_says_nothing_of_what_was_changed_since(tmp_path):
    async def part(site):
        await ready(site)
        await site.post("/tasks", TASK)
        await run(site, "a", "3\n")
        await site.put("/tasks/a", {"inputs": [5, 6]})
        await site.post("/tasks/a/start", status=200)
        ends(site, await site.started_one("a"), "11\n")
        while (await site.get("/tasks/a")).get("results") != "11\n":
            await site.turned()
        first, second = [await site.get(f"/tasks/a/provenance?attempt={number}") for number in (1, 2)]
        assert second == await site.get("/tasks/a/provenance")
        asked = [one["predicate"]["buildDefinition"]["externalParameters"] for one in (first, second)]
        assert asked[0]["has_changed"] is True
        assert "inputs" not in asked[0]
        assert (asked[1]["inputs"], asked[1].get("has_changed")) == ([5, 6], None)
        await site.refused("GET", "/tasks/a/provenance?attempt=3", 404)
        await site.refused("GET", "/tasks/a/provenance?attempt=x", 400)

    play(part, tmp_path)


def test_of_a_broadcast_the_proplet_is_named(tmp_path):
    async def part(site):
        site.bring_proplet("p-1")
        site.bring_proplet("p-2")
        site.is_slow = True
        await site.turned()
        await site.post("/tasks", TASK | {"broadcast": True})
        await site.post("/tasks/a/start", status=200)
        await site.turned()
        for start in list(site.started):
            ends(site, start, f"{start.proplet_id}\n")
        while (await site.get("/tasks/a"))["state"] != TaskState.COMPLETED:
            await site.turned()
        said = await site.refused("GET", "/tasks/a/provenance", 400)
        assert said.startswith("proplet_id: attempt 1 ran on 2 proplets; name one of them: p-1, p-2")
        for name in ("p-1", "p-2"):
            shown = await site.get(f"/tasks/a/provenance?proplet_id={name}")
            assert shown["subject"][0]["digest"]["sha256"] == sha256(f"{name}\n".encode()).hexdigest()
        await site.refused("GET", "/tasks/a/provenance?proplet_id=p-3", 404)

    play(part, tmp_path)
