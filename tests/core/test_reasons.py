"""Reasons: every kind has words, and comes back from the store as what it was."""

import typing

import msgspec
import pytest

from propeller.core import reasons
from propeller.core.reasons import AnyReason, Reason
from propeller.core.states import FAILED, SKIPPED

KINDS = typing.get_args(AnyReason)
VALUES = {str: "x", int: 2, bool: True, tuple[str, ...]: ("x", "y"), reasons.TaskState: SKIPPED}


def example_of(kind: type[Reason]) -> Reason:
    return kind(*(VALUES[field.type] for field in msgspec.structs.fields(kind)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_has_words_and_survives_the_store(kind):
    reason = example_of(kind)
    assert "__str__" in vars(kind)
    assert all(str(value) in str(reason) for value in msgspec.structs.astuple(reason) if value in ("x", 2))
    assert msgspec.json.decode(msgspec.json.encode(reason), type=AnyReason) == reason


def test_the_store_knows_every_kind():
    found = [
        one
        for one in vars(reasons).values()
        if isinstance(one, type) and issubclass(one, Reason) and "__str__" in vars(one)
    ]
    assert set(found) == set(KINDS)


def test_a_parent_that_ended_is_told_by_how():
    assert str(reasons.ParentEnded("a", FAILED)) == "its parent a failed"
    assert str(reasons.ParentEnded("a", SKIPPED)) == "its parent a was skipped"
