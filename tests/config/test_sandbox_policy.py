"""The limits of tasks that name none, beside the most that any may have."""

import pytest

from propeller.config.definitions import PROPLET
from propeller.config.sandbox_policy import sandbox_policy_of
from propeller.config.sources import resolve

SECOND_NS, MIB = 10**9, 2**20


@pytest.mark.parametrize(
    ("environ", "timeout_ns", "memory_bytes"),
    [
        ({}, 24 * 3600 * SECOND_NS, 512 * MIB),
        ({"PROPLET_TASK_TIMEOUT_MAX": "1h"}, 3600 * SECOND_NS, 512 * MIB),
        ({"PROPLET_TASK_TIMEOUT_MAX": "1h", "PROPLET_TASK_TIMEOUT": "5s"}, 5 * SECOND_NS, 512 * MIB),
        ({"PROPLET_TASK_TIMEOUT_MAX": "1h", "PROPLET_TASK_TIMEOUT": "0"}, 3600 * SECOND_NS, 512 * MIB),
        ({"PROPLET_TASK_TIMEOUT": "0"}, 0, 512 * MIB),
        ({"PROPLET_TASK_MEMORY_MAX": "64MiB"}, 24 * 3600 * SECOND_NS, 64 * MIB),
        ({"PROPLET_TASK_MEMORY": "8GiB"}, 24 * 3600 * SECOND_NS, 8192 * MIB),
    ],
)
def test_a_task_that_names_no_limit_has_no_more_than_any(tmp_path, environ, timeout_ns, memory_bytes):
    policy = sandbox_policy_of(resolve(PROPLET, {"HOME": str(tmp_path), **environ}), [])
    assert (policy.limits.timeout_ns, policy.limits.memory_bytes) == (timeout_ns, memory_bytes)
    assert policy.offer.limits.memory >= memory_bytes
