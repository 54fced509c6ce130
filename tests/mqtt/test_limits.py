"""What is known of the largest packet that gets through, and what is said of it."""

import pytest

from propeller.mqtt.limits import Limits

MIB = 2**20


def test_without_a_word_of_the_broker_our_own_limit_counts():
    limits = Limits(MIB)
    assert limits.lets_through(MIB)
    assert not limits.lets_through(MIB + 1)
    assert limits.likely_bytes == MIB
    assert limits.why_not(MIB + 1).startswith("has 1,048,577 bytes, and 1,048,576 are allowed here; raise ")


def test_what_the_broker_announces_counts_where_it_is_less():
    limits = Limits(MIB)
    limits.announced(131_072)
    assert limits.lets_through(131_072)
    assert not limits.lets_through(131_073)
    assert limits.why_not(131_073).startswith(
        "has 131,073 bytes, and the broker takes 131,072 at most; raise "
    )
    limits.announced(2 * MIB)
    assert limits.lets_through(MIB)
    assert not limits.lets_through(MIB + 1)
    limits.announced(0)
    assert limits.lets_through(MIB)


def test_what_was_refused_is_not_tried_again_and_pieces_become_half_as_large():
    limits = Limits(MIB)
    limits.taken(100_000)
    limits.refused(600_000)
    assert limits.lets_through(599_999)
    assert not limits.lets_through(600_000)
    assert limits.likely_bytes == 300_000
    assert limits.why_not(700_000).startswith(
        "has 700,000 bytes, and the broker has refused one of 600,000; raise "
    )
    limits.refused(150_000)
    assert limits.likely_bytes == 100_000, "so large a one was taken before"


def test_a_connection_that_ends_for_another_reason_lets_all_be_tried_again():
    limits = Limits(MIB)
    limits.refused(600_000)
    assert not limits.lost(0)
    assert limits.lets_through(600_000)


def test_the_largest_on_its_way_is_to_blame_when_the_broker_says_so():
    limits = Limits(MIB)
    assert limits.lost(600_000, is_too_large=True)
    assert not limits.lets_through(600_000)


def test_without_a_reason_several_connections_must_end_over_it():
    limits = Limits(MIB)
    assert [limits.lost(size) for size in (600_000, 700_000, 600_000, 650_000)] == [False] * 3 + [True]
    assert limits.lets_through(649_999)
    assert not limits.lets_through(650_000)


def test_an_acknowledgement_between_ends_of_connections_acquits():
    """They were not in a row then: what was lost came through at the next connection."""
    limits = Limits(MIB)
    for size in range(600_000, 1_000_000, 50_000):
        assert not limits.lost(size)
        limits.taken(size)
    assert limits.lets_through(MIB)


@pytest.mark.parametrize("on_their_way", [0, 10_000, 90_000])
def test_what_is_small_or_was_taken_before_is_not_to_blame(on_their_way):
    limits = Limits(MIB)
    limits.taken(90_000)
    assert not any(limits.lost(600_000) for _ in range(3))
    limits.taken(90_000)
    assert not limits.lost(on_their_way)
    assert not any(limits.lost(600_000) for _ in range(3)), "it is counted anew"
