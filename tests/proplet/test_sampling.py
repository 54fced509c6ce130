"""What a proplet measures, with real guests in real processes; only the clock is played."""

import asyncio

import psutil
import pytest
from tests.builders import SLEEP
from tests.proplet.helpers import LOOP, a_proplet
from tests.runtime.helpers import a_pool, until

from propeller.proplet.container import ContainerMemory, container_memory
from propeller.proplet.metrics import Sampler
from propeller.proplet.profile import Monitoring, profile_of
from propeller.proplet.run_sampler import aggregate
from propeller.runtime.guest_run import Ended, Usage
from propeller.wire.fleet.from_manager import Start
from propeller.wire.fleet.metrics import Metrics, TaskMetrics, TaskUsage

PAGE = 65536
BURN = '(module (memory (export "memory") 3) (func (export "main") (loop (br 0))))'
GROW = """(module (memory (export "memory") 1) (func (export "main") (param i32)
  (drop (memory.grow (local.get 0)))))"""
NOW = 1_777_885_811_500_000_000
NOW_TEXT = "2026-05-04T09:10:11.5Z"
ALL_OFF = {
    "collect_cpu": False,
    "collect_memory": False,
    "collect_disk_io": False,
    "collect_threads": False,
    "collect_file_descriptors": False,
}


class Bench:
    """A sampler beside a pool, and a clock to be put forward."""

    def __init__(self, running, settings):
        self.running = running
        self.starts = {}
        self.seconds = 1000.0
        self.sampler = Sampler("p", running.pool, self.starts.get, settings, clock=lambda: self.seconds)

    async def begin(self, key, module, *inputs, export="main", **fields):
        """Start a run and wait until it is executed; the sampler has seen it then."""
        self.submit(key, module, *inputs, export=export, **fields)
        await self.running.executing(key)
        assert self.tick() == []

    def submit(self, key, module, *inputs, export="main", **fields):
        self.starts[key] = Start(id=f"t{key}", name=export, **fields)
        self.running.submit(module, export, *inputs, keys=[key])

    async def end(self, key):
        """Wait for the end of a run, and give the sample that is left of it."""
        ended = await self.running.ended(key)
        self.sampler.ended(ended, NOW)
        del self.starts[key]
        return self.tick()

    def tick(self, seconds=0):
        self.seconds += seconds
        return self.sampler.tick(NOW)

    async def burned(self, key):
        """Wait until the process of a run has used processor time since now."""
        process = psutil.Process(self.running.pool.executing()[key])
        before = process.cpu_times().user
        await until(lambda: process.cpu_times().user > before + 0.05, "the guest to compute")


def at_bench(part, tmp_path, settings=Monitoring(interval_s=0), size=2):  # noqa: B008  it is frozen
    async def scene():
        async with a_pool(tmp_path, size=size) as running:
            await part(Bench(running, settings))

    asyncio.run(scene())


# -- tasks while they run ------------------------------------------------------------------------------------


def test_each_long_run_is_measured_by_itself(tmp_path):
    async def part(bench):
        await bench.begin(1, BURN)
        await bench.begin(2, SLEEP, str(3600 * 10**9), export="sleep")
        await bench.burned(1)
        burning, sleeping = bench.tick(10)
        assert (burning.task_id, sleeping.task_id) == ("t1", "t2")
        assert (burning.proplet_id, burning.timestamp) == ("p", NOW_TEXT)
        used = burning.metrics
        assert used.cpu_seconds > 0.04
        assert used.cpu_percent == pytest.approx(100 * used.cpu_seconds / 10)
        assert sleeping.metrics.cpu_seconds < used.cpu_seconds
        assert (used.uptime_seconds, used.wall_seconds) == (10, 10)
        process = psutil.Process(bench.running.pool.executing()[1])
        assert used.memory_bytes == pytest.approx(process.memory_info().rss, rel=0.5), "bytes"
        assert used.memory_percent == pytest.approx(100 * used.memory_bytes / psutil.virtual_memory().total)
        assert used.thread_count == process.num_threads()
        assert used.file_descriptor_count > 0
        assert burning.aggregated.sample_count == 1

    at_bench(part, tmp_path)


