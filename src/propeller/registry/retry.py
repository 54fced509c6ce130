"""Trying a request again, where that may help."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from propeller.backoff import Backoff
from propeller.errors import ModuleUnavailable

T = TypeVar("T")

_WAIT_S_MAX = 60.0


class Transient(ModuleUnavailable):
    """A fault that may be gone when the request is made again."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        #: How long the server wants us to wait.
        self.retry_after_s = retry_after_s


async def with_retries(operation: Callable[[], Awaitable[T]], *, tries: int, backoff_s: float) -> T:
    """Do it, and again after a transient fault with waits that double; raise any other fault at once."""
    backoff = Backoff(backoff_s, _WAIT_S_MAX)
    for failures in range(tries - 1):
        try:
            return await operation()
        except Transient as fault:
            wait_s = max(backoff.delay_s(failures) * random.uniform(1.0, 1.5), fault.retry_after_s)  # noqa: S311
        await asyncio.sleep(wait_s)
    try:
        return await operation()
    except Transient as fault:
        raise ModuleUnavailable(f"{fault} (tried {tries} times)") from fault
