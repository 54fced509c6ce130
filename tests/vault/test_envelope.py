import os

import pytest

from propeller.vault.envelope import Locked, Ring
from propeller.vault.errors import CannotUnlock

ABOUT = b"default/API_KEY/1"


def test_what_was_locked_is_unlocked_with_the_same_key_only():
    key = os.urandom(32)
    locked = Ring([key]).lock(b"hunter22", ABOUT)
    assert Ring([key]).unlock(locked, ABOUT) == b"hunter22"
    with pytest.raises(CannotUnlock, match="which is not here"):
        Ring([os.urandom(32)]).unlock(locked, ABOUT)


def test_it_can_not_be_taken_for_another_secret():
    ring = Ring([os.urandom(32)])
    with pytest.raises(CannotUnlock, match="changed"):
        ring.unlock(ring.lock(b"hunter22", ABOUT), b"default/OTHER/1")


@pytest.mark.parametrize("field", ["wrapped", "box"])
def test_a_changed_byte_shows(field):
    ring = Ring([os.urandom(32)])
    locked = ring.lock(b"hunter22", ABOUT)
    parts = {"key_id": locked.key_id, "wrapped": locked.wrapped, "box": locked.box}
    for at in (0, 13, len(parts[field]) - 1):
        changed = bytearray(parts[field])
        changed[at] ^= 1
        with pytest.raises(CannotUnlock):
            ring.unlock(Locked(**{**parts, field: bytes(changed)}), ABOUT)
    with pytest.raises(CannotUnlock):
        ring.unlock(Locked(**{**parts, field: b""}), ABOUT)


def test_a_new_master_key_takes_only_a_new_wrap():
    old, new = os.urandom(32), os.urandom(32)
    locked = Ring([old]).lock(b"hunter22", ABOUT)
    again = Ring([new, old]).rewrapped(locked, ABOUT)
    assert again.box == locked.box
    assert Ring([new]).unlock(again, ABOUT) == b"hunter22"


def test_nothing_of_the_value_is_seen():
    locked = Ring([os.urandom(32)]).lock(b"hunter22" * 10, ABOUT)
    assert b"hunter22" not in locked.wrapped + locked.box
