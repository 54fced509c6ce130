"""Whom a proplet with keys heeds."""

import msgspec
import pytest

from propeller.manager.signatures import Signatures as OfManager
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.signatures import Signatures
from propeller.wire.fleet.codec import encode, line_of, to_line
from propeller.wire.fleet.from_manager import Announcement, Hello, Stop
from propeller.wire.fleet.from_proplet import Alive
from propeller.wire.fleet.keys import PrivateKey, new_key, public_of
from propeller.wire.fleet.messages import ANNOUNCEMENT_TOPIC, topic_of
from propeller.wire.fleet.modules import ModuleChunk
from propeller.wire.fleet.signing import Forged, Sealer

MANAGER, PROXY, PROPLET = new_key(), new_key(), new_key()
BOOT, EPOCH = 5, 9
SETTINGS = MqttSettings(tenant_id="t", channel_id="c", entity_id="p", signing_key=PROPLET)
STOP = Stop(id="task", proplet_id="p", attempt=1, by=("m", EPOCH))
TO_US = "proplet/p/control/manager/signed"
CHUNK = ModuleChunk(app_name="acme/sum", chunk_idx=0, total_chunks=1, data="AA==")


@pytest.fixture
def ours():
    return Signatures(SETTINGS, manager_key=public_of(MANAGER), proxy_key=public_of(PROXY), boot=BOOT)


def manager(key=MANAGER):
    return OfManager(
        msgspec.structs.replace(SETTINGS, entity_id="m", signing_key=key), {"p": public_of(PROPLET)}
    )


def sent(key=MANAGER, *, boot=BOOT):
    ((topic, payload),) = manager(key).to_proplet("p", [STOP], boot=boot, epoch=EPOCH, room_bytes=10**5)
    return topic, payload


def test_only_its_own_manager_is_heeded():
    ours = Signatures(SETTINGS, manager_key=public_of(MANAGER), boot=BOOT)
    assert ours.heard(*sent()) == [(topic_of(STOP), encode(STOP))]
    for forged in (sent(new_key()), sent(PROPLET)):
        with pytest.raises(Forged, match="its signature is wrong"):
            ours.heard(*forged)


@pytest.mark.parametrize("topic", ["control/manager/stop", "proplet/p/control/manager/stop", TO_US])
def test_what_nobody_has_signed_is_not_heeded(ours, topic):
    with pytest.raises(Forged, match="it is not signed"):
        ours.heard(topic, encode(STOP))


def test_a_command_counts_once_and_for_this_start_alone(ours):
    topic, payload = sent()
    ours.heard(topic, payload)
    with pytest.raises(Forged, match="repetition"):
        ours.heard(topic, payload)
    with pytest.raises(Forged, match="another start"):
        ours.heard(*sent(boot=BOOT - 1))


def test_only_its_own_manager_announces_itself_and_asks_all(ours):
    here = Announcement(manager_id="m", epoch=EPOCH, status="gone", at=1)
    for topic, message in ((ANNOUNCEMENT_TOPIC, here), ("control/manager/hello", Hello(by=("m", EPOCH)))):
        signed = manager().to_all(topic, encode(message))
        assert ours.heard(topic, signed) == [(topic, signed)]
        for forged in (encode(message), manager(new_key()).to_all(topic, encode(message))):
            with pytest.raises(Forged, match="PROPLET_MANAGER_KEY has not signed it"):
                ours.heard(topic, forged)


def chunk_of(key, line, *, boot=BOOT):
    topic = "proplet/p/registry/server"
    return topic, Sealer(PrivateKey(key), SETTINGS.base).sealed(topic, [line], to=boot, session=1, at=1)


def test_modules_come_from_its_own_proxy():
    ours = Signatures(SETTINGS, manager_key=public_of(MANAGER), proxy_key=public_of(PROXY), boot=BOOT)
    line = line_of("registry/server", encode(CHUNK))
    assert ours.heard(*chunk_of(PROXY, line)) == [("registry/server", encode(CHUNK))]
    for forged in (chunk_of(new_key(), line), ("proplet/p/registry/server", encode(CHUNK))):
        with pytest.raises(Forged, match=r"signature is wrong|not signed"):
            ours.heard(*forged)
    with pytest.raises(Forged, match="not signed"):
        ours.heard("registry/server", encode(CHUNK))


def test_a_proxy_gives_modules_and_no_commands(ours):
    assert ours.heard(*chunk_of(PROXY, to_line(STOP))) == []


def test_without_the_key_of_a_proxy_none_is_heeded():
    ours = Signatures(SETTINGS, manager_key=public_of(MANAGER), boot=BOOT)
    with pytest.raises(Forged, match="PROPLET_PROXY_KEY is not set"):
        ours.heard(*chunk_of(PROXY, line_of("registry/server", encode(CHUNK))))


def test_a_manager_says_nothing_in_the_name_of_a_proplet(ours):
    sealer = Sealer(PrivateKey(MANAGER), SETTINGS.base)
    line = to_line(Alive(proplet_id="p"))
    assert ours.heard(TO_US, sealer.sealed(TO_US, [line], to=BOOT, session=EPOCH, at=1)) == []
