"""The states of a held task: only the moves of the table, and each of them is made."""

import pytest

from propeller.proplet.held import FETCHING, MOVES, Held, HeldState
from propeller.wire.fleet.from_manager import Start


@pytest.mark.parametrize("before", HeldState)
@pytest.mark.parametrize("after", HeldState)
def test_a_task_makes_no_move_that_the_table_has_not(before, after):
    held = Held(start=Start(id="a", name="main"), state=before)
    if after in MOVES[before]:
        held.move(after)
        assert held.state is after
    else:
        with pytest.raises(AssertionError, match=f"a: from {before.name} to {after.name}"):
            held.move(after)


def test_every_state_can_be_reached():
    reached, frontier = {FETCHING}, {FETCHING}
    while frontier := {after for before in frontier for after in MOVES[before]} - reached:
        reached |= frontier
    assert reached == set(HeldState)
