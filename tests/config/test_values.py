"""What the texts of settings mean, and what is said of those that mean nothing."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from propeller.config import values
from propeller.wire.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("1h", 3600),
        ("1.5h", 5400),
        ("250us", 0.00025),
        ("250µs", 0.00025),
        ("10", 10),
        ("2.5", 2.5),
        ("0", 0),
        (" 30s ", 30),
    ],
)
def test_durations_as_in_go_and_plain_seconds(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 s", "1d", "30sec", "1e3", "inf", "nan", "٣s", "1s2"])
def test_what_is_no_duration_is_told_what_one_looks_like(text):
    with pytest.raises(ValueError, match="is no duration; write one as 30s"):
        parse_duration(text)


def test_a_duration_has_an_end():
    with pytest.raises(ValueError, match="longer than 290 years"):
        parse_duration("9" * 400)


@given(st.floats(min_value=0, max_value=1e9))
def test_a_written_duration_is_read_the_same(seconds):
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("word", ["1", "true", "YES", "On", True])
def test_true(word):
    assert values.boolean(word) is True


@pytest.mark.parametrize("word", ["0", "False", "no", "OFF", False])
def test_false(word):
    assert values.boolean(word) is False


@pytest.mark.parametrize("word", ["", "2", "ja", "truee"])
def test_neither(word):
    with pytest.raises(ValueError, match="neither true nor false"):
        values.boolean(word)


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("tcp://localhost:1883", ("localhost", 1883, False)),
        ("mqtt://broker", ("broker", 1883, False)),
        ("ssl://broker", ("broker", 8883, True)),
        ("tls://broker:1", ("broker", 1, True)),
        ("MQTTS://broker:9000/", ("broker", 9000, True)),
        ("broker", ("broker", 1883, False)),
        ("broker:1884", ("broker", 1884, False)),
        ("10.0.0.1:1884", ("10.0.0.1", 1884, False)),
        ("[::1]", ("::1", 1883, False)),
        ("ssl://[fe80::1]:1", ("fe80::1", 1, True)),
    ],
)
def test_all_forms_of_a_broker(address, parts):
    assert values.broker_parts(address) == parts


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("ws://broker", "has to begin with tcp://"),
        ("http://broker", "has to begin with tcp://"),
        ("", "has to look like"),
        ("tcp://", "has to look like"),
        ("tcp://broker:", "has to look like"),
        ("tcp://user:pass@broker", "has to look like"),
        ("tcp://broker:70000", "port out of range"),
        ("tcp://broker:0", "has to look like"),
        ("::1", "brackets"),
        ("tcp://a b", "has to look like"),
    ],
)
def test_what_is_no_broker(address, complaint):
    with pytest.raises(ValueError, match=complaint):
        values.broker(address)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("1000", 1000), (7, 7), ("2KiB", 2048), ("1 gb", 10**9)]
)
def test_sizes(text, count):
    assert values.size()(text) == count


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1TB", True, 1.0, "9" * 30])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="is no size"):
        values.size()(text)


def test_a_size_that_is_too_small_is_told_with_the_least():
    read = values.size(least="64KiB")
    assert read("64KiB") == read(65536) == 65536
    for text in ("0", "100", "65535"):
        with pytest.raises(ValueError, match=r"^is too small; write 64KiB or more$"):
            read(text)


@pytest.mark.parametrize("raw", ["3", "-1", 3, "٣", "1.0", 1.0, True, "", "9" * 5000, []])
def test_numbers_out_of_range_and_what_is_no_number(raw):
    with pytest.raises(ValueError, match="from 0 to 2"):
        values.whole(0, 2)(raw)


def test_lists_come_as_text_and_as_arrays():
    assert values.names("gpu, arm,,") == values.names(["gpu", "arm"]) == ("gpu", "arm")
    assert values.names("") == ()
    with pytest.raises(ValueError, match="has to be text"):
        values.names([1])
    assert values.hosts("Registry.example,localhost:5000,[::1]:5000") == (
        "registry.example",
        "localhost:5000",
        "[::1]:5000",
    )
    with pytest.raises(ValueError, match=r"like registry\.example"):
        values.hosts("https://registry.example")


def test_names_of_a_machine_come_without_scheme_and_port():
    assert values.host_names("Propeller.example, 10.0.0.1,[FD00::1]") == (
        "propeller.example",
        "10.0.0.1",
        "fd00::1",
    )
    for wrong in ("http://propeller.example", "propeller.example:7070", "*.example", "a b"):
        with pytest.raises(ValueError, match="without scheme and port"):
            values.host_names(wrong)


def test_hosts_for_guests_are_checked():
    assert values.host_rules("example.com, *.sub.test:8080,*") == ("example.com", "*.sub.test:8080", "*")
    for wrong in ("https://example.com", "a..b", "*.", "example.com:http", "example.com%00"):
        with pytest.raises(ValueError, match=r"write hosts as example\.com"):
            values.host_rules(wrong)


@pytest.mark.parametrize("raw", ["a/b", "a+", "#", "a b", "\x00", "é\n"])
def test_an_id_is_one_level_of_a_topic(raw):
    with pytest.raises(ValueError, match="holds"):
        values.topic_level(raw)


def test_files_that_are_not_there_are_told_by_name():
    with pytest.raises(ValueError, match="is no file"):
        values.pem_file("/nowhere/ca.pem")
    assert values.pem_file(__file__) == Path(__file__)
