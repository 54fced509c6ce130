"""Whom a proplet heeds."""

import pytest

from propeller.proplet.following import PATIENCE_NS, Following
from propeller.wire.fleet.from_manager import Announcement, Stop


def word(manager_id, epoch=1, status="here"):
    return Announcement(manager_id=manager_id, epoch=epoch, status=status, at=1)


def stop(*by):
    return Stop(id="t", by=by) if by else Stop(id="t")


@pytest.fixture
def following():
    """A proplet that follows manager a, in its epoch 5."""
    one = Following()
    assert one.announced(word("a", 5), 0)
    return one


def test_without_an_announcement_everybody_is_heeded():
    one = Following()
    assert one.heeds(stop(), 0)
    assert one.heeds(stop("a", 1), 0)
    assert not one.announced(word("a", status="asks"), 0)
    assert not one.announced(word("a", status="gone"), 0)
    assert one.manager is None


def test_only_the_manager_that_is_followed_is_heeded(following):
    assert following.heeds(stop("a", 5), 0)
    assert not following.heeds(stop("b", 9), 0)
    assert not following.heeds(stop(), 0)
    assert not following.announced(word("b", 9), PATIENCE_NS - 1)
    assert not following.heeds(stop("b", 9), PATIENCE_NS - 1)


def test_a_manager_that_was_started_anew_is_followed_and_what_it_said_before_is_not(following):
    assert following.heeds(stop("a", 6), 0)
    assert not following.heeds(stop("a", 5), 0)
    assert not following.announced(word("a", 7), 0), "it is no other"
    assert following.manager == ("a", 7)
    assert not following.announced(word("a", 6), 0)
    assert following.manager == ("a", 7)


@pytest.mark.parametrize("how", ["gone", "left"])
def test_another_is_followed_at_once_where_the_first_is_known_to_be_gone(following, how):
    following.announced(word("a", 4, how), 0)
    assert not following.announced(word("b"), 0), "that was the program before"
    following.announced(word("a", 5, how), 0)
    assert following.announced(word("b"), 0)
    assert following.heeds(stop("b", 1), 0)
    assert not following.heeds(stop("a", 5), 0)


def test_another_is_followed_after_a_long_silence(following):
    assert following.announced(word("b"), PATIENCE_NS)


def test_each_word_of_a_manager_breaks_its_silence(following):
    following.heeds(stop("a", 5), PATIENCE_NS // 2)
    assert not following.announced(word("b"), PATIENCE_NS)
    following.announced(word("a", 5), PATIENCE_NS)
    assert not following.is_alone(2 * PATIENCE_NS - 1)


def test_silence_counts_only_while_there_is_a_connection(following):
    following.connected(3 * PATIENCE_NS)
    assert not following.is_alone(3 * PATIENCE_NS)
    assert not following.announced(word("b"), 3 * PATIENCE_NS)


def test_a_manager_that_announces_nothing_is_heeded_after_a_long_silence(following):
    following.announced(word("a", 5, "gone"), 0)
    assert not following.heeds(stop(), PATIENCE_NS - 1)
    assert following.heeds(stop(), PATIENCE_NS)
    assert following.manager is None


def test_a_manager_whose_clock_and_data_are_gone_is_followed_once_it_was_gone(following):
    following.announced(word("a", 5, "gone"), 0)
    following.announced(word("a", 2), 0)
    assert following.heeds(stop("a", 2), 0)
