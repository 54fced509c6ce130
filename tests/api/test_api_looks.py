"""Looks at many tasks: in portions, in turns, and behind the work."""

import asyncio
import time
from itertools import pairwise

from propeller.api.looks import PORTION, Looks
from tests.api.helpers import ids, play


def test_a_group_of_several_portions_is_shown_whole(tmp_path):
    count = 2 * PORTION + 1

    async def part(site):
        tasks = [{"id": f"t{n}", "name": "f"} for n in range(count)]
        for task, before in zip(tasks[1:], tasks, strict=False):
            task["depends_on"] = [before["id"]]
        created = (await site.post("/workflows", {"tasks": tasks}))["tasks"]
        shown = await site.get(f"/workflows/{created[0]['workflow_id']}")
        assert shown["tasks"] == created
        assert [(edge["from"], edge["to"]) for edge in shown["edges"]] == [
            (f"t{n}", f"t{n + 1}") for n in range(count - 1)
        ]
        tasks = [{"id": f"j{n}", "name": "f", "job_id": "j"} for n in range(2 * PORTION)]
        await site.post("/jobs", {"tasks": tasks})
        for tasks_of_job in (
            (await site.get("/jobs/j"))["tasks"],
            (await site.get("/jobs"))["jobs"][0]["tasks"],
        ):
            assert ids(tasks_of_job) == [f"j{n}" for n in range(2 * PORTION)]

    play(part, tmp_path)


def test_the_work_has_the_greater_part_of_the_time():
    """After a portion the next look waits for three times as long, and a look that is over has gone on."""

    async def scene():
        looks = Looks(lambda: is_at_work)
        is_at_work = True
        spans = []
        for _ in range(3):
            began = time.perf_counter()
            async with looks.portion():
                waited, entered = time.perf_counter() - began, time.perf_counter()
                while time.perf_counter() - entered < 0.01:  # it reads, and holds up the loop
                    pass
            spans.append((waited, time.perf_counter() - entered))
        for (_, took), (waited, _) in pairwise(spans):
            assert waited > 2 * took
        is_at_work = False
        async with looks.portion():
            pass
        began = time.perf_counter()
        async with looks.portion():
            assert time.perf_counter() - began < 0.01

    asyncio.run(scene())


def test_a_look_that_fails_lets_the_next_one_in():
    async def scene():
        looks = Looks(lambda: False)
        for _ in range(2):
            try:
                async with looks.portion():
                    raise ValueError
            except ValueError:
                pass

    asyncio.run(scene())
