"""What guests write reaches the store in batches, and those who follow its task as soon as it is there."""

import asyncio
import socket

import msgspec
from tests.builders import a_spec
from tests.manager.helpers import MODULE, at_site, until
from tests.parts.mosquitto import open_to_all
from tests.parts.mosquitto import running as running_broker

from propeller.core.events import CreateTasks, StartTask
from propeller.core.states import RUNNING
from propeller.manager import logs
from propeller.manager.local_fleet import LocalFleet
from propeller.manager.mqtt_fleet import MqttFleet
from propeller.manager.standing import Standing
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings
from propeller.store.port import LogFilter
from propeller.wire.fleet.codec import encode, to_line
from propeller.wire.fleet.from_proplet import Create, Logs
from propeller.wire.fleet.messages import topic_of


def create(*task_ids):
    return CreateTasks(specs=tuple(a_spec(task_id, module=MODULE) for task_id in task_ids))


def wrote(task_id, offset, text, **fields):
    told = {"attempt": 1, "stream": "stderr", "at": 5, "proplet_id": "p", **fields}
    return Logs(task_id=task_id, offset=offset, text=text, **told)


async def texts(site, task_id):
    return [one.text for _, one in (await site.store.logs(LogFilter(task_id), 0, 100_000)).items]


async def running(site, *task_ids):
    """Bring a proplet, and tasks that run on it."""
    site.bring_proplet()
    site.fleet.is_quick = False
    await site.manager.ask(create(*task_ids), {MODULE: b"m"})
    for task_id in task_ids:
        await site.manager.ask(StartTask(task_id))
    await site.reached(RUNNING, *task_ids)


def test_they_are_written_soon(tmp_path):
    async def work(site):
        await running(site, "a")
        site.manager.logs.take(wrote("a", 0, "one\n"))
        site.manager.logs.take(wrote("ghost", 0, "nobody's"))
        site.manager.logs.take(wrote("a", 4, "two\n"))
        await until(lambda: site.store.log_batches)
        await site.manager.logs.flush()
        assert await texts(site, "a") == ["one\n", "two\n"]
        assert site.store.log_batches == [3], "all of them in one transaction"

    at_site(tmp_path, work)


def test_many_are_written_in_batches_of_a_bounded_size(tmp_path):
    async def work(site):
        await running(site, "a", "b")
        for number in range(20):
            site.manager.logs.take(wrote("a", number * 65536, "x" * 65536))
        await site.manager.logs.flush()
        for number in range(1000):
            site.manager.logs.take(wrote("b", number, "x"))
        await site.manager.logs.flush()
        assert max(site.store.log_batches) <= 512
        assert site.store.log_batches[0] < 20
        assert len(await texts(site, "b")) == 1000

    at_site(tmp_path, work)


def test_what_was_taken_in_is_written_before_the_end(tmp_path):
    async def work(site):
        await running(site, "a")
        site.manager.logs.take(wrote("a", 0, "one\n"))

    async def again(site):
        assert await texts(site, "a") == ["one\n"]

    at_site(tmp_path, work)
    at_site(tmp_path, again)


def test_nobody_waits_for_them(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(logs, "_WAITING_MAX", 100 * 65536)

    async def work(site):
        await running(site, "a")
        site.store.sample_gate.clear()
        for number in range(16):
            site.manager.logs.take(wrote("a", number * 65536, "x" * 65536))
        await until(lambda: site.store.log_batches)
        await site.manager.ask(create("b"))  # while the first are not yet written
        for number in range(200):
            site.manager.logs.take(wrote("ghost", number * 65536, "x" * 65536))
        site.store.sample_gate.set()
        await site.manager.logs.flush()
        assert len(await texts(site, "a")) == 16
        assert "pieces of logs were dropped: they come faster than they can be written" in caplog.text

    at_site(tmp_path, work)


def test_a_failure_is_logged_and_no_more(tmp_path, caplog):
    async def work(site):
        await running(site, "a")
        site.store.is_broken = True
        site.manager.logs.take(wrote("a", 0, "one"))
        await site.manager.logs.flush()
        assert "1 pieces of logs could not be written: the disk is full" in caplog.text
        site.store.is_broken = False
        site.manager.logs.take(wrote("a", 3, "two"))
        await site.manager.logs.flush()
        assert await texts(site, "a") == ["two"]

    at_site(tmp_path, work)


def test_followers_hear_of_their_own_task_when_it_is_in_the_store(tmp_path):
    async def work(site):
        await running(site, "a", "b")
        taken = site.manager.logs
        with taken.following("a") as one, taken.following("a") as other, taken.following("b") as of_b:
            taken.take(wrote("a", 0, "one"))
            assert not one.is_set()
            await one.wait()
            await other.wait()
            assert not of_b.is_set()
            assert await texts(site, "a") == ["one"]
        taken.take(wrote("a", 3, "two"))
        await taken.flush()

    at_site(tmp_path, work)


def test_a_local_proplet_sends_them(tmp_path):
    async def work(site):
        await running(site, "a")
        ours, theirs = socket.socketpair()
        fleet = LocalFleet(site.manager)
        await fleet.attach(ours)
        _, writer = await asyncio.open_unix_connection(sock=theirs)
        with site.manager.logs.following("a") as news:
            writer.write(to_line(Create(proplet_id="p", boot=1, slots=1)) + to_line(wrote("a", 0, "one\n")))
            await news.wait()
        assert await texts(site, "a") == ["one\n"]
        writer.close()
        await writer.wait_closed()

    at_site(tmp_path, work)


def test_a_proplet_behind_a_broker_sends_them(tmp_path):
    async def work(site, broker):
        await running(site, "a")
        far = MqttSettings(
            address=f"tcp://{broker.address}", tenant_id="t", channel_id="c", entity_id="manager"
        )
        fleet = MqttFleet(site.manager, far, Standing("m", 1, "here"))
        await fleet.start()
        await fleet._channel._link.up()
        link = Link(
            msgspec.structs.replace(far, entity_id="p"), topics=[], on_message=print, on_up=lambda: None
        )
        await link.start()
        await link.up()
        message = wrote("a", 0, "one\n")
        with site.manager.logs.following("a") as news:
            for _ in range(2):
                link.publish(topic_of(message), encode(message))
            await news.wait()
            news.clear()
            link.publish(topic_of(message), encode(wrote("a", 4, "two\n")))
            await news.wait()
        assert await texts(site, "a") == ["one\n", "two\n"]
        await link.stop()
        await fleet.stop()

    with running_broker(open_to_all(tmp_path)) as broker:
        at_site(tmp_path / "data", lambda site: work(site, broker))
