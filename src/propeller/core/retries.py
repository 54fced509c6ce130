"""Retries: an attempt failed, and the task is tried again after a while; until then it is in no queue."""

from propeller.core.failures import Failure
from propeller.core.model import Execution, Task, Timing
from propeller.core.reasons import TriedAgain
from propeller.core.state import ClusterState
from propeller.core.states import FAILED, SCHEDULED
from propeller.core.timers import TimerOf


def attempt_failed(
    state: ClusterState, task: Task, failure: Failure, now: int, outcome: Execution | None = None
) -> bool:
    """Have a task tried again whose attempt has failed, if its policy says so; say whether it is.

    ``outcome`` is the failed attempt, where its proplet has reported it.
    """
    retry = task.spec.retry
    if retry is None or not retry.covers(failure.kind):
        return False
    tries = (task.timing.tries if task.timing else 0) + 1
    if tries >= retry.max_attempts:
        return False
    state.past(task, outcome or state.attempt_of(task, FAILED, failure, now))
    state.release(task)
    delay_ns = retry.delay_after(task.id, tries, task.attempt)
    timing = task.timing = task.timing or Timing()
    timing.tries, timing.retry_at = tries, now + delay_ns
    state.timers.set(TimerOf.RETRY, task.id, state.ticks + delay_ns)
    task.reason = TriedAgain(task.attempt, failure.error, tries, retry.max_attempts)
    task.started_at = 0
    if not task.was_up:
        task.results = None
    state.move(task, SCHEDULED, now)
    return True
