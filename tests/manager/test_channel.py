"""Managers on one channel of a real broker."""

import asyncio

import pytest
from tests.mqtt.helpers import play, settings_for
from tests.parts.mosquitto import open_to_all, running

from propeller.errors import AnotherManager
from propeller.manager.channel import Channel
from propeller.manager.standing import Standing, Times


async def channel(broker, name, epoch):
    standing = Standing(name, epoch, "", Times(quiet=0.1))
    up = asyncio.Event()
    made = Channel(
        settings_for(broker, name),
        standing,
        topics=[],
        on_message=lambda *_: None,
        on_up=up.set,
        on_down=lambda _: None,
        on_too_large=lambda _: None,
    )
    await made.start()
    return made, up


def test_who_refuses_to_start_has_taken_leave_before_it_says_so(tmp_path):
    """Otherwise the broker keeps, in place of the other one's word, that somebody is gone who never served."""

    async def part(broker):
        first, is_up = await channel(broker, "first", 1)
        await is_up.wait()
        second, _ = await channel(broker, "second", 2)
        with pytest.raises(AnotherManager, match="first, is alive"):
            await second.running
        is_connected = second._link._client.is_connected
        await second.stop()
        await first.stop()
        assert not is_connected

    with running(open_to_all(tmp_path / "broker")) as broker:
        play(part(broker))
