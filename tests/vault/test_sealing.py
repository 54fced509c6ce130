import base64

import msgspec
import pytest

from propeller.vault.errors import CannotOpen, CannotSeal
from propeller.vault.sealing import Opener, Sealer, about_attempt

ABOUT = about_attempt("p-1", "t1", 1, 5)
VALUES = {"API_KEY": "hünter22"}


def test_the_proplet_with_the_key_opens_it_and_no_other():
    opener, other = Opener(), Opener()
    sealed = Sealer(opener.public_key).seal(VALUES, ABOUT)
    assert opener.open(sealed, ABOUT) == VALUES
    with pytest.raises(CannotOpen):
        other.open(sealed, ABOUT)


@pytest.mark.parametrize(
    "about", [("p-2", "t1", 1, 5), ("p-1", "t2", 1, 5), ("p-1", "t1", 2, 5), ("p-1", "t1", 1, 6)]
)
def test_it_is_for_one_attempt(about):
    opener = Opener()
    with pytest.raises(CannotOpen):
        opener.open(Sealer(opener.public_key).seal(VALUES, ABOUT), about_attempt(*about))


@pytest.mark.parametrize(
    "changes",
    [{"number": 2}, {"number": -1}, {"number": 2**100}, {"sender": "x"}, {"box": "AAAA"}, {"box": "ü"},
     {"sender": base64.b64encode(bytes(32)).decode()}],
)  # fmt: skip
def test_a_change_on_the_way_shows(changes):
    opener = Opener()
    sealed = Sealer(opener.public_key).seal(VALUES, ABOUT)
    with pytest.raises(CannotOpen):
        opener.open(msgspec.structs.replace(sealed, **changes), ABOUT)


@pytest.mark.parametrize("key", ["", "ü", "AAAA", base64.b64encode(bytes(32)).decode()])
def test_a_key_of_no_use_is_refused(key):
    with pytest.raises(CannotSeal):
        Sealer(key)


def test_no_two_boxes_have_the_same_number():
    sealer = Sealer(Opener().public_key)
    assert len({sealer.seal(VALUES, ABOUT).number for _ in range(10)}) == 10


def test_many_managers_may_seal_for_one_proplet():
    opener = Opener()
    for _ in range(40):
        assert opener.open(Sealer(opener.public_key).seal(VALUES, ABOUT), ABOUT) == VALUES
