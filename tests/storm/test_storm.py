"""A short storm over each form; ``script/storm --minutes 3`` makes a long one."""

import pytest

from .__main__ import storm


@pytest.mark.timeout(900)
@pytest.mark.parametrize("form", ["embedded", "fleet"])
def test_nothing_is_lost_in_a_storm(form):
    verdict, faults = storm(form, seconds=15, seed=15)
    assert verdict.is_good, verdict
    assert {"fork server killed", "manager killed", "manager stopped for a while"} <= faults.keys()
