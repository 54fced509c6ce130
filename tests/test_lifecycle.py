"""What holds for each part that works in the background: it may be started and stopped twice."""

import asyncio
import contextlib
import os
import socket
import sys

import psutil
import pytest

from propeller.core.model import JobMode
from propeller.core.policy import Policy
from propeller.manager.channel import Channel
from propeller.manager.follower import Follower
from propeller.manager.leaders import Leaders
from propeller.manager.mqtt_fleet import MqttFleet
from propeller.manager.service import Manager
from propeller.manager.standing import Standing
from propeller.manager.supervisor import Launch, Supervisor
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.mqtt_uplink import MqttUplink
from propeller.proplet.socket_uplink import SocketUplink
from propeller.runtime.external.runtime import ExternalRuntime
from propeller.runtime.guest_run import Limits
from propeller.runtime.pool.pool import Pool
from propeller.store.sqlite.store import SqliteStore

DEADLINE_S = 60
#: Nobody listens there, so links go on trying to connect.
NOWHERE = MqttSettings(address="tcp://127.0.0.1:1", tenant_id="t", channel_id="c", entity_id="e")


class Nobody:
    """Takes whatever it is told."""

    def __getattr__(self, name):
        return lambda *_, **__: None


class PlayedFleet:
    async def attach(self, end):
        end.close()


async def manager(tmp_path, stack):
    store = SqliteStore(tmp_path, durability="normal")
    stack.push_async_callback(store.close)
    made = Manager(store, policy=Policy(), keep_ended_s=60)
    await made.load()
    return made


async def mqtt_fleet(tmp_path, stack):
    owner = await manager(tmp_path, stack)
    await owner.start()
    stack.push_async_callback(owner.stop)
    return MqttFleet(owner, NOWHERE, Standing("m", 1, "here"))


async def channel(tmp_path, stack):
    told = dict.fromkeys(("on_message", "on_up", "on_down", "on_too_large"), lambda *_: None)
    return Channel(NOWHERE, Standing("m", 1, "here"), topics=[], **told)


async def link(tmp_path, stack):
    return Link(NOWHERE, topics=[], on_message=print)


async def mqtt_uplink(tmp_path, stack):
    return MqttUplink(Nobody(), NOWHERE, boot=1, namespace="default")


async def socket_uplink(tmp_path, stack):
    ours, theirs = socket.socketpair()
    stack.callback(theirs.close)
    stack.callback(ours.close)
    ours.setblocking(False)
    return SocketUplink(Nobody(), ours)


async def supervisor(tmp_path, stack):
    sleeping = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
    return Supervisor(PlayedFleet(), ["p", "q"], lambda *_: Launch(sleeping))


async def pool(tmp_path, stack):
    return Pool(tmp_path, size=2, limits=Limits(), on_ended=print)


async def external_runtime(tmp_path, stack):
    return ExternalRuntime("/bin/false", tmp_path, size=2, limits=Limits(), on_ended=print)


async def follower(tmp_path, stack):
    store = SqliteStore(tmp_path, durability="normal")
    stack.push_async_callback(store.close)
    return Follower(store, Leaders(), job_mode=JobMode.PARALLEL)


PARTS = [
    manager, follower, mqtt_fleet, channel, link, mqtt_uplink, socket_uplink, supervisor, pool, external_runtime,
]  # fmt: skip


async def at_work():
    """Count what goes on in this program and below it, once all that was begun or cancelled has had its turn."""
    for _ in range(10):
        await asyncio.sleep(0)
    tasks = len(asyncio.all_tasks())
    children = [child.pid for child in psutil.Process(os.getpid()).children(recursive=True)]
    return tasks, sorted(children)


def play(make, tmp_path, scene):
    async def whole():
        async with asyncio.timeout(DEADLINE_S), contextlib.AsyncExitStack() as stack:
            await scene(await make(tmp_path, stack))

    asyncio.run(whole())


@pytest.mark.parametrize("make", PARTS)
def test_a_part_that_was_not_started_can_be_stopped(make, tmp_path):
    async def scene(part):
        before = await at_work()
        await part.stop()
        assert await at_work() == before

    play(make, tmp_path, scene)


@pytest.mark.parametrize("make", PARTS)
def test_a_part_may_be_started_and_stopped_twice(make, tmp_path):
    async def scene(part):
        before = await at_work()
        await part.start()
        started = await at_work()
        await part.start()
        assert await at_work() == started
        await part.stop()
        await part.stop()
        assert await at_work() == before

    play(make, tmp_path, scene)
