import json

from propeller.core.events import PropletLost
from propeller.core.states import RUNNING
from tests.api.helpers import ADDITION_TEXT, ids, play


async def seen(site, *names):
    for name in names:
        site.bring_proplet(name)
    await site.turned()


def test_a_proplet(tmp_path):
    async def part(site):
        await seen(site, "p-9")
        shown = await site.get("/proplets/p-9")
        assert list(shown) == [
            "id",
            "name",
            "task_count",
            "alive",
            "last_alive_at",
            "metadata",
            "slots",
            "signed",
        ]
        assert (shown["id"], shown["task_count"], shown["alive"]) == ("p-9", 0, True)
        expected = {"tags": ["edge"], "os": "linux", "total_memory_bytes": 1024}
        assert json.dumps(shown["metadata"]) == json.dumps(expected), (
            "unknown, empty and ill-typed ones are left out"
        )
        assert await site.get("/proplets") == {"offset": 0, "limit": 100, "total": 1, "proplets": [shown]}

    play(part, tmp_path)


def test_the_list(tmp_path):
    async def part(site):
        assert (await site.get("/proplets"))["proplets"] == []
        await seen(site, "a", "b", "c")
        site.manager.tell(PropletLost("b", "it is gone"))
        await site.turned()
        name = (await site.get("/proplets/c"))["name"]
        for query, expected in {
            "": ["a", "b", "c"],
            "?limit=1&offset=1": ["b"],
            "?limit=0": [],
            "?status=active": ["a", "c"],
            "?status=inactive": ["b"],
            "?status=": ["a", "b", "c"],
            "?id_prefix=b": ["b"],
            "?id_prefix=b&status=active": [],
            f"?name={name}": ["c"],
            f"?name={name}&id_prefix=a": [],
            "?name=&id_prefix=": ["a", "b", "c"],
        }.items():
            assert ids((await site.get(f"/proplets{query}"))["proplets"]) == expected, query

    play(part, tmp_path)


def test_signs_of_life(tmp_path):
    async def part(site):
        await seen(site, "p-9")
        for _ in range(12):
            site.bring_proplet()
        await site.turned()
        page = await site.get("/proplets/p-9/alive-history")
        assert list(page) == ["offset", "limit", "total", "history"]
        assert (page["total"], len(page["history"])) == (10, 10)
        assert page["history"] == sorted(page["history"])
        assert page["history"][-1] == (await site.get("/proplets/p-9"))["last_alive_at"]
        shown = await site.get("/proplets/p-9/alive-history?offset=8&limit=5")
        assert shown["history"] == page["history"][8:]

    play(part, tmp_path)


def test_deletion(tmp_path):
    async def part(site):
        await seen(site, "p-9")
        site.is_slow = True
        await site.post("/tasks", {"id": "a", "name": "f", "file": ADDITION_TEXT})
        await site.post("/tasks/a/start", status=200)
        await site.reached(RUNNING, "a")
        assert (await site.get("/proplets/p-9"))["task_count"] == 1
        assert (
            await site.refused("DELETE", "/proplets/p-9", 409) == "conflict: proplet p-9 has 1 active tasks"
        )
        await site.post("/tasks/a/stop", status=200)
        site.manager.tell(PropletLost("p-9", "it is gone"))
        await site.delete("/proplets/p-9")
        for path in ("", "/sdf", "/alive-history"):
            assert (
                await site.refused("GET", f"/proplets/p-9{path}", 404) == "not found: there is no proplet p-9"
            )
        await site.refused("DELETE", "/proplets/p-9", 404)

    play(part, tmp_path)


def test_sdf(tmp_path):
    async def part(site):
        await seen(site, "p-9")
        name = (await site.get("/proplets/p-9"))["name"]
        document = await site.get("/proplets/p-9/sdf")
        info = {"title": f"Propeller Proplet: {name} (p-9)", "version": "1.0", "license": "Apache-2.0"}
        assert document["info"] == info
        proplet = document["sdfThing"]["Proplet"]
        assert list(document["sdfThing"]) == ["Proplet"]
        assert list(proplet) == ["description", "sdfProperty", "sdfAction", "sdfEvent", "sdfData"]
        for things in (proplet[key] for key in list(proplet)[1:]):
            assert list(things) == sorted(things)
        named = {thing["sdfRef"] for thing in _with(proplet, "sdfRef")}
        assert {ref.removeprefix("#/sdfThing/Proplet/sdfData/") for ref in named} == set(proplet["sdfData"])

    play(part, tmp_path)


def _with(value, key):
    if isinstance(value, dict):
        if key in value:
            yield value
        for child in value.values():
            yield from _with(child, key)


def test_health(tmp_path):
    async def part(site):
        shown = await site.get("/health")
        contract = ["status", "version", "commit", "description", "build_time", "instance_id"]
        assert list(shown) == [*contract, "role"]
        assert shown["role"] == "leader"
        assert (shown["status"], shown["description"], shown["instance_id"]) == (
            "pass",
            "manager service",
            "i-1",
        )

    play(part, tmp_path)
