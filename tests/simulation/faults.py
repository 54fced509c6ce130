"""Faults that are planted on purpose: how to plant them, and how to see that the simulation finds them."""

import pytest

from propeller.core.cluster import Cluster

from .simulation import simulate

SEEDS = 150


def assert_caught(*laws: str, first: int = 0, **parts) -> None:
    """Look from a first seed on: what is seen by one in hundreds has one that is near."""
    for seed in range(first, first + SEEDS):
        outcome = simulate(seed, **parts)
        if outcome.law:
            assert outcome.law in laws, outcome.text
            assert outcome.story
            return
    pytest.fail(f"{SEEDS} seeds did not see it")


def watched_by(kind):
    """Make a class of clusters whose proplets are watched by this class."""

    class Watched(Cluster):
        def __init__(self, policy=None):
            super().__init__(policy)
            self.watch = kind(self)

    return Watched


def with_foreign(kind):
    """Make a class of clusters whose foreign proplets are looked after by this class."""

    class Looked(Cluster):
        def __init__(self, policy=None):
            super().__init__(policy)
            self.foreign = kind(self)

    return Looked
