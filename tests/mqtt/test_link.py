"""A link to a real Mosquitto that is killed, forgets, refuses, and speaks TLS."""

import asyncio
import subprocess
import sys

import pytest

from propeller.errors import BrokerRefused
from propeller.mqtt.link import Link, Will
from propeller.mqtt.settings import TlsSettings
from tests.mqtt.helpers import (
    Ear,
    Gate,
    Witness,
    linked,
    most_on_their_way,
    numbered,
    play,
    said,
    settings_for,
    texts,
)
from tests.parts.certificates import Certificates
from tests.parts.mosquitto import Mosquitto, open_to_all, running
from tests.parts.nats import Cluster
from tests.parts.ports import free_port

WILL = Will("control/proplet/alive", b"gone")


@pytest.fixture
def broker(tmp_path):
    with running(open_to_all(tmp_path / "broker")) as made:
        yield made


@pytest.fixture(scope="session")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


# -- what goes through -------------------------------------------------------------------------------------


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_arrive_in_order_with_the_quality_of_the_settings(broker, qos):
    async def part():
        one, other = (settings_for(broker, name, qos=qos) for name in ("one", "other"))
        async with linked(one) as (sender, _), linked(other, "news", "few/+") as (_, ear):
            numbered(sender, range(500))
            sender.publish("few/x", b"few")
            sender.publish("unheard", b"unheard")
            sender.publish("few/y", b"end")
            await ear.has_heard("end")
            await sender.drained()
            assert ear.heard == [
                *(("news", text) for text in texts(range(500))),
                ("few/x", "few"),
                ("few/y", "end"),
            ]

    with Witness(broker) as witness:
        play(part())
        witness.wait(lambda heard: len(heard) == 503)
        assert {quality for *_, quality in witness.heard} == {qos}


@pytest.mark.parametrize("will", [None, WILL], ids=["without a will", "with a will"])
@pytest.mark.parametrize("max_qos", [0, 1])
def test_a_broker_that_offers_less_gets_less(tmp_path, max_qos, will):
    """Otherwise it would end the connection at each message, or not begin one."""

    async def part(broker):
        with said() as log:
            async with linked(settings_for(broker), "news", will=will) as (link, ear):
                await log.wait(f"offers quality of service {max_qos} at most, not 2")
                numbered(link, range(10))
                await link.drained()
                await ear.has_heard("9")
                assert ear.ups == 1

    with running(open_to_all(tmp_path / "broker", max_qos=max_qos)) as broker:
        play(part(broker))


@pytest.mark.parametrize("will", [None, WILL._replace(is_kept=True)], ids=["without a will", "with a will"])
def test_a_broker_that_keeps_nothing_is_not_asked_to(tmp_path, will):
    """Otherwise it would refuse the connection for the will, and end it at the first such message."""

    async def part(broker):
        async with linked(settings_for(broker), "news", will=will) as (link, ear):
            link.say_now("news", b"now", is_kept=True)
            numbered(link, range(10))
            await ear.has_heard("now", "9")
            assert ear.ups == 1

    with running(open_to_all(tmp_path / "broker", more=["retain_available false"])) as broker:
        play(part(broker))


def test_a_broker_that_knows_only_the_older_mqtt_is_spoken_to_in_it(tmp_path):
    async def part(node):
        with said() as log:
            settings = settings_for(node, address=node.address, qos=1)
            async with linked(settings, "news") as (link, ear):
                numbered(link, range(300))
                await ear.has_heard(*texts(range(300)))
            assert log.is_silent

    with Cluster(tmp_path / "nats", size=1) as cluster:
        play(part(cluster.nodes[0]))


def test_no_more_is_on_its_way_than_the_broker_takes(tmp_path):
    """It would end the connection."""

    async def part(broker):
        async with linked(settings_for(broker), "news") as (link, ear):
            numbered(link, range(500))
            await link.drained()
            await ear.has_heard("499")
            assert ear.ups == 1

    with running(open_to_all(tmp_path / "broker", more=["max_inflight_messages 2"])) as broker:
        play(part(broker))


