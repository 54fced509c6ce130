"""Who has to sign what it says to a manager, and what goes to whom with a signature."""

import msgspec
import pytest

from propeller.manager.signatures import Signatures
from propeller.mqtt.settings import MqttSettings
from propeller.proplet.signatures import Signatures as OfProplet
from propeller.wire.fleet.codec import decode, encode, to_line
from propeller.wire.fleet.from_manager import Stop
from propeller.wire.fleet.from_proplet import Alive
from propeller.wire.fleet.keys import PrivateKey, new_key, public_of
from propeller.wire.fleet.messages import speaker, topic_of
from propeller.wire.fleet.signing import ANY_START, FROM_PROPLET_TOPIC, Forged, Sealer, messages_in

MANAGER, PROPLET = new_key(), new_key()
BOOT, EPOCH, ROOM = 5, 9, 100_000
SETTINGS = MqttSettings(tenant_id="t", channel_id="c", entity_id="m", signing_key=MANAGER)
STOP = Stop(id="task", proplet_id="p", attempt=1)
ALIVE = Alive(proplet_id="p", boot=BOOT)
PLAIN = ("control/proplet/alive", encode(ALIVE))


def of_manager(mode="seen", *, settings=SETTINGS):
    return Signatures(settings, proplet_keys={"p": public_of(PROPLET)}, mode=mode)


def of_proplet(key=PROPLET, *, entity_id="p"):
    settings = msgspec.structs.replace(SETTINGS, entity_id=entity_id, signing_key=key)
    return OfProplet(settings, manager_key=public_of(MANAGER), boot=BOOT)


def said(proplet, *messages, epoch=EPOCH):
    ((topic, payload),) = proplet.sealed(messages or [ALIVE], epoch, ROOM)
    return speaker(topic)[1], payload


def sent(signatures, proplet_id="p"):
    found = signatures.to_proplet(proplet_id, [STOP, STOP], boot=BOOT, epoch=EPOCH, room_bytes=ROOM)
    return [(topic.removeprefix(f"proplet/{proplet_id}/"), payload) for topic, payload in found]


def test_what_goes_to_a_proplet_with_a_key_is_signed():
    plain = [(topic_of(STOP), encode(STOP))] * 2
    ((topic, payload),) = sent(of_manager())
    assert topic == "control/manager/signed"
    assert of_proplet().heard(f"proplet/p/{topic}", payload) == plain
    assert sent(of_manager(), "q") == plain
    assert sent(of_manager(settings=msgspec.structs.replace(SETTINGS, signing_key=""))) == plain


def test_a_proplet_with_a_key_is_heard_by_its_signature_alone():
    manager = Signatures(SETTINGS, proplet_keys={"p": public_of(PROPLET)})
    assert manager.must_sign("p")
    assert manager.said("p", *said(of_proplet()), EPOCH) == [PLAIN]
    with pytest.raises(Forged, match="it is not signed"):
        manager.said("p", *PLAIN, EPOCH)
    with pytest.raises(Forged, match="its signature is wrong"):
        manager.said("p", *said(of_proplet(new_key())), EPOCH)


def test_another_proplet_can_not_use_its_own_key_on_the_topics_of_this_one():
    other = new_key()
    manager = Signatures(SETTINGS, {"p": public_of(PROPLET), "q": public_of(other)})
    with pytest.raises(Forged, match="its signature is wrong"):
        manager.said("p", *said(of_proplet(other, entity_id="q")), EPOCH)


def test_what_was_said_to_the_manager_before_its_start_counts_for_nothing():
    recorded = said(of_proplet())
    assert of_manager().said("p", *recorded, EPOCH)
    with pytest.raises(Forged, match="another start"):
        of_manager().said("p", *recorded, EPOCH + 1)


@pytest.mark.parametrize(("mode", "is_heard"), [("off", True), ("seen", True), ("required", False)])
def test_who_is_heard_without_a_signature(mode, is_heard):
    """With ``required`` not even who has no key; with ``off`` also who has one."""
    manager = of_manager(mode)
    if is_heard:
        assert manager.said("q", *PLAIN, EPOCH) == [PLAIN]
    else:
        with pytest.raises(Forged, match="MANAGER_SIGNATURES=required asks for that"):
            manager.said("q", *PLAIN, EPOCH)
    assert manager.must_sign("p") is (mode != "off")


def test_signatures_that_are_not_checked_do_not_hide_what_is_said():
    assert of_manager("off").said("p", *said(of_proplet(), epoch=EPOCH + 1), EPOCH) == [PLAIN]
    assert of_manager("off").said("p", *PLAIN, EPOCH) == [PLAIN]


def test_of_a_key_that_the_manager_does_not_know_it_says_where_it_belongs():
    with pytest.raises(Forged, match="MANAGER_PROPLET_KEYS"):
        of_manager().said("q", *said(of_proplet(new_key(), entity_id="q")), EPOCH)


def test_a_will_counts_for_any_start_and_nothing_else_does():
    """Who runs the broker has the will from the connect on; it is no way to say anything else."""
    offline = Alive(proplet_id="p", status="offline", boot=BOOT)
    proplet, manager = of_proplet(), of_manager()
    topic, will = proplet.will(offline)
    ((inner, payload),) = manager.said("p", speaker(topic)[1], will, EPOCH)
    assert decode(inner, payload) == offline
    sealer = Sealer(PrivateKey(PROPLET), SETTINGS.base)
    for number, messages in enumerate(([ALIVE], [offline, offline], [])):
        lines = map(to_line, messages)
        word = sealer.sealed(
            f"from/p/{FROM_PROPLET_TOPIC}", lines, to=ANY_START, session=BOOT + number + 1, at=0
        )
        with pytest.raises(ValueError, match=r"only a will is|no message"):
            manager.said("p", FROM_PROPLET_TOPIC, word, EPOCH)


def test_what_is_too_large_for_one_envelope_takes_several():
    found = of_manager().to_proplet("p", [STOP] * 1000, boot=BOOT, epoch=EPOCH, room_bytes=ROOM)
    assert len(found) == 4
    assert sum(len(messages_in(payload)) for _, payload in found) == 1000
