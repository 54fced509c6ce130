"""Events by what they concern, however many ask for different ones."""

import random

from propeller.core.effects import Transition
from propeller.core.states import RUNNING
from propeller.manager.batches import _FEW, Batch


def test_each_gets_the_events_that_concern_it_also_where_many_ask_for_different_ones():
    chance = random.Random(4)
    names = ["", *(f"n{number}" for number in range(2 * _FEW))]
    batch = Batch(
        (
            number,
            Transition(
                task_id=chance.choice(names[1:]),
                name="",
                state=RUNNING,
                at=1,
                workflow_id=chance.choice(names),
            ),
        )
        for number in range(200)
    )
    for _ in range(5 * _FEW):
        only = chance.choice(names), chance.choice(names), ""
        found = [
            event
            for event in batch
            if all(wanted in ("", name) for wanted, name in zip(only, _names(event), strict=True))
        ]
        assert batch.of(only) == found
        assert batch.of(only) is batch.of(only)


def _names(event):
    it = event[1]
    return it.task_id, it.workflow_id, it.job_id
