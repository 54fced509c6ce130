"""Where the master key is found, how it is made, and how another takes its place."""

import base64
import os
import stat

import pytest

from propeller.errors import Unavailable
from propeller.vault.envelope import key_id
from propeller.vault.master_keys import KeySource


def a_key():
    key = os.urandom(32)
    return base64.b64encode(key).decode(), key_id(key)


def test_a_key_is_read_from_where_it_is_given(tmp_path):
    (one, of_one), (two, of_two), (own, of_own) = a_key(), a_key(), a_key()
    (tmp_path / "given").write_text(f"{one}\n")
    (tmp_path / "own").write_text(f"{own}\n")
    assert KeySource(file=tmp_path / "given", own=tmp_path / "own").read().first == of_one
    assert KeySource(text=two, own=tmp_path / "own").read().first == of_two
    assert KeySource(own=tmp_path / "own").read().first == of_own
    assert KeySource(own=tmp_path / "none").read() is None
    assert KeySource().read() is None


def test_of_several_keys_the_first_encrypts_and_all_decrypt(tmp_path):
    (one, of_one), (two, of_two) = a_key(), a_key()
    ring = KeySource(text=f"{one}\n{two}\n").read()
    assert ring.first == of_one
    assert of_two in ring


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty; make one with: openssl rand -base64 32"),
        ("short", "line 1: not 32 bytes in base64; make one with: openssl rand -base64 32"),
        (f"{a_key()[0]}\nÜ", "line 2: not 32 bytes"),
    ],
)
def test_what_is_no_key_is_refused_with_its_place(tmp_path, text, why):
    (tmp_path / "key").write_text(text)
    with pytest.raises(Unavailable) as caught:
        KeySource(file=tmp_path / "key").read()
    assert str(caught.value).startswith(str(tmp_path / "key"))
    assert why in str(caught.value)


def test_a_file_that_is_gone_or_no_text_is_named(tmp_path):
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for name, why in (("gone", "No such file"), ("bytes", "it is no text")):
        with pytest.raises(Unavailable, match=f"{name}: {why}"):
            KeySource(file=tmp_path / name).read()


def test_a_key_is_made_for_its_owner_alone_and_another_takes_its_place_in_two_steps(tmp_path):
    source = KeySource(own=tmp_path / "deep" / "secrets.key")
    first = source.make_first()
    assert stat.S_IMODE(source.own.stat().st_mode) == 0o600
    both = source.make_first()
    assert both.first != first.first
    assert first.first in both
    assert source.read().first == both.first
    last = source.keep_first()
    assert last.first == both.first
    assert first.first not in source.read()
    assert [path.name for path in source.own.parent.iterdir()] == ["secrets.key"]


def test_a_file_that_can_not_be_written_is_named_with_the_way_out(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=r"can't be written to .*MANAGER_SECRETS_KEY_FILE"):
        KeySource(own=tmp_path / "file" / "secrets.key").make_first()