def test_what_is_published_before_there_is_a_broker_arrives(tmp_path):
    broker = open_to_all(tmp_path / "broker")

    async def part():
        async with asyncio.TaskGroup() as group:
            ear = Ear()
            link = Link(settings_for(broker), topics=["news"], on_message=ear.take, on_up=ear.came_up)
            await link.start()
            numbered(link, range(10))
            assert not link.is_up
            group.create_task(asyncio.to_thread(broker.start))
            await ear.has_heard("9")
            assert [text for _, text in ear.heard] == texts(range(10))
            await link.stop()

    try:
        play(part())
    finally:
        broker.kill()


def test_what_is_said_now_goes_before_what_waits_and_never_waits_itself(broker):
    """A question has to be out, and answered, whatever has piled up."""

    async def part():
        async with linked(settings_for(broker, "other"), "news", "question") as (_, ear):
            link = Link(
                settings_for(broker, inflight=1),
                topics=["nothing"],
                on_message=Ear().take,
                on_up=lambda: link.say_now("question", b"who?"),
            )
            numbered(link, range(100))
            link.say_now("question", b"too early")
            await link.start()
            await link.up()
            numbered(link, range(100, 200))
            link.say_now("question", b"still there?")
            await link.drained()
            await ear.has_heard("199")
            heard = [text for _, text in ear.heard]
            assert heard[0] == "who?"
            assert heard.index("still there?") < 100
            assert [text for text in heard if text.isdigit()] == texts(range(200))
            assert "too early" not in heard
            await link.stop()

    play(part())


def test_no_more_is_on_its_way_than_the_settings_allow(broker):
    async def part():
        async with linked(settings_for(broker, inflight=3), "news") as (link, ear):
            most = most_on_their_way(link)
            numbered(link, range(200))
            await link.drained()
            await ear.has_heard("199")
            assert most() == 3

    play(part())


def test_a_large_message_goes_through(broker):
    text = "x" * 3_000_000

    async def part():
        async with linked(settings_for(broker), "news") as (link, ear):
            link.publish("news", text.encode())
            await ear.has_heard(text)
            assert not link.obstacle(10_000_000)
            assert "10,485,760 are allowed here" in link.obstacle(10_485_760)

    play(part())


# -- a broker that fails -----------------------------------------------------------------------------------


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["sessions kept", "sessions lost"])
@pytest.mark.parametrize("qos", [1, 2])
def test_all_arrives_in_the_end_when_the_broker_is_killed(broker, qos, is_forgotten):
    async def part():
        one, other = (settings_for(broker, name, qos=qos, inflight=20) for name in ("one", "other"))
        async with linked(one) as (sender, sender_ear), linked(other, "news") as (_, ear):
            numbered(sender, range(300))
            await ear.wait(lambda: len(ear.heard) >= 20)
            await asyncio.to_thread(broker.kill)
            numbered(sender, range(300, 600))
            if is_forgotten:
                broker.lose_sessions()
            await asyncio.to_thread(broker.start)
            await ear.wait(lambda: ear.ups == 2)
            await sender_ear.wait(lambda: sender_ear.ups == 2)
            await sender.drained()
            # An acknowledgement of the broker that died is no promise: whoever needs more repeats, as here.
            numbered(sender, range(600))
            await ear.has_heard(*texts(range(600)))

    play(part())


@pytest.mark.parametrize("is_forgotten", [False, True], ids=["session kept", "session lost"])
@pytest.mark.parametrize("qos", [1, 2])
def test_what_was_not_acknowledged_is_sent_again(broker, qos, is_forgotten):
    """Nothing is repeated by whoever published it; what the broker never got arrives once, in order."""

    async def part():
        async with (
            Gate(broker) as gate,
            linked(settings_for(broker, address=gate.address, qos=qos)) as (sender, ear),
        ):
            sender.publish("news", b"before")
            await sender.drained()
            gate.lose()
            numbered(sender, range(300))
            gate.shut()
            numbered(sender, range(300, 400))
            await asyncio.to_thread(broker.stop)
            if is_forgotten:
                broker.lose_sessions()
            await asyncio.to_thread(broker.start)
            with Witness(broker) as witness:
                gate.open()
                await sender.drained()
                assert ear.ups == 2
                await asyncio.to_thread(witness.wait, lambda heard: len(heard) >= 400)
            assert [text for _, text, _ in witness.heard] == texts(range(400))

    play(part())


