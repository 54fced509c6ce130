"""Asks the manager in threads, so that the screen goes on, and follows its streams.

The threads are daemons: who leaves does not wait for a manager that says nothing.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from propeller.client.errors import ApiError, Unreachable, Untrusted
from propeller.errors import PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client

_T = TypeVar("_T")
#: How a manager says that it does not know what it was asked for.
_UNKNOWN = (404, 405, 406, 501)
_RETRY_S = 1.0


def is_unknown(error: ApiError) -> bool:
    return error.status in _UNKNOWN


class Source:
    """The manager, as the screen asks it."""

    def __init__(
        self, client: "Client", *, answered: Callable[[], None], broke: Callable[[PropellerError], None]
    ) -> None:
        """Make one.

        Args:
            client: Of the manager.
            answered: Told of each answer, in the loop.
            broke: Told when no answer comes, in the loop.

        """
        self._client = client
        self._answered = answered
        self._broke = broke

    async def ask(self, request: "Callable[[Client], _T]") -> _T:
        """Ask, and return the answer.

        Raises:
            ApiError: The manager refuses.
            Unreachable: No answer came.
            Untrusted: The manager's certificate is not believed.

        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[_T] = loop.create_future()

        def run() -> None:
            try:
                found = request(self._client)
            except Exception as error:
                _tell(loop, _fail, answer, error)
            else:
                _tell(loop, _fulfil, answer, found)

        threading.Thread(target=run, daemon=True, name="top-ask").start()
        try:
            found = await answer
        except (Unreachable, Untrusted) as error:
            self._broke(error)
            raise
        except ApiError:
            self._answered()
            raise
        self._answered()
        return found

    async def follow(self, begin: "Callable[[Client, Following], Iterator[Any]]") -> AsyncIterator[list[Any]]:
        """Yield what a stream brings, all that has come at once; an empty list when it stands, or is quiet.

        A stream that the manager does not answer at all is asked for until it does.

        Raises:
            ApiError: The manager refuses.

        """
        following = Following(asyncio.get_running_loop())
        try:
            while True:
                threading.Thread(
                    target=following.run, args=(begin, self._client), daemon=True, name="top-follow"
                ).start()
                async for batch in following.batches():
                    if isinstance(batch, (Unreachable, Untrusted)):
                        self._broke(batch)
                        continue
                    self._answered()
                    yield batch
                if following.refusal is not None:
                    self._answered()
                    raise following.refusal
                if not following.is_broken:
                    return
                await asyncio.sleep(_RETRY_S)
        finally:
            following.is_over = True


class Following:
    """One stream that is followed, between its thread and the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: asyncio.Queue[Any] = asyncio.Queue()
        self.is_over = False
        self.is_broken = False
        #: Why the stream ended, if the manager refuses it.
        self.refusal: Exception | None = None

    def broke(self, error: PropellerError) -> None:
        """Tell of a break; the stream comes back by itself."""
        _tell(self._loop, self._items.put_nowait, error)

    def run(self, begin: "Callable[[Client, Following], Iterator[Any]]", client: "Client") -> None:
        """Read the stream in a thread."""
        self.is_broken, self.refusal = False, None
        try:
            for item in begin(client, self):
                if self.is_over:
                    return
                _tell(self._loop, self._items.put_nowait, (item,))
        except (Unreachable, Untrusted) as error:
            self.is_broken = True
            self.broke(error)
        except Exception as error:
            self.refusal = error
        _tell(self._loop, self._items.put_nowait, None)

    async def batches(self) -> AsyncIterator[Any]:
        """Yield lists of items, and errors where the stream broke, until it ends."""
        while True:
            found = [await self._items.get()]
            while not self._items.empty():
                found.append(self._items.get_nowait())
            items: list[Any] = []
            for one in found:
                if isinstance(one, tuple):
                    items += [item for item in one if item is not None]
                    continue
                if items:
                    yield items
                    items = []
                if one is None:
                    return
                yield one
            if items or isinstance(found[-1], tuple):
                yield items


def _tell(loop: asyncio.AbstractEventLoop, told: Callable[..., None], *about: Any) -> None:
    """Call something in the loop, if that is not over."""
    try:
        loop.call_soon_threadsafe(told, *about)
    except RuntimeError:
        if not loop.is_closed():
            raise


def _fulfil(answer: "asyncio.Future[Any]", found: Any) -> None:
    if not answer.done():
        answer.set_result(found)


def _fail(answer: "asyncio.Future[Any]", error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
