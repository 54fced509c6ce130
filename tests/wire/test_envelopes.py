"""Envelopes: what is signed, what is refused, and that no clock is asked."""

import pytest

from propeller.wire.fleet.codec import from_line, line_of, to_line
from propeller.wire.fleet.from_manager import Hello, Stop
from propeller.wire.fleet.keys import PrivateKey, PublicKey, new_key, public_of
from propeller.wire.fleet.signing import (
    ANY_START,
    Forged,
    Opener,
    Sealer,
    is_envelope,
    messages_in,
    parcels,
)

BASE, TOPIC = "m/t/c/ch", "proplet/p/control/manager/signed"
TO, SESSION = 7, 70
MINUTE = 60_000_000_000
KEY = new_key()


@pytest.fixture
def sealer():
    return Sealer(PrivateKey(KEY), BASE)


@pytest.fixture
def opener():
    return Opener(PublicKey(public_of(KEY)), BASE)


def lines(*ids):
    return [to_line(Stop(id=name, proplet_id="p", attempt=1)) for name in ids]


def sealed(sealer, *ids, to=TO, session=SESSION, at=0):
    return sealer.sealed(TOPIC, lines(*ids), to=to, session=session, at=at)


def ids_of(envelope):
    return [from_line(line).id for line in envelope.lines]


def test_all_that_goes_to_one_at_once_has_one_signature(sealer, opener):
    payload = sealed(sealer, "a", "b")
    assert is_envelope(payload)
    assert ids_of(opener.opened(TOPIC, payload, to=TO)) == ["a", "b"]
    assert [topic for topic, _ in messages_in(payload)] == ["control/manager/stop"] * 2


def test_what_anybody_changes_is_refused(sealer, opener):
    payload = sealed(sealer, "a")
    for at in range(0, len(payload), 3):
        changed = bytearray(payload)
        changed[at] ^= 1
        with pytest.raises(ValueError):  # noqa: PT011
            opener.opened(TOPIC, bytes(changed), to=TO)
    assert ids_of(opener.opened(TOPIC, payload, to=TO)) == ["a"]


def test_a_signature_is_for_one_topic_of_one_channel(sealer):
    payload = sealed(sealer, "a")
    for base, topic in ((BASE, "proplet/q/control/manager/signed"), ("m/t/c/other", TOPIC)):
        with pytest.raises(Forged, match="signature is wrong"):
            Opener(PublicKey(public_of(KEY)), base).opened(topic, payload, to=TO)


def test_the_key_of_another_signs_nothing(opener):
    with pytest.raises(Forged, match="signature is wrong"):
        opener.opened(TOPIC, sealed(Sealer(PrivateKey(new_key()), BASE), "a"), to=TO)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[",
        b"{}",
        b'["',
        b'["x",1,2,3,4]\n',
        b'["' + b"A" * 86 + b'",',
        b'["' + b"A" * 86 + b'",1,2,3]\n{}',
    ],
)
def test_what_is_no_envelope_is_refused_with_words(opener, payload):
    with pytest.raises(Forged, match=r"not signed|can't be read"):
        opener.opened(TOPIC, payload, to=TO)


def test_each_counts_once_in_whatever_order_they_come(sealer, opener):
    made = [sealed(sealer, str(n)) for n in range(100)]
    for payload in (*made[50:], *made[:50]):
        opener.opened(TOPIC, payload, to=TO)
    for payload in made:
        with pytest.raises(Forged, match="repetition"):
            opener.opened(TOPIC, payload, to=TO)


def test_what_is_far_behind_the_newest_is_old(sealer, opener):
    first, second, *_, last = [sealed(sealer, str(n)) for n in range(1025)]
    opener.opened(TOPIC, last, to=TO)
    with pytest.raises(Forged, match="it is old"):
        opener.opened(TOPIC, first, to=TO)
    opener.opened(TOPIC, second, to=TO)


def test_what_is_much_older_by_its_senders_clock_is_old(sealer, opener):
    old = sealed(sealer, "old", at=MINUTE)
    late = sealed(sealer, "late", at=2 * MINUTE)
    opener.opened(TOPIC, sealed(sealer, "new", at=11 * MINUTE + 1), to=TO)
    with pytest.raises(Forged, match="it is old"):
        opener.opened(TOPIC, old, to=TO)
    assert ids_of(opener.opened(TOPIC, late, to=TO)) == ["late"]


def test_what_was_recorded_before_the_receiver_was_started_anew_counts_for_nothing(sealer):
    """A new start remembers nothing of those before."""
    recorded = sealed(sealer, "a", to=TO)
    started_anew = Opener(PublicKey(public_of(KEY)), BASE)
    with pytest.raises(Forged, match="another start"):
        started_anew.opened(TOPIC, recorded, to=TO + 1)


def test_what_was_recorded_before_the_sender_was_started_anew_counts_for_nothing(sealer, opener):
    recorded = sealed(sealer, "a")
    anew = Sealer(PrivateKey(KEY), BASE)
    assert ids_of(opener.opened(TOPIC, sealed(anew, "b", session=SESSION + 1), to=TO)) == ["b"]
    with pytest.raises(Forged, match="earlier start of its sender"):
        opener.opened(TOPIC, recorded, to=TO)


def test_a_will_is_for_any_start_and_counts_once(sealer, opener):
    first, second = (sealed(sealer, "gone", to=ANY_START) for _ in range(2))
    with pytest.raises(Forged, match="another start"):
        opener.opened(TOPIC, first, to=TO)
    assert ids_of(opener.opened(TOPIC, second, to=TO, takes_wills=True)) == ["gone"]
    for will in (first, second):
        with pytest.raises(Forged, match="repetition"):
            opener.opened(TOPIC, will, to=TO, takes_wills=True)


def test_the_will_of_an_earlier_start_counts_for_nothing(sealer, opener):
    will = sealed(sealer, "gone", to=ANY_START)
    opener.opened(TOPIC, sealed(Sealer(PrivateKey(KEY), BASE), "b", session=SESSION + 1), to=TO)
    with pytest.raises(Forged, match="repetition"):
        opener.opened(TOPIC, will, to=TO, takes_wills=True)


def test_what_goes_to_all_stays_a_json_object_and_has_its_signature_in_it(sealer, opener):
    topic, payload = "control/manager/hello", b'{"by":["m",1]}'
    signed = sealer.signed(topic, payload)
    assert from_line(line_of(topic, signed)[:-1]) == Hello(by=("m", 1))
    assert opener.is_signed(topic, signed)
    for forged in (payload, signed.replace(b"1", b"2", 1), signed[:-1] + b',"by":["x",9]}'):
        assert not opener.is_signed(topic, forged)
    assert not opener.is_signed("control/manager/announcement", signed)


def test_envelopes_are_bounded_but_for_one_message_that_is_large_alone():
    small, large = b"x" * 100, b"y" * 5000
    assert [len(one) for one in parcels([small] * 300, 10**9)] == [256, 44]
    assert [len(one) for one in parcels([small, large, small, small], 200)] == [1, 1, 2]
    assert list(parcels([], 200)) == []
