"""Signals while a program starts: it ends without a word or in order, and leaves nothing behind."""

import contextlib
import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.e2e.local.harness import System
from tests.waiting import until

MARK = "PROPELLER_STARTED_FOR"


def family(process):
    return process.children(recursive=True)


def has_loaded(name):
    return lambda process: any(name in one.path for one in process.memory_maps())


#: What ``propeller up`` has reached when the signal comes.
MOMENTS = {
    "a process": psutil.Process.is_running,
    "the command line": has_loaded("msgspec"),
    "the server": has_loaded("uvloop"),
    "a port": lambda process: any(one.status == "LISTEN" for one in process.net_connections()),
    "a store": lambda process: any(one.path.endswith("propeller.db") for one in process.open_files()),
    "a proplet": family,
    "a proplet that loads": lambda process: any(map(has_loaded("uvloop"), family(process))),
    "processes for guests": lambda process: len(family(process)) > 1,
}


UP = ("up", "--host", "127.0.0.1", "--port", "0")
#: A broker that is not there.
NOWHERE = ("--mqtt-address", "tcp://127.0.0.1:9")
IDENTITY = {"TENANT_ID": "d", "CHANNEL_ID": "c", "ENTITY_ID": "i", "API_KEY": "k"}


def heed_interrupts():
    """Undo what a shell does to commands in the background."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def system(tmp_path):
    system = System(tmp_path / "data")
    yield system
    for process in left_behind(system):
        process.kill()


def begin(system, *arguments):
    command = [*system.program, *arguments]
    names = {f"{arguments[0].upper()}_{name}": value for name, value in IDENTITY.items()}
    with system.log.open("w") as log:
        return subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=heed_interrupts,  # noqa: PLW1509  this test has no threads
            env={**os.environ, **names, MARK: str(system.data_dir)},
        )


def reach(moment, program):
    process = psutil.Process(program.pid)

    def is_there():
        assert program.poll() is None, "it ended by itself"
        with contextlib.suppress(psutil.NoSuchProcess, FileNotFoundError):
            return MOMENTS[moment](process)

    until(is_there)


def left_behind(system):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == str(system.data_dir) and process.status() != "zombie":
                found.append(process)
    return found


@pytest.mark.parametrize("send", [os.kill, os.killpg], ids=["alone", "group"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_start_may_be_broken_off_at_any_moment(system, number, send):
    for moment in MOMENTS:
        program = begin(system, *UP, "--data-dir", str(system.data_dir))
        reach(moment, program)
        send(program.pid, number)
        code = program.wait(60)
        said = system.log.read_text()
        assert "Traceback" not in said, (moment, said)
        if send is os.kill:  # a group's signal may meet a proplet that has no session of its own yet
            assert "ended with code" not in said, (moment, said)
        assert code in ((0, -number) if moment == "a process" else (0,)), (moment, code, said)
        until(lambda: not left_behind(system))
    system.up()
    assert system.stop() == 0


@pytest.mark.parametrize(
    "arguments",
    [("manager", "--http-port", "0", "--data-dir"), ("proplet", "--data-dir"), ("proxy", "--http-port", "0")],
    ids=["manager", "proplet", "proxy"],
)
def test_programs_at_a_broker_may_be_broken_off_too(system, arguments):
    where = [str(system.data_dir)] if arguments[-1] == "--data-dir" else []
    for moment in ("a process", "the command line", "the server", "no broker"):
        program = begin(system, *arguments, *where, *NOWHERE)
        if moment == "no broker":
            until(lambda: "Connection refused" in system.log.read_text())
        else:
            reach(moment, program)
        program.terminate()
        code = program.wait(60)
        said = system.log.read_text()
        assert "Traceback" not in said, (moment, said)
        assert code in ((0, -signal.SIGTERM) if moment == "a process" else (0,)), (moment, code, said)
        until(lambda: not left_behind(system))


def test_the_first_process_of_a_container_ends_too():
    """A signal that it does not take does not end it, as if the signal were held back."""
    code = """if True:
        import os, signal
        from propeller.__main__ import end_now
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        end_now(signal.SIGTERM, None)
    """
    done = subprocess.run([sys.executable, "-c", code], timeout=60, check=False)
    assert done.returncode == 128 + signal.SIGTERM
