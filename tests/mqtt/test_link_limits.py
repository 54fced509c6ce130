"""A link to a real Mosquitto that takes smaller messages than ours may be."""

import re

import pytest
from gmqtt.mqtt.constants import MQTTv311

from tests.mqtt.helpers import linked, numbered, play, said, settings_for, texts
from tests.parts.mosquitto import open_to_all, running


async def told_of_the_too_large(settings):
    """Publish one that is too large between others, as often as it takes."""
    async with linked(settings, "news") as (link, ear):
        numbered(link, range(10))
        link.publish("news", b"x" * 100_000)
        await ear.has_heard("9", "x" * 100_000)
        for up in range(1, 9):
            link.publish("large/one", b"x" * 200_000)
            numbered(link, range(10, 20))
            # Once is enough where the message stays on its way until it is acknowledged.
            await ear.wait(lambda up=up: ear.too_large or (ear.ups > up and not settings.qos))
            if ear.too_large:
                break
        numbered(link, range(20, 30))
        await ear.has_heard(*texts(range(20, 30)))
        if settings.qos:
            await ear.has_heard(*texts(range(10, 20)))
        await link.drained()
        (refused,) = ear.too_large
        assert (refused.topic, refused.payload) == ("large/one", b"x" * 200_000)
        assert link.room_bytes < 200_000
        ups = ear.ups
        link.publish("large/two", b"x" * 300_000)
        await ear.wait(lambda: len(ear.too_large) == 2)
        assert ear.ups == ups
        return refused.why, ups


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_what_is_larger_than_the_broker_announces_is_not_sent(tmp_path, qos):
    with running(open_to_all(tmp_path / "broker", more=["max_packet_size 131072"])) as broker:
        why, ups = play(told_of_the_too_large(settings_for(broker, qos=qos)))
    assert re.match(r"has 200,0\d\d bytes, and the broker takes 131,072 at most; raise its limit", why)
    assert ups == 1


def test_what_is_larger_than_the_settings_allow_is_not_sent(tmp_path):
    with running(open_to_all(tmp_path / "broker")) as broker:
        why, ups = play(told_of_the_too_large(settings_for(broker, max_packet_bytes=131_072)))
    assert re.match(r"has 200,0\d\d bytes, and 131,072 are allowed here; raise mqtt_max_packet_size", why)
    assert ups == 1


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_broker_that_refuses_a_large_message_and_hangs_up_gets_the_rest(tmp_path, qos):
    with running(open_to_all(tmp_path / "broker", more=["message_size_limit 131072"])) as broker:
        why, ups = play(told_of_the_too_large(settings_for(broker, qos=qos)))
    assert re.match(r"has (200,0\d\d) bytes, and the broker has refused one of \1; raise its limit", why)
    assert 2 <= ups <= 5, "its refusal may get lost, as it hangs up at once; with QoS 0 there is none"


@pytest.mark.parametrize("qos", [1, 2])
def test_a_broker_of_the_older_mqtt_that_hangs_up_over_a_large_message_gets_the_rest(
    tmp_path, monkeypatch, qos
):
    """It has no way to say why."""
    monkeypatch.setattr("propeller.mqtt.link.MQTTv50", MQTTv311)
    with running(open_to_all(tmp_path / "broker", more=["max_packet_size 131072"])) as broker:
        why, ups = play(told_of_the_too_large(settings_for(broker, qos=qos)))
    assert re.match(r"has (200,0\d\d) bytes, and the broker has refused one of \1", why)
    assert ups == 5


def test_a_refusal_for_another_reason_is_told(tmp_path):
    (tmp_path / "acl").write_text("user one\ntopic readwrite m/t/c/c/news\n")

    async def part(broker):
        with said() as log:
            async with linked(settings_for(broker), "news") as (link, ear):
                link.publish("other", b"x")
                assert "a message on other is refused: it does not let us" in await log.wait("refused")
                link.publish("news", b"end")
                await ear.has_heard("end")

    with running(open_to_all(tmp_path / "broker", more=[f"acl_file {tmp_path / 'acl'}"])) as broker:
        play(part(broker))
