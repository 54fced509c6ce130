import json

from hypothesis import example, given
from hypothesis import strategies as st

from propeller.vault.masking import MASK, Mask, MaskedStream

values = st.lists(st.text('aab"\n\\ü', min_size=4, max_size=8), min_size=1, max_size=3)
texts = st.lists(st.text('aab"\n\\üc', max_size=12), max_size=6)


def test_a_value_is_masked_wherever_it_stands():
    mask = Mask(["hunter22", 'say "hi"'])
    assert mask.whole("the key is hunter22, hunter22!") == "the key is ***, ***!"
    assert mask.whole(b"\xff hunter22 \x00") == b"\xff *** \x00"
    assert mask.whole(json.dumps({"a": 'say "hi"'})) == '{"a": "***"}'
    assert mask.whole("hunter2") == "hunter2"


def test_values_that_overlap_are_masked_together():
    assert Mask(["abcd", "abcdef"]).whole("xabcdefx") == "x***x"
    assert Mask(["xabc", "abcd"]).whole("1xabcd2") == "1***2"
    assert Mask(["aaaa"]).whole("baaaaaab") == "b***b"


def test_a_value_in_two_pieces_is_masked_and_what_is_none_comes_later():
    stream = MaskedStream(Mask(["hunter22"]))
    assert stream.take(b"it is hun") == b"it is "
    assert stream.take(b"ter22, and hu") == b"***, and "
    assert stream.take(b"ge") == b"huge"
    assert stream.take(b" hunter") == b" "
    assert stream.take(b"", is_last=True) == b"hunter"


def test_a_text_that_was_cut_shows_no_part_of_a_value():
    mask = Mask(["correct horse battery", "abcd"])
    assert mask.parts("horse battery\nand it failed with abcd") == "***\nand it failed with ***"
    assert mask.parts("it failed: correct ho") == "it failed: ***"
    assert mask.parts("é correct horse batteryabcd, abc") == "é ***, abc"
    assert mask.parts("") == ""


@given(values, texts)
def test_masking_parts_leaves_no_value_either(secret, pieces):
    left = Mask(secret).parts("".join(pieces)).split(MASK)
    assert not any(value in one for value in secret for one in left)


@given(values, texts)
@example(["aaaa"], ["a"] * 9)
@example(["abab", "babb"], ["ab", "ab", "b"])
def test_however_a_stream_is_cut_it_reads_the_same(secret, pieces):
    mask = Mask(secret)
    stream = MaskedStream(mask)
    given = b"".join(stream.take(piece.encode()) for piece in pieces) + stream.take(b"", is_last=True)
    assert given.decode() == mask.whole("".join(pieces))


@given(values, texts)
def test_what_is_left_has_no_value(secret, pieces):
    left = Mask(secret).whole("".join(pieces)).split(MASK)
    assert not any(value in one for value in secret for one in left)


@given(st.text("ab", min_size=4, max_size=6), st.integers(1, 3000))
def test_a_stream_holds_back_less_than_the_longest_value(value, times):
    stream = MaskedStream(Mask([value]))
    for _ in range(min(times, 200)):
        stream.take(value.encode())
        assert len(stream._held) < len(value)
