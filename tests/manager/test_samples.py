"""What proplets measure reaches the store in batches, and holds up nobody."""

import json

from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site, until

from propeller.core.events import CreateTasks
from propeller.manager import samples
from propeller.store.port import SampleOf
from propeller.wire.fleet.metrics import Metrics, TaskMetrics, TaskUsage


def create(*task_ids):
    return CreateTasks(specs=tuple(a_spec(task_id, module=MODULE) for task_id in task_ids))


def used(task_id, percent=1.0):
    return TaskMetrics(task_id=task_id, proplet_id="p", metrics=TaskUsage(cpu_percent=percent))


async def shown(site, of, owner_id):
    page = await site.store.samples(of, owner_id, 0, 10_000)
    return [json.loads(text) for text in page.items]


async def known(site):
    """Bring a proplet and a task."""
    site.bring_proplet()
    await site.manager.ask(create("a"), {MODULE: b"m"})


def test_they_are_written_soon(tmp_path):
    async def work(site):
        await known(site)
        site.manager.samples.take(used("a"))
        site.manager.samples.take(Metrics(proplet_id="p", namespace="n"))
        site.manager.samples.take(used("ghost"))
        await until(lambda: site.store.batches)
        await site.manager.samples.flush()
        (task,) = await shown(site, SampleOf.TASK, "a")
        assert (task["task_id"], task["metrics"]["cpu_percent"]) == ("a", 1.0)
        (proplet,) = await shown(site, SampleOf.PROPLET, "p")
        assert (proplet["proplet_id"], proplet["namespace"]) == ("p", "n")
        assert site.store.batches == [3], "all of them in one transaction"

    at_site(tmp_path, work)


def test_many_are_written_in_large_batches(tmp_path):
    async def work(site):
        await known(site)
        for number in range(1250):
            site.manager.samples.take(used("a", number))
        await site.manager.samples.flush()
        assert site.store.batches == [500, 500, 250]
        page = await shown(site, SampleOf.TASK, "a")
        assert [one["metrics"]["cpu_percent"] for one in page] == list(range(1249, 249, -1))

    at_site(tmp_path, work)


def test_what_was_taken_in_is_written_before_the_end(tmp_path):
    async def work(site):
        await known(site)
        site.manager.samples.take(used("a"))

    async def again(site):
        assert len(await shown(site, SampleOf.TASK, "a")) == 1

    at_site(tmp_path, work)
    at_site(tmp_path, again)


def test_nobody_waits_for_them(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(samples, "_WAITING_MAX", 1000)

    async def work(site):
        await known(site)
        site.store.sample_gate.clear()
        for number in range(500):
            site.manager.samples.take(used("a", number))
        await until(lambda: site.store.batches)
        await site.manager.ask(create("b"))  # while the samples are not yet written
        for number in range(1010):
            site.manager.samples.take(used("b", number))
        site.store.sample_gate.set()
        await site.manager.samples.flush()
        assert len(await shown(site, SampleOf.TASK, "a")) == 500
        assert len(await shown(site, SampleOf.TASK, "b")) == 1000
        assert "10 metrics were dropped" in caplog.text

    at_site(tmp_path, work)


def test_a_failure_is_logged_and_no_more(tmp_path, caplog):
    async def work(site):
        await known(site)
        site.store.is_broken = True
        site.manager.samples.take(used("a", 1))
        await site.manager.samples.flush()
        assert "1 metrics could not be written: the disk is full" in caplog.text
        site.store.is_broken = False
        await site.manager.ask(create("b"))
        site.manager.samples.take(used("a", 2))
        await site.manager.samples.flush()
        assert [one["metrics"]["cpu_percent"] for one in await shown(site, SampleOf.TASK, "a")] == [2]

    at_site(tmp_path, work)
