"""Faults that are planted on purpose: how to plant them, and how to see that the simulation finds them."""

import pytest

from .simulation import simulate

SEEDS = 150


def assert_caught(*laws: str, first: int = 0, seeds: int = SEEDS, play=simulate, **parts) -> None:
    """Look from a first seed on: what is seen by one in hundreds has one that is near."""
    for seed in range(first, first + seeds):
        outcome = play(seed, **parts)
        if outcome.law:
            assert outcome.law in laws, outcome.text
            assert outcome.story
            return
    pytest.fail(f"{seeds} seeds did not see it")


def spoil(monkeypatch, module, name: str, spoiled) -> None:
    """Put a function in place of a rule; it is handed the real one first, and then what the rule is."""
    real = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: spoiled(real, *args))
