"""The lifetime of a program: it runs until it is told to stop, or one of its vital parts has failed."""

import asyncio
import contextlib
import resource
import signal
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar

from propeller.assembly.certificate import Certificate
from propeller.lifecycle import Lifecycle

T = TypeVar("T")

#: More than this has no use, and some systems take no more.
_FILES_MAX = 1 << 20


def raise_file_limit() -> None:
    """Let this program, and those that it starts, have as many files open as it may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES_MAX if hard == resource.RLIM_INFINITY else min(hard, _FILES_MAX)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # it was a wish
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def stop_asked() -> asyncio.Event:
    """Give an event that SIGINT and SIGTERM set from now on.

    A program asks for it before it opens anything. Earlier signals end it at once: nothing has begun then
    that has to be ended in order.
    """
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def on_hangup(certificate: Certificate | None) -> None:
    """Read the certificate of a server anew at each SIGHUP; without one, SIGHUP ends the program."""
    if certificate is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, certificate.read_again)


async def start_within(stack: contextlib.AsyncExitStack, part: Lifecycle) -> None:
    """Start a part that stops when the stack is left, whatever happens meanwhile."""
    stack.push_async_callback(part.stop)
    await part.start()


async def until_over(stop: asyncio.Event, vital: Iterable["asyncio.Task[Any]"]) -> None:
    """Return when the program is to stop, or one of its vital parts has; ``raise_failure`` says why."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, *vital}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def give_up(task: "asyncio.Task[Any]") -> None:
    """Cancel a task, and wait for its end, whatever that is."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def raise_failure(vital: Iterable["asyncio.Task[Any]"]) -> None:
    """Raise what a vital part failed with, if one did."""
    for part in vital:
        if part.done() and not part.cancelled():
            part.result()


async def beside(work: Callable[[], T]) -> T:
    """Do work that takes long beside the loop. If the caller is cancelled, the program may end without it."""
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()  # from now on it is not cancelled with the caller

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # the caller must hear of any error
            done.set_exception(error)

    threading.Thread(target=run, name="beside", daemon=True).start()
    return await asyncio.wrap_future(done)
