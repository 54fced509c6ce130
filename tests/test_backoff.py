"""How the waits between tries grow."""

import pytest

from propeller.backoff import Backoff


def test_each_failure_doubles_the_wait_up_to_the_longest():
    backoff = Backoff(0.5, 3.0)
    assert [backoff.delay_s(failures) for failures in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_wait_may_grow_faster():
    backoff = Backoff(0.125, 5.0, factor=4)
    assert [backoff.delay_s(failures) for failures in range(5)] == [0.125, 0.5, 2.0, 5.0, 5.0]


@pytest.mark.parametrize("factor", [2.0, 4.0, 10.0])
def test_any_number_of_failures_is_taken(factor):
    assert Backoff(0.1, 30.0, factor).delay_s(10**9) == 30.0
