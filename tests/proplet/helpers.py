"""A real proplet process, with the test as its manager at the other end of the socket pair."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import wasmtime
from tests.builders import module_of
from tests.waiting import gone

from propeller.proplet.build import PropletParts, parts_to_json
from propeller.registry.settings import RegistrySettings
from propeller.wire.fleet.codec import LineSplitter, from_line, to_line
from propeller.wire.fleet.from_manager import Ack, Start, Stop
from propeller.wire.fleet.from_proplet import Create, HandBack, Results
from propeller.wire.fleet.messages import Message
from propeller.wire.fleet.modules import ModuleRequest, module_chunks

DEADLINE_S = 40

#: Runs until it is stopped.
LOOP = bytes(wasmtime.wat2wasm('(module (func (export "main") (loop (br 0))))'))


class PropletProcess:
    """What was received and not yet looked for stays in ``inbox``."""

    def __init__(self, parts: PropletParts) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "propeller.proplet", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin is not None
        with self.process.stdin as stream:
            stream.write(parts_to_json(parts).decode())
        self._end = ours
        self._end.settimeout(DEADLINE_S)
        self._lines = LineSplitter()
        self.inbox: list[Message] = []
        self.modules: dict[str, bytes] = {}
        self.requests: list[str] = []

    # -- the manager's part --------------------------------------------------------------------------------

    def send(self, *messages: Message) -> None:
        self.send_bytes(b"".join(map(to_line, messages)))

    def send_bytes(self, data: bytes) -> None:
        self._end.sendall(data)

    def start(
        self, task_id: str, wasm: bytes, *inputs: str, attempt: int = 1, export: str = "main", **fields: Any
    ) -> None:
        """Start a task whose module can be asked for."""
        digest = module_of(wasm).digest
        self.modules[f"sha256:{digest}"] = wasm
        self.send(
            Start(
                id=task_id,
                name=export,
                module=f"sha256:{digest}",
                inputs=list(inputs),
                proplet_id="p",
                attempt=attempt,
                **fields,
            )
        )

    def stop(self, task_id: str, attempt: int = 1) -> None:
        self.send(Stop(id=task_id, proplet_id="p", attempt=attempt))

    def wait_for(self, kind: type, is_it: Callable[[object], bool] = lambda _: True) -> object:
        """Take the first message of a kind out of the inbox, answering requests for modules on the way."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for message in self.inbox:
                if isinstance(message, kind) and is_it(message):
                    self.inbox.remove(message)
                    return message
            assert self.receive(), f"the proplet hung up; it said: {self.inbox}"
            assert time.monotonic() < deadline, f"no {kind.__name__}; it said: {self.inbox}"

    def receive(self) -> bool:
        """Take in what comes next; False at the end of the stream."""
        try:
            data = self._end.recv(1 << 20)
        except ConnectionResetError:  # it ended before it read everything
            return False
        for line in self._lines.feed(data):
            message = from_line(line)
            self.inbox.append(message)
            if isinstance(message, ModuleRequest):
                self.requests.append(message.app_name)
                self.answer(message)
        return bool(data)

    def answer(self, request: ModuleRequest) -> None:
        data = self.modules.get(request.app_name)
        if data is not None:
            self.send(*module_chunks(module_of(data), data))

    def hello(self) -> Create:
        found = self.wait_for(Create)
        assert isinstance(found, Create)
        return found

    def result(self, task_id: str, attempt: int = 1) -> Results:
        """Wait for the end of an attempt, and acknowledge it."""
        found = self.wait_for(Results, lambda message: message.task_id == task_id)  # type: ignore[attr-defined]
        assert isinstance(found, Results)
        assert found.attempt == attempt
        self.send(Ack(ended=[(task_id, attempt)]))
        return found

    def hand_back(self, task_id: str) -> HandBack:
        found = self.wait_for(HandBack, lambda message: message.task_id == task_id)  # type: ignore[attr-defined]
        assert isinstance(found, HandBack)
        self.send(Ack(ended=[(task_id, found.attempt)]))
        return found

    def fill(self, slots: int) -> list[str]:
        """Have it run endless tasks in all its slots, and wait until it does; give their ids."""
        task_ids = [f"endless-{n}" for n in range(slots + 1)]
        for task_id in task_ids:
            self.start(task_id, LOOP)
        # All are begun once the one too many is given back.
        back = self.wait_for(HandBack)
        assert isinstance(back, HandBack)
        self.send(Ack(ended=[(back.task_id, back.attempt)]))
        task_ids.remove(back.task_id)
        return task_ids

    # -- the process ---------------------------------------------------------------------------------------

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def hang_up(self) -> None:
        self._end.close()

    def family(self) -> list[psutil.Process]:
        """The processes below it, which must not outlive it."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def ended(self) -> int:
        """Wait for its end, read what is left, and return the exit code."""
        if self._end.fileno() != -1:
            while self.receive():
                pass
        return self.process.wait(DEADLINE_S)

    def all_messages(self, kind: type) -> list[Message]:
        return [message for message in self.inbox if isinstance(message, kind)]


@contextlib.contextmanager
def a_proplet(directory: Path, *, slots: int = 2, **parts: Any) -> Iterator[PropletProcess]:
    registry = RegistrySettings(cache_dir=directory / "images")
    proplet = PropletProcess(
        PropletParts(id="p", slots=slots, directory=directory, registry=registry, **parts)
    )
    with proplet.process:
        try:
            yield proplet
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = proplet.family()
                proplet.process.kill()
                assert gone(family)
            proplet.hang_up()