def test_drained_waits_for_the_broker_s_acknowledgement(broker):
    async def part():
        async with (
            Gate(broker) as gate,
            linked(settings_for(broker, address=gate.address)) as (link, _),
        ):
            gate.lose()
            link.publish("news", b"one")
            draining = asyncio.create_task(link.drained())
            with said() as log:
                gate.shut()
                await log.wait("the connection was lost")
                assert "hung up" in await log.wait("tried again")
            assert not draining.done()
            gate.open()
            await draining

    play(part())


def test_subscriptions_stand_again_after_each_of_many_failures(broker):
    async def part():
        async with linked(settings_for(broker), "news", "few/+") as (link, ear):
            for count in range(2, 5):
                await asyncio.to_thread(broker.kill)
                broker.lose_sessions()
                await asyncio.to_thread(broker.start)
                await ear.wait(lambda count=count: ear.ups == count)
                link.publish("few/x", str(count).encode())
                await ear.has_heard(str(count))

    play(part())


def test_a_broker_that_does_not_answer_is_tried_again(tmp_path):
    """Something else listens at its address at first, and says nothing."""
    broker = open_to_all(tmp_path / "broker")

    async def part():
        callers = []
        silent = await asyncio.start_server(lambda *ends: callers.append(ends[1]), broker.host, broker.port)
        ear = Ear()
        link = Link(
            settings_for(broker, timeout_s=0.1), topics=["news"], on_message=ear.take, on_up=ear.came_up
        )
        with said() as log:
            await link.start()
            link.publish("news", b"late")
            assert "no answer in 0.1 s" in await log.wait("tried again")
        silent.close()
        for caller in callers:
            caller.close()
        await silent.wait_closed()
        await asyncio.to_thread(broker.start)
        await ear.has_heard("late")
        await link.stop()

    try:
        play(part())
    finally:
        broker.kill()


# -- one identity, two programs ----------------------------------------------------------------------------


def test_two_programs_with_one_identity_back_off_and_name_the_cause(broker):
    """Each takes the other's place; this Mosquitto gives no reason for it."""

    async def part():
        with said() as log:
            async with linked(settings_for(broker), "news") as (_, one), linked(settings_for(broker)):
                began = asyncio.get_running_loop().time()
                line = await log.wait("if another program is connected as one, end one")
                assert "tried again in" in line
                await one.wait(lambda: one.ups >= 5)
                # Waiting twice as long each time takes 0.2 s, 0.4 s, 0.8 s and 1.6 s, or half of it.
                assert asyncio.get_running_loop().time() - began > 1.0

    play(part())


def test_a_broker_that_says_that_the_place_is_taken_is_believed_at_once(broker):
    async def part():
        async with Gate(broker) as gate, linked(settings_for(broker, address=gate.address)) as (link, ear):
            await link.up()
            with said() as log:
                gate.end(bytes.fromhex("e0018e"))
                assert "another program has connected as one" in await log.wait("tried again")
            await ear.wait(lambda: ear.ups == 2)

    play(part())


def test_the_reason_for_the_end_of_a_connection_is_told(broker):
    async def part():
        async with Gate(broker) as gate, linked(settings_for(broker, address=gate.address)):
            with said() as log:
                gate.end(bytes.fromhex("e0018b"))
                assert "it is shutting down; tried again" in await log.wait("tried again")

    play(part())


# -- who may come in ---------------------------------------------------------------------------------------


