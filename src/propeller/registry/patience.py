"""Trying again, where that may help."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from propeller.errors import ModuleUnavailable

T = TypeVar("T")


class Transient(ModuleUnavailable):
    """A fault that may be gone when the request is made again."""

    def __init__(self, message: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(message)
        #: The server's own wish.
        self.retry_after_s = retry_after_s


async def patiently(operation: Callable[[], Awaitable[T]], *, tries: int, backoff_s: float) -> T:
    """Do it, again after a transient fault, with waits that double; any other fault counts at once."""
    for made in range(1, tries):
        try:
            return await operation()
        except Transient as fault:
            wait_s = max(backoff_s * 2 ** (made - 1) * random.uniform(1.0, 1.5), fault.retry_after_s)  # noqa: S311
        await asyncio.sleep(wait_s)
    try:
        return await operation()
    except Transient as fault:
        raise ModuleUnavailable(f"{fault} (tried {tries} times)") from fault