def test_samples_follow_the_interval_and_add_up(tmp_path):
    async def part(bench):
        await bench.begin(1, BURN, monitoring_profile={"enabled": True, "interval": 2, "history_size": 2})
        assert bench.tick(1) == []
        await bench.burned(1)
        (first,) = bench.tick(1)
        assert bench.tick(1) == []
        (second,) = bench.tick(1)
        assert second.metrics.cpu_seconds >= first.metrics.cpu_seconds
        assert second.metrics.uptime_seconds == 4
        assert second.aggregated == aggregate([first.metrics, second.metrics])
        (third,) = bench.tick(5)
        assert third.aggregated == aggregate([second.metrics, third.metrics]), "two are retained"
        bench.running.pool.stop_run(1)
        (last,) = await bench.end(1)
        assert last.metrics.peak_memory_bytes == 3 * PAGE
        assert last.metrics.memory_bytes == third.metrics.memory_bytes, "as its process was last seen"
        assert last.metrics.thread_count == third.metrics.thread_count
        assert last.metrics.cpu_seconds > 0.04
        assert last.aggregated == aggregate([third.metrics, last.metrics])

    at_bench(part, tmp_path)


def test_a_long_run_without_a_profile_has_an_end_too(tmp_path):
    async def part(bench):
        await bench.begin(1, BURN)
        assert bench.tick(9) == [], "ten seconds, where nothing is said"
        assert len(bench.tick(1)) == 1
        bench.running.pool.stop_run(1)
        (last,) = await bench.end(1)
        assert last.aggregated.sample_count == 2

    at_bench(part, tmp_path)


def test_a_process_that_died_ends_its_samples(tmp_path):
    async def part(bench):
        await bench.begin(1, BURN)
        psutil.Process(bench.running.pool.executing()[1]).kill()
        assert await bench.end(1) == []
        await bench.begin(2, BURN)
        assert len(bench.tick(10)) == 1

    at_bench(part, tmp_path)


# -- tasks at their end --------------------------------------------------------------------------------------


def test_short_runs_are_measured_only_for_those_who_ask(tmp_path):
    async def part(bench):
        for key in range(1, 30):
            bench.submit(key, GROW, "7")
        for key in range(1, 30):
            assert await bench.end(key) == []
        bench.submit(30, GROW, "7", monitoring_profile={"enabled": True})
        (only,) = await bench.end(30)
        used = only.metrics
        assert (used.peak_memory_bytes, used.memory_bytes) == (8 * PAGE, 8 * PAGE)
        assert used.memory_percent > 0
        assert 0 < used.cpu_seconds <= used.wall_seconds * 1.2
        assert (used.uptime_seconds, used.thread_count, used.disk_write_bytes) == (0, 1, 0)
        assert only.aggregated.sample_count == 1
        assert only.aggregated.max_memory_usage == 8 * PAGE
        bench.submit(31, GROW, "nonsense", monitoring_profile={"enabled": True})
        (failed,) = await bench.end(31)
        assert failed.metrics.peak_memory_bytes == 0

    at_bench(part, tmp_path)


@pytest.mark.parametrize("profile", [{"enabled": False}, {"enabled": True, "export_to_mqtt": False}])
def test_what_is_not_wanted_is_not_sent(tmp_path, profile):
    async def part(bench):
        bench.submit(1, GROW, "1", monitoring_profile=profile)
        assert await bench.end(1) == []
        await bench.begin(2, BURN, monitoring_profile=profile)
        assert bench.tick(200) == []
        bench.running.pool.stop_run(2)
        assert await bench.end(2) == []

    at_bench(part, tmp_path)


def test_what_is_not_collected_is_left_out(tmp_path):
    async def part(bench):
        profile = {"enabled": True, "interval": 1, "retain_history": False, **ALL_OFF}
        await bench.begin(1, BURN, monitoring_profile=profile)
        (sample,) = bench.tick(3)
        bench.running.pool.stop_run(1)
        (last,) = await bench.end(1)
        assert sample.aggregated is None
        assert sample.metrics == TaskUsage(uptime_seconds=3, wall_seconds=3.0)
        wall_s = last.metrics.wall_seconds
        assert last.metrics == TaskUsage(uptime_seconds=int(wall_s), wall_seconds=wall_s)

    at_bench(part, tmp_path)


def test_a_run_that_nobody_waits_for_is_not_measured():
    class Nothing:
        def served(self):
            return {}

        def executing(self):
            return {}

        def processes(self):
            return []

    sampler = Sampler("p", Nothing(), {}.get, Monitoring(interval_s=0), clock=lambda: 0.0)
    sampler.ended([Ended(1, "", None, 1, 2, usage=Usage(1, 1))], NOW)
    assert sampler.tick(NOW) == []