@pytest.fixture
def closed_broker(tmp_path):
    directory = tmp_path / "closed"
    directory.mkdir()
    port = free_port()
    (directory / "passwords").write_text("")
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous false", "user root"]
    lines.append(f"password_file {directory / 'passwords'}")
    (directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")
    with running(Mosquitto(directory / "mosquitto.conf", port)) as made:
        yield made


def test_who_is_refused_is_told_what_to_check(closed_broker):
    async def part():
        link = Link(settings_for(closed_broker, api_key="wrong"), topics=[], on_message=Ear().take)
        await link.start()
        with pytest.raises(BrokerRefused, match=r"refused one: .*check entity_id and api_key"):
            await link.up()
        with pytest.raises(BrokerRefused):
            await link.running
        await link.stop()

    play(part())


# -- TLS ---------------------------------------------------------------------------------------------------


def tls_settings(broker, **tls):
    return settings_for(broker, address=f"mqtts://{broker.address}", tls=TlsSettings(**tls))


async def speaks(settings):
    async with linked(settings, "news") as (link, ear):
        link.publish("news", b"hello")
        await ear.has_heard("hello")


async def why_not(settings):
    """Say why a link does not come up."""
    link = Link(settings, topics=[], on_message=Ear().take)
    try:
        with said() as log:
            await link.start()
            return await log.wait("tried again")
    finally:
        await link.stop()


def test_tls_with_a_certificate_authority_of_ones_own(tmp_path, certificates):
    with running(open_to_all(tmp_path / "broker", certificates=certificates)) as broker:
        play(speaks(tls_settings(broker, ca_cert=certificates.ca)))


def test_tls_with_the_wrong_authority_is_refused(tmp_path, certificates):
    other = Certificates(tmp_path / "others")
    with running(open_to_all(tmp_path / "broker", certificates=certificates)) as broker:
        for tls in ({"ca_cert": other.ca}, {}):
            assert "certificate verify failed" in play(why_not(tls_settings(broker, **tls)))
        play(speaks(tls_settings(broker, ca_cert=other.ca, insecure_skip_verify=True)))


def test_mutual_tls(tmp_path, certificates):
    with running(open_to_all(tmp_path / "broker", certificates=certificates, is_mutual=True)) as broker:
        own = {"client_cert": certificates.client, "client_key": certificates.client_key}
        play(speaks(tls_settings(broker, ca_cert=certificates.ca, **own)))
        assert "broker" in play(why_not(tls_settings(broker, ca_cert=certificates.ca)))


def test_tls_to_a_broker_without_it(broker, certificates):
    assert play(why_not(tls_settings(broker, ca_cert=certificates.ca)))


# -- the will ----------------------------------------------------------------------------------------------

LINK_PROGRAM = """
import asyncio, sys
from propeller.mqtt.link import Link, Will
from propeller.mqtt.settings import MqttSettings

async def main():
    settings = MqttSettings(address=sys.argv[1], tenant_id="t", channel_id="c", entity_id="dying")
    link = Link(settings, topics=[], on_message=print, will=Will("control/proplet/alive", b"gone"))
    await link.start()
    await link.up()
    link.publish("news", b"here")
    await link.drained()
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_the_will_is_published_when_the_process_dies(broker):
    with Witness(broker) as witness:
        process = subprocess.Popen([sys.executable, "-c", LINK_PROGRAM, f"tcp://{broker.address}"])
        try:
            witness.wait(lambda heard: ("news", "here", 2) in heard)
        finally:
            process.kill()
            process.wait(20)
        witness.wait(lambda heard: ("control/proplet/alive", "gone", 1) in heard)


def test_the_will_is_not_published_after_a_good_bye(broker):
    async def part():
        async with linked(settings_for(broker), will=WILL) as (link, _):
            link.publish("news", b"here")
            await link.drained()

    with Witness(broker) as witness:
        play(part())
        witness.say("news", "end")
        witness.wait(lambda heard: ("news", "end", 2) in heard)
        assert [text for _, text, _ in witness.heard] == ["here", "end"]


def test_what_comes_during_a_hold_waits_at_the_broker(broker):
    async def part():
        one, other = (settings_for(broker, name) for name in ("one", "other"))
        async with linked(one) as (sender, _), linked(other, "news") as (receiver, ear):
            receiver.hold(is_held=True)
            numbered(sender, range(100))
            await sender.drained()
            assert ear.heard == []
            receiver.hold(is_held=False)
            await ear.has_heard("99")
            assert ear.heard == [("news", text) for text in texts(range(100))]

    play(part())
