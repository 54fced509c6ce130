"""What a manager takes over of a task, and what it passes over."""

import pytest

from propeller.cli.heeding import unheeded

RAN = {"start_time": "2026-01-01T00:00:00Z", "proplet_id": "p1"}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"timeout": "0"}, {}),
        ({"timeout": "0s"}, {}),
        ({"timeout": 0}, {}),
        ({"timeout": "90"}, {"timeout": "1m30s"}),
        ({"limits": {"memory": "0", "fuel": 0}}, {}),
        ({"limits": {"memory": "1MiB", "fuel": 0}}, {"limits": {"memory": 1048576}}),
        ({"limits": {}}, {}),
        ({"limits": None, "env": None, "timeout": None}, {}),
        ({"grants": {"listen": False}}, {"grants": {}}),
        ({"proplet_id": "p2"}, {"proplet_id": "p2"}),
        ({"proplet_id": "p2"}, RAN),
        ({"proplet_id": ""}, RAN),
        ({"proplet_id": "p2"}, RAN | {"pinned_to": "p2"}),
        ({"proplet_id": ""}, {}),
        ({"env": {}, "cli_args": []}, {"cli_args": None}),
    ],
)
def test_what_is_heeded(given, shown):
    assert unheeded(given, shown) == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"timeout": "5s"}, {}),
        ({"timeout": "0"}, {"timeout": "5s"}),
        ({"limits": {"memory": "1MiB"}}, {}),
        ({"limits": {"memory": "1MiB", "fuel": 5}}, {"limits": {"fuel": 5}}),
        ({"limits": {"memory": 0}}, {"limits": {"memory": 5}}),
        ({"grants": {}}, {}),
        ({"proplet_id": "p2"}, {}),
        ({"proplet_id": "p2"}, RAN | {"pinned_to": "p1"}),
        ({"proplet_id": ""}, {"proplet_id": "p1"}),
        ({"env": {"A": "b"}}, {}),
    ],
)
def test_what_is_not(given, shown):
    assert unheeded(given, shown) == [*given]