# -- the proplet ---------------------------------------------------------------------------------------------


def test_the_proplet_with_its_guests(tmp_path):
    async def part(bench):
        assert bench.tick(29) == []
        await bench.begin(1, BURN, monitoring_profile={"enabled": False})
        await bench.burned(1)
        (first,) = bench.tick(1)
        assert isinstance(first, Metrics)
        assert (first.proplet_id, first.timestamp) == ("p", NOW_TEXT)
        assert first.cpu_metrics.user_seconds > psutil.Process().cpu_times().user
        assert first.cpu_metrics.system_seconds > 0
        assert 0 < first.cpu_metrics.percent <= 100
        assert first.memory_metrics.rss_bytes > psutil.Process().memory_info().rss
        bench.running.pool.stop_run(1)
        await bench.end(1)
        bench.running.kill()
        before = first.cpu_metrics
        (second,) = bench.tick(30)
        after = second.cpu_metrics
        used_s = after.user_seconds + after.system_seconds - before.user_seconds - before.system_seconds
        assert after.percent == pytest.approx(max(used_s, 0) / 30 / psutil.cpu_count() * 100)

    at_bench(part, tmp_path, Monitoring(interval_s=30))


@pytest.mark.parametrize("settings", [Monitoring(enabled=False, interval_s=1), Monitoring(interval_s=0)])
def test_it_can_be_switched_off(tmp_path, settings):
    async def part(bench):
        assert bench.tick(1000) == []
        bench.submit(1, GROW, "1", monitoring_profile={"enabled": True})
        assert len(await bench.end(1)) == settings.enabled

    at_bench(part, tmp_path, settings)


def test_the_process_sends_both(tmp_path):
    with a_proplet(tmp_path, monitoring=Monitoring(interval_s=1)) as proplet:
        proplet.start("t", LOOP, monitoring_profile={"enabled": True, "interval": 1})
        own = proplet.wait_for(Metrics)
        assert own.proplet_id == "p"
        assert own.memory_metrics.rss_bytes > 0
        task = proplet.wait_for(TaskMetrics)
        assert (task.task_id, task.proplet_id) == ("t", "p")
        assert task.metrics.cpu_seconds >= 0
        assert task.timestamp.endswith("Z")


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "interval", "history_size"),
    [
        ({}, 10, 100),
        ({"daemon": True}, 120, 500),
        ({"monitoring_profile": {"interval": 5, "history_size": 7}}, 5, 7),
        ({"monitoring_profile": {"interval": 0, "history_size": -1}}, 10, 100),
        ({"monitoring_profile": {"interval": 5_000_000_000}}, 120, 100),
        ({"monitoring_profile": {"interval": "often", "history_size": None}}, 10, 100),
    ],
)
def test_profiles(start, interval, history_size):
    profile = profile_of(Start(id="t", name="main", **start))
    assert (profile.interval, profile.history_size) == (interval, history_size)
    assert profile.collect_cpu
    assert profile.export_to_mqtt
    assert profile.is_asked_for == ("monitoring_profile" in start)


# -- containers ----------------------------------------------------------------------------------------------


def write(root, files):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("files", "memory"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n"}, None),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "max\n",
                "sys/fs/cgroup/memory.current": "7\n",
            },
            None,
        ),
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": "512\n",
                "sys/fs/cgroup/memory.current": "7\n",
            },
            ContainerMemory(7, 512),
        ),
        (
            {
                "proc/self/cgroup": "0::/a.slice/b.service\n",
                "sys/fs/cgroup/a.slice/memory.max": "512\n",
                "sys/fs/cgroup/a.slice/memory.current": "7\n",
                "sys/fs/cgroup/a.slice/b.service/memory.max": "max\n",
                "sys/fs/cgroup/a.slice/b.service/memory.current": "5\n",
            },
            ContainerMemory(7, 512),
        ),
        (
            {
                "proc/self/cgroup": "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1024\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "9\n",
            },
            ContainerMemory(9, 1024),
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": "9\n",
            },
            None,
        ),
    ],
)
def test_the_memory_of_a_container(tmp_path, files, memory):
    write(tmp_path, files)
    assert container_memory(tmp_path) == memory
