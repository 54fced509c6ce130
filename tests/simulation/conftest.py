"""What all tests of the simulation share."""

import gc
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that plant a fault: ``pytest -m planted`` runs these."""
    for item in items:
        if isinstance(item, pytest.Function) and "assert_caught" in item.function.__code__.co_names:
            item.add_marker("planted")


@pytest.fixture(scope="session", autouse=True)
def _heap_that_stays() -> Iterator[None]:
    """Keep the garbage collector from looking through all modules again and again: a tenth of the time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
