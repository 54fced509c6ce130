"""What proplets measure, as the API shows it."""

import json

import pytest

from propeller.wire.fleet.codec import from_line
from tests.api.helpers import play

#: ``mqtt``, sections 4.5 and 4.6, as existing proplets send it.
TASK_LINE = (
    '["control/proplet/task_metrics",{"task_id":"t1","proplet_id":"p1","metrics":{"cpu_percent":%s,'
    '"memory_bytes":4096,"memory_percent":0,"disk_read_bytes":0,"disk_write_bytes":0,"uptime_seconds":3,'
    '"thread_count":2,"file_descriptor_count":%d},"aggregated":%s,"timestamp":{"secs_since_epoch":1777885811,'
    '"nanos_since_epoch":500000000}}]'
)
AGGREGATED = (
    '{"avg_cpu_usage":1.5,"max_cpu_usage":1.5,"avg_memory_usage":4096,"max_memory_usage":4096,'
    '"total_disk_read":0,"total_disk_write":0,"sample_count":1}'
)
PROPLET_LINE = (
    '["control/proplet/metrics",{"proplet_id":"p-9","namespace":"default","timestamp":%s,"cpu_metrics":{'
    '"user_seconds":1.2,"system_seconds":0.4,"percent":12.5},"memory_metrics":{"rss_bytes":52428800,'
    '"heap_alloc_bytes":0,"heap_sys_bytes":0,"heap_inuse_bytes":0%s}}]'
)
#: ``http-api``, section 3.11, letter for letter.
TASK_PAGE = (
    '{"offset":0,"limit":100,"total":1,"metrics":[{"task_id":"t1","proplet_id":"p1","metrics":{'
    '"cpu_percent":1.5,"memory_bytes":4096,"memory_percent":0.0,"disk_read_bytes":0,"disk_write_bytes":0,'
    '"uptime_seconds":3,"thread_count":2,"file_descriptor_count":9},"aggregated":' + AGGREGATED + ","
    '"timestamp":"2026-05-04T09:10:11.5Z"}]}\n'
)


async def measured(site, *lines):
    for line in lines:
        site.manager.samples.take(from_line(line.encode()))
    await site.manager.samples.flush()


async def a_task(site):
    created = (await site.post("/workflows", {"tasks": [{"id": "t1", "name": "main"}]}))["tasks"]
    assert created[0]["id"] == "t1"


def test_the_metrics_of_a_task(tmp_path):
    async def part(site):
        await a_task(site)
        empty = {"offset": 0, "limit": 100, "total": 0, "metrics": []}
        assert await site.get("/tasks/t1/metrics") == empty
        await measured(site, TASK_LINE % ("1.5", 9, AGGREGATED))
        assert (await site.http.get("/tasks/t1/metrics")).text == TASK_PAGE
        assert (await site.http.get("/tasks/t1/metrics/")).text == TASK_PAGE
        await measured(site, TASK_LINE % ("2.5", 0, "null"))
        newest = (await site.get("/tasks/t1/metrics"))["metrics"][0]
        assert list(newest) == ["task_id", "proplet_id", "metrics", "timestamp"], "there is no aggregate"
        assert newest["metrics"]["cpu_percent"] == 2.5
        assert "file_descriptor_count" not in newest["metrics"]
        await site.delete("/workflows/" + (await site.get("/tasks/t1"))["workflow_id"])
        await site.refused("GET", "/tasks/t1/metrics", 404)

    play(part, tmp_path)


def test_the_metrics_of_a_proplet(tmp_path):
    async def part(site):
        site.bring_proplet("p-9")
        await site.turned()
        await measured(
            site,
            PROPLET_LINE % ('"2026-05-04T11:10:11+02:00"', ""),
            PROPLET_LINE % ("4711", ',"container_usage_bytes":5,"container_limit_bytes":6'),
            PROPLET_LINE % ('"2026-05-04T09:10:12Z"', ',"heap_free_bytes":1,"heap_max_alloc_bytes":2'),
        )
        page = await site.get("/proplets/p-9/metrics")
        assert list(page) == ["offset", "limit", "total", "metrics"]
        assert (page["offset"], page["limit"], page["total"]) == (0, 100, 3)
        embedded, contained, plain = page["metrics"]
        assert json.dumps(plain) == json.dumps(
            {
                "proplet_id": "p-9",
                "namespace": "default",
                "timestamp": "2026-05-04T09:10:11Z",
                "cpu_metrics": {"user_seconds": 1.2, "system_seconds": 0.4, "percent": 12.5},
                "memory_metrics": {
                    "rss_bytes": 52428800,
                    "heap_alloc_bytes": 0,
                    "heap_sys_bytes": 0,
                    "heap_inuse_bytes": 0,
                },
            }
        )
        assert contained["timestamp"] > "2026-05-04", "a number tells no time"
        assert contained["memory_metrics"]["container_limit_bytes"] == 6
        assert embedded["memory_metrics"]["heap_max_alloc_bytes"] == 2

    play(part, tmp_path)


def test_pages(tmp_path):
    async def part(site):
        await a_task(site)
        await measured(site, *(TASK_LINE % (float(number), 9, "null") for number in range(5)))

        async def numbers(query):
            page = await site.get(f"/tasks/t1/metrics{query}")
            assert page["total"] == 5
            return [sample["metrics"]["cpu_percent"] for sample in page["metrics"]]

        assert await numbers("") == [4, 3, 2, 1, 0]
        assert await numbers("?offset=1&limit=2") == [3, 2]
        assert await numbers("?limit=0") == []
        assert await numbers("?limit=1000&offset=5") == []
        assert await numbers("?offset=9223372036854775807") == []

    play(part, tmp_path)


@pytest.mark.parametrize(
    "path", ["/tasks/t1/metrics", "/proplets/p-9/metrics", "/proplets/p-9/alive-history"]
)
def test_what_is_refused(tmp_path, path):
    async def part(site):
        _, kind, name, _ = path.split("/")
        assert await site.refused("GET", path, 404) == f"not found: there is no {kind[:-1]} {name}"
        await a_task(site)
        site.bring_proplet("p-9")
        await site.turned()
        await site.get(path)
        assert "invalid limit size" in await site.refused("GET", f"{path}?limit=1001", 400)
        for query in ("offset=-1", "offset=x", "limit=x", "limit=-1", "offset=18446744073709551615"):
            name = query.partition("=")[0]
            assert f"invalid {name}: parsing" in await site.refused("GET", f"{path}?{query}", 400)

    play(part, tmp_path)
