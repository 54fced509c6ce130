"""The lifecycle of every part that works in the background.

- ``start`` returns once the work has begun; called again, it does nothing.
- ``stop`` returns once the work has ended; called again, or before ``start``, it does nothing.
- A part that was stopped is not started again.

Parts that only hold something open, from their construction on, have a ``close`` instead.
"""

import asyncio
from typing import Protocol


class Lifecycle(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class Vital(Lifecycle, Protocol):
    """A part that a program can't do without: it may fail by itself."""

    @property
    def running(self) -> "asyncio.Task[None]":
        """The work, from ``start`` on; it ends with the reason why it can't go on."""
