"""Managers on one channel of a real broker."""

import asyncio

import pytest
from tests.mqtt.helpers import play, settings_for
from tests.parts.mosquitto import open_to_all, running

from propeller.errors import AnotherManager
from propeller.manager.channel import Channel
from propeller.manager.standing import Standing, Times


class PlayedLead:
    may_act = True

    async def acting(self):
        raise AssertionError("nobody waits here")


async def channel(broker, name, epoch, lead=None, on_message=lambda *_: None):
    standing = Standing(name, epoch, "", Times(quiet=0.1), is_leased=lead is not None)
    up = asyncio.Event()
    made = Channel(
        settings_for(broker, name),
        standing,
        topics=["said"],
        on_message=on_message,
        on_up=up.set,
        on_down=lambda _: None,
        on_too_large=lambda _: None,
        lead=lead,
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


def test_one_that_may_not_act_leaves_without_a_word_and_another_of_its_database_serves_at_once(tmp_path):
    async def part(broker):
        first, is_up = await channel(broker, "several", 1, PlayedLead())
        await is_up.wait()
        await first.pause()
        second, is_up = await channel(broker, "several", 2, PlayedLead())
        async with asyncio.timeout(Times().quiet / 2):
            await is_up.wait()
        await first.stop()
        assert second._standing.is_serving
        assert second._link.is_up
        await second.stop()

    with running(open_to_all(tmp_path / "broker")) as broker:
        play(part(broker))


def test_one_that_may_act_again_serves_and_sends_what_waited(tmp_path):
    async def part(broker):
        heard = []
        came = asyncio.Event()

        def on_message(topic, payload):
            heard.append(payload)
            came.set()

        lead = PlayedLead()
        first, is_up = await channel(broker, "several", 1, lead, on_message)
        await is_up.wait()
        is_up.clear()
        lead.may_act = False
        first.publish("said", b"late")
        await first.pause()
        await first.pause()
        assert not first._link.is_up
        assert heard == []
        lead.may_act = True
        await first.resume()
        await is_up.wait()
        await came.wait()
        assert heard == [b"late"]
        assert first._standing.is_serving
        await first.stop()

    with running(open_to_all(tmp_path / "broker")) as broker:
        play(part(broker))
