"""What a turn reads from the store before it begins."""

import pytest

from propeller.core.cluster import Cluster
from propeller.core.copies import run_id
from propeller.core.events import StartTask
from propeller.core.state import ClusterState
from propeller.core.times import Moment
from propeller.manager.engine import Ask, Load, turn

HOUR = 3600 * 1_000_000_000


@pytest.mark.parametrize(
    ("name", "also"),
    [(run_id("a", HOUR), ["a"]), (run_id("a", HOUR + 1_000_000), ["a"]), ("a-1Z", []), ("a", [])],
)
def test_who_starts_a_run_again_has_what_it_is_a_run_of(name, also):
    steps = turn(Cluster(ClusterState()), [Ask(StartTask(name))], Moment(1, 1))
    assert next(steps) == Load([name, *also], [])
