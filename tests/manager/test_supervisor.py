"""Local proplets are started, started anew when they end, and ended in peace."""

import asyncio
import signal
import sys

import pytest
from tests.manager.helpers import DEADLINE_S, until

from propeller.backoff import Backoff
from propeller.manager import supervisor as supervisor_module
from propeller.manager.supervisor import Launch, Supervisor

#: Says that it is there, then does what the rest says.
PROGRAM = "import signal, socket, sys; end = socket.socket(fileno=int(sys.argv[1])); "
WAITS = PROGRAM + "signal.signal(15, lambda *_: sys.exit(0)); end.send(b'x'); end.recv(1)"
ENDS = PROGRAM + "end.send(b'x'); sys.exit(3)"
DEAF = PROGRAM + "signal.signal(15, signal.SIG_IGN); end.send(b'x'); signal.pause()"


class PlayedFleet:
    """Keeps the manager's ends, and knows how many proplets have said that they are there."""

    def __init__(self):
        self.ends = []
        self.heard = 0

    async def attach(self, end):
        self.ends.append(end)
        asyncio.create_task(self._hear(end))  # noqa: RUF006  it ends with the socket

    async def _hear(self, end):
        said = await asyncio.get_running_loop().sock_recv(end, 1)
        self.heard += len(said)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(supervisor_module, "_BACKOFF", Backoff(0.01, 0.01))
    monkeypatch.setattr(supervisor_module, "_GRACE_S", 0.5)


def supervise(program, work, *ids):
    async def run():
        fleet = PlayedFleet()
        supervisor = Supervisor(
            fleet, ids, lambda _, fd: Launch([sys.executable, "-S", "-c", program, str(fd)])
        )
        async with asyncio.timeout(DEADLINE_S):
            try:
                await supervisor.start()
                await work(supervisor, fleet)
            finally:
                await supervisor.stop()
                for end in fleet.ends:
                    end.close()
        assert all(process.returncode is not None for process in supervisor._processes.values())
        return supervisor

    return asyncio.run(run())


def test_each_proplet_has_a_process_that_ends_in_peace():
    async def work(supervisor, fleet):
        await until(lambda: fleet.heard == 2)
        assert supervisor._processes.keys() == {"a", "b"}

    supervisor = supervise(WAITS, work, "a", "b")
    assert [process.returncode for process in supervisor._processes.values()] == [0, 0]


def test_a_process_that_ends_is_started_anew():
    async def work(_, fleet):
        await until(lambda: fleet.heard >= 4)

    supervise(ENDS, work, "a")


def test_a_killed_process_is_started_anew():
    async def work(supervisor, fleet):
        await until(lambda: fleet.heard == 1)
        supervisor._processes["a"].send_signal(signal.SIGKILL)
        await until(lambda: fleet.heard == 2)

    supervise(WAITS, work, "a")


def test_a_process_that_does_not_listen_is_killed():
    async def work(_, fleet):
        await until(lambda: fleet.heard == 1)

    supervisor = supervise(DEAF, work, "a")
    assert supervisor._processes["a"].returncode == -signal.SIGKILL


def test_when_no_process_is_to_be_had_it_tries_again():
    """For a moment there may be no process, no memory or no descriptor left."""

    async def work(supervisor, fleet):
        await until(lambda: fleet.heard == 1)
        start, failures = asyncio.create_subprocess_exec, []

        async def exhausted(*arguments, **options):
            if len(failures) < 3:
                failures.append(arguments)
                raise BlockingIOError(11, "Resource temporarily unavailable")
            return await start(*arguments, **options)

        asyncio.create_subprocess_exec = exhausted
        try:
            supervisor._processes["a"].send_signal(signal.SIGKILL)
            await until(lambda: fleet.heard == 2)
        finally:
            asyncio.create_subprocess_exec = start
        assert len(failures) == 3

    supervise(WAITS, work, "a")
