"""Join tokens: what a proplet proves with one, and what nobody can make of what it says."""

import msgspec
import pytest

from propeller.wire.fleet.codec import from_line, to_line
from propeller.wire.fleet.from_proplet import Join
from propeller.wire.fleet.joining import ID_BYTES, is_proven, join_of, join_token, read_join_token
from propeller.wire.fleet.keys import new_key, public_of

BASE, KEY = "m/t/c/ch", new_key()
TEXT = join_token(KEY, public_of(KEY), b"i" * ID_BYTES, 1_777_885_811)
PROPLET = public_of(new_key())


def join():
    return join_of(read_join_token(TEXT), BASE, "p", PROPLET, 7)


def test_a_token_has_the_key_of_the_manager_and_an_end():
    token = read_join_token(TEXT)
    assert (token.manager_key, token.expires_at) == (public_of(KEY), 1_777_885_811)
    assert TEXT.startswith("prj_")


def test_the_line_of_a_proplet_that_joins():
    said = Join(proplet_id="P1", boot=7, token_id="i", expires_at=9, public_key="A" * 43, proof="p")
    line = to_line(said)
    assert line.startswith(
        b'["control/proplet/join",{"proplet_id":"P1","boot":7,"token_id":"i","expires_at":9,"public_key":"A'
    )
    assert from_line(line[:-1]) == said


def test_a_proplet_proves_that_it_has_a_token_and_does_not_show_it():
    assert is_proven(join(), KEY, BASE)
    secret = read_join_token(TEXT).secret
    assert secret not in to_line(join())


@pytest.mark.parametrize(
    "changed",
    [
        {"proplet_id": "q"},
        {"public_key": public_of(new_key())},
        {"expires_at": 2**40},
        {"token_id": "other"},
        {"proof": ""},
        {"proof": "é"},
    ],
)
def test_what_somebody_else_makes_of_it_is_no_proof(changed):
    assert not is_proven(msgspec.structs.replace(join(), **changed), KEY, BASE)


def test_it_is_for_one_manager_and_one_channel():
    assert not is_proven(join(), new_key(), BASE)
    assert not is_proven(join(), KEY, "m/t/c/other")


@pytest.mark.parametrize(
    "text", ["", "prj_", "prj_short", TEXT[:-4], TEXT + "AAAA", "prp_" + TEXT[4:], "prj_é"]
)
def test_what_is_no_token_says_where_to_get_one(text):
    with pytest.raises(ValueError, match="get one with: propeller proplets token"):
        read_join_token(text)
