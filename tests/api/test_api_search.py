"""Searches among all tasks: by text, by proplet, and page by page."""

from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT, ids, play

TASK = {"name": "f", "file": ADDITION_TEXT, "inputs": [1]}


async def _make(site):
    for task_id, name in (("sum-1", "add"), ("sum-2", "add"), ("x", "Summary"), ("y", "other")):
        await site.post("/tasks", {**TASK, "id": task_id, "name": name})


def test_tasks_are_found_by_id_and_by_name(tmp_path):
    async def part(site):
        await _make(site)
        for query, expected in {
            "search=sum": ["sum-1", "sum-2", "x"],
            "search=SUM&order=newest": ["sum-2", "sum-1", "x"],
            "search=sum-2": ["sum-2"],
            "search=mMa": ["x"],
            "search=none": [],
            "search=sum&state=completed": [],
            "search=add&name=add&id_prefix=sum-2": ["sum-2"],
            "proplet_id=p-9": [],
        }.items():
            page = await site.get(f"/tasks?{query}&file=false")
            assert list(page) == ["offset", "limit", "tasks"], query
            assert ids(page["tasks"]) == expected, query

    play(part, tmp_path)


def test_a_search_is_paged_by_cursor(tmp_path):
    async def part(site):
        await _make(site)
        first = await site.get("/tasks?cursor=&limit=3")
        assert list(first) == ["offset", "limit", "total", "tasks", "next_cursor"]
        assert (first["total"], ids(first["tasks"])) == (4, ["sum-1", "sum-2", "x"])
        await site.delete("/tasks/sum-1")
        second = await site.get(f"/tasks?cursor={first['next_cursor']}&limit=3")
        assert (ids(second["tasks"]), "next_cursor" in second) == (["y"], False)
        one = await site.get("/tasks?search=sum&limit=1")
        assert "total" not in one
        found, pages = ids(one["tasks"]), 1
        while "next_cursor" in one:
            one = await site.get(f"/tasks?search=sum&limit=1&cursor={one['next_cursor']}")
            found, pages = [*found, *ids(one["tasks"])], pages + 1
        assert found == ["sum-2", "x"]
        assert pages <= 3

    play(part, tmp_path)


def test_without_a_search_the_list_is_as_it_was(tmp_path):
    async def part(site):
        await _make(site)
        for query in ("", "?limit=2", "?order=newest&offset=1&limit=2", "?search=&proplet_id=&limit=2"):
            page = await site.get(f"/tasks{query}")
            assert list(page) == ["offset", "limit", "total", "tasks"], query
            assert page["total"] == 4

    play(part, tmp_path)


def test_tasks_are_found_by_their_proplet(tmp_path):
    async def part(site):
        await _make(site)
        site.bring_proplet("p-1")
        await site.post("/tasks/x/start", status=200)
        await site.reached(COMPLETED, "x")
        assert ids((await site.get("/tasks?proplet_id=p-1"))["tasks"]) == ["x"]
        assert ids((await site.get("/tasks?proplet_id=p-1&state=failed"))["tasks"]) == []

    play(part, tmp_path)


def test_wrong_searches_are_refused(tmp_path):
    async def part(site):
        for query, said in {
            "search=a&offset=5": "offset: a search goes on by cursor; leave it out",
            "cursor=&offset=1": "offset: a search goes on by cursor",
            "cursor=nonsense": "cursor: it is none; give the next_cursor of the page before, as it is",
            "cursor=WyJhIl0": "cursor: it is none",
            f"search={'a' * 1001}": "search: it is longer than 1000 characters; give a part of it",
            "search=a&limit=0": "give 1 to 100",
        }.items():
            assert said in await site.refused("GET", f"/tasks?{query}", 400), query
        assert "cursor: it is none" in await site.refused("GET", "/workflows?cursor=WzFd", 400), "of tasks"
        assert (await site.get("/tasks?search=a&offset=0"))["tasks"] == []

    play(part, tmp_path)
