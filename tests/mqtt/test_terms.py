"""What a broker takes of a link: how much at once, and which sessions; and what it is told of it."""

import asyncio

import pytest
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from propeller.backoff import Backoff
from propeller.mqtt.link import Link
from propeller.mqtt.settings import MqttSettings
from tests.mqtt.helpers import (
    Ear,
    Sessionless,
    Starting,
    linked,
    most_on_their_way,
    numbered,
    play,
    said,
    settings_for,
)
from tests.parts.mosquitto import open_to_all, running


async def most_of_many(settings):
    """Publish many messages; return how many were on their way at once."""
    async with linked(settings, "news") as (link, ear):
        most = most_on_their_way(link)
        numbered(link, range(300))
        await link.drained()
        await ear.has_heard("299")
        return most()


@pytest.mark.parametrize(
    ("version", "takes", "inflight", "most"),
    [
        (MQTTv50, 20, None, 20),  # what Mosquitto takes if nothing else is set
        (MQTTv50, 20, 50, 20),
        (MQTTv50, 1000, None, 100),
        (MQTTv50, 1000, 200, 200),
        (MQTTv311, 20, None, 20),  # it can't say so
        (MQTTv311, 1000, None, 20),
        (MQTTv311, 1000, 200, 200),
    ],
)
def test_no_more_is_on_its_way_than_a_broker_takes(tmp_path, monkeypatch, version, takes, inflight, most):
    monkeypatch.setattr("propeller.mqtt.link.MQTTv50", version)
    with running(open_to_all(tmp_path / "broker", more=[f"max_inflight_messages {takes}"])) as broker:
        assert play(most_of_many(settings_for(broker, inflight=inflight))) == most


@pytest.mark.parametrize(("version", "level"), [(MQTTv50, 5), (MQTTv311, 4)])
def test_a_broker_that_keeps_no_sessions_is_asked_for_none(tmp_path, monkeypatch, version, level):
    """Nobody is told to look at the password file, and it is said once."""
    monkeypatch.setattr("propeller.mqtt.link.MQTTv50", version)

    async def part(broker):
        async with Sessionless(broker) as gate, linked(settings_for(broker), "news") as (_, other):
            link_settings = settings_for(broker, "two", address=gate.address)
            with said() as log:
                async with linked(link_settings, "news") as (link, ear):
                    assert "refused a session that outlives the connection" in await log.wait("a session")
                    gate.shut()
                    await log.wait("tried again")
                    link.publish("news", b"late")
                    gate.open()
                    await other.has_heard("late")
                    await ear.has_heard("late")
                    lines = log.rest()
            assert not [line for line in lines if "refused a session" in line]
            assert gate.asked[:2] == [(level, False), (level, True)]
            assert {is_clean for _, is_clean in gate.asked[1:]} == {True}

    with running(open_to_all(tmp_path / "broker")) as broker:
        play(part(broker))


@pytest.mark.parametrize(("version", "level"), [(MQTTv50, 5), (MQTTv311, 4)])
def test_a_broker_that_refuses_while_it_starts_still_has_the_session(tmp_path, monkeypatch, version, level):
    """What came for it meanwhile is not lost, however often it is asked before it has started."""
    monkeypatch.setattr("propeller.mqtt.link.MQTTv50", version)
    monkeypatch.setattr("propeller.mqtt.reconnect._BACKOFF", Backoff(0.02, 0.02))

    async def part(broker):
        async with Starting(broker) as gate, linked(settings_for(broker)) as (sender, _):
            with said() as log:
                async with linked(settings_for(broker, "two", address=gate.address), "news") as (_, ear):
                    gate.shut()
                    await log.wait("tried again")
                    sender.publish("news", b"meanwhile")
                    await sender.drained()
                    gate.left = 20
                    gate.open()
                    await ear.has_heard("meanwhile")
            assert gate.asked == [(level, False)] * 22

    with running(open_to_all(tmp_path / "broker")) as broker:
        play(part(broker))


def test_what_a_link_says_of_itself_when_it_connects():
    """Who it is, how often it will be heard of, and whose topics it wants."""

    async def part():
        heard = asyncio.Queue()

        async def broker(reader, writer):
            heard.put_nowait(await reader.read(1000))
            writer.write(bytes.fromhex("2003000000"))
            heard.put_nowait(await reader.read(1000))
            writer.close()

        server = await asyncio.start_server(broker, "127.0.0.1", 0)
        settings = MqttSettings(
            address="{}:{}".format(*server.sockets[0].getsockname()),
            tenant_id="ten",
            channel_id="chan",
            entity_id="ent",
            api_key="hush",
            keep_alive_s=700,
        )
        link = Link(settings, topics=["news"], on_message=Ear().take)
        await link.start()
        connect, subscribe = await heard.get(), await heard.get()
        await link.stop()
        server.close()
        assert connect[10:12] == (700).to_bytes(2, "big"), connect
        assert connect.count(b"\0\3ent") == 2, "as client id and as user name"
        assert connect.endswith(b"\0\4hush")
        assert b"m/ten/c/chan/news" in subscribe

    play(part())
