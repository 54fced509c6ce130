"""Refused reports leave a word in the log, but no flood of them."""

import logging

from propeller.core.effects import Refused
from propeller.manager.refusals import Refusals


def test_one_of_many_is_told_with_the_number_of_the_others(caplog):
    now = 0.0
    refusals = Refusals(lambda: now)
    with caplog.at_level(logging.WARNING):
        for number in range(1000):
            refusals.tell(Refused("p", f"t{number}", "no such task runs"))
        refusals.tell(Refused("q", "", "another proplet has this id"))
        now = 61.0
        refusals.tell(Refused("p", "t1", "no such task runs"))
    assert [record.getMessage() for record in caplog.records] == [
        "refused a message of p about task t0: no such task runs",
        "refused a message of q: another proplet has this id",
        "refused a message of p about task t1: no such task runs (999 more were refused before)",
    ]
