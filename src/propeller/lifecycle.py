"""The lifecycle of every part that works in the background.

- ``start`` returns once the work has begun; called again, it does nothing.
- ``stop`` returns once the work has ended; called again, or before ``start``, it does nothing.
- A part that was stopped is not started again.
- One that may fail by itself has its work as ``running``, a task that ends with the reason.

Parts that only hold something open, from their construction on, have a ``close`` instead.
"""

from typing import Protocol


class Lifecycle(Protocol):
    async def start(self) -> None: ...

    async def stop(self) -> None: ...
