"""Who does not have a task says nothing of it that counts."""

import pytest

from propeller.core.state import ClusterState

from .faults import assert_caught
from .forger import ForgedSimulation, simulate_forger


@pytest.mark.parametrize("seed", range(12))
def test_the_word_of_another_proplet_changes_nothing(seed):
    outcome = simulate_forger(seed)
    assert not outcome.law, f"{outcome.text}\n{outcome.story}"


def test_there_are_forgeries():
    simulation = ForgedSimulation(1)
    simulation.run()
    assert simulation.forged > 5


def test_a_report_is_believed_whoever_it_is_from():
    class Credulous(ClusterState):
        def current(self, proplet_id, task_id, attempt, placed_at=0):
            task = self.tasks.get(task_id)
            if task is not None and proplet_id in self.proplets and not task.spec.broadcast:
                proplet_id = task.proplet_id or proplet_id
            return super().current(proplet_id, task_id, attempt, placed_at)

    assert_caught("forged", "stale-attempt", "causes", play=simulate_forger, state_class=Credulous)
