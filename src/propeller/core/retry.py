"""Retry policies: how often a task is tried that fails, after how long, and after which failures. Pure."""

import zlib

import msgspec

from propeller.core.failures import LIMITS, ErrorKind

#: Why no policy is taken for a broadcast.
RETRY_OF_BROADCAST = "a broadcast task runs once on each proplet, and is not tried again"
#: No delay is longer, whatever the backoff makes of it: a week.
DELAY_NS_MAX = 7 * 86_400 * 1_000_000_000

#: What no further attempt helps against: what it is asked is wrong, somebody stopped it, its time is over.
#: Losses have a count of their own.
NEVER_BY_DEFAULT = frozenset(
    {
        ErrorKind.INPUTS,
        ErrorKind.CONDITION,
        ErrorKind.REFUSED,
        ErrorKind.LOST,
        ErrorKind.DISPATCH,
        ErrorKind.CANCELLED,
        ErrorKind.DEADLINE,
        ErrorKind.QUEUE_TIMEOUT,
    }
)
#: What ends a task for good.
_FINAL = frozenset(
    {
        ErrorKind.CONDITION,
        ErrorKind.CANCELLED,
        ErrorKind.DEADLINE,
        ErrorKind.QUEUE_TIMEOUT,
        ErrorKind.RETURNED,
    }
)
#: The kinds that a policy may name.
KINDS = tuple(kind for kind in ErrorKind if kind not in _FINAL)


class Retry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The retry policy of a task."""

    #: How many attempts may fail, the first included.
    max_attempts: int = 3
    #: How long the first wait is, ns.
    delay_ns: int = 1_000_000_000
    #: By how much each wait is longer than the one before it.
    backoff: float = 2.0
    #: No wait is longer, ns.
    max_delay_ns: int = 300_000_000_000
    #: By how much of itself a wait may be shorter, 0 to 1: tasks that failed together come back one by one.
    jitter: float = 0.0
    #: The failures that it is tried again after; empty for all but those that would come again.
    on: tuple[ErrorKind, ...] = ()

    def covers(self, kind: ErrorKind) -> bool:
        """Say whether a task that failed in this way is tried again; ``limit`` stands for every limit."""
        if not self.on:
            return kind not in NEVER_BY_DEFAULT
        return kind in self.on or (kind in LIMITS and ErrorKind.LIMIT in self.on)

    def delay_after(self, task_id: str, tries: int, attempt: int) -> int:
        """Give the wait after so many failed attempts, ns; the same one each time it is asked.

        The core has no randomness: the jitter comes from the id and the attempt.
        """
        longest = min(self.max_delay_ns, DELAY_NS_MAX)
        try:
            delay = min(self.delay_ns * self.backoff ** (tries - 1), longest)
        except OverflowError:
            delay = longest
        share = zlib.crc32(f"{task_id}/{attempt}".encode()) / 2**32
        return int(delay * (1 - self.jitter * share))
