"""The suite itself: what each kind of store is asked to do it can do, and which tests it is spared."""

import pytest

from propeller.store.memory import MemoryStore
from propeller.store.postgres.store import PostgresStore
from propeller.store.sqlite.store import SqliteStore
from tests.store.conformance import test_events, test_lists, test_records
from tests.store.conformance.conftest import used_by
from tests.store.conformance.kinds import ALL
from tests.store.conformance.simulated import OPERATIONS, SimulatedPort

CLASSES = {SqliteStore: ALL, MemoryStore: ALL, PostgresStore: ALL, SimulatedPort: OPERATIONS}


@pytest.mark.parametrize("made", CLASSES, ids=lambda made: made.__name__)
def test_a_store_has_what_it_is_asked_to_do(made):
    assert {name for name in ALL if callable(getattr(made, name, None))} == CLASSES[made]


def test_a_test_is_for_those_who_have_what_it_uses():
    assert used_by(test_records, "test_results_that_are_no_text_survive") == {"commit", "task", "executions"}
    assert used_by(test_lists, "test_filters_go_together_and_are_counted") == {"commit", "tasks"}
    assert used_by(test_events, "test_it_is_bounded_in_bytes") == {"commit", "events", "options", "limits"}
