"""A machine of its own, as far as the network goes: a namespace with one cable to this one."""

import contextlib
import itertools
import os
import subprocess
from collections.abc import Iterator, Sequence

_numbers = itertools.count()


class Island:
    """A network namespace; ``host`` is this machine's address at the other end of the cable."""

    def __init__(self) -> None:
        number = next(_numbers)
        self.name = f"propeller-{os.getpid()}-{number}"
        # A block that documentation is free to use, and so nobody else here.
        self.host = f"198.51.100.{4 * number + 1}"
        self._own = f"198.51.100.{4 * number + 2}"
        self._cable = f"pv{os.getpid() % 100_000}-{number}"
        self._other = f"pw{os.getpid() % 100_000}-{number}"

    def __enter__(self) -> "Island":
        _ip("netns", "add", self.name)
        try:
            _ip("link", "add", self._cable, "type", "veth", "peer", "name", self._other, "netns", self.name)
            _ip("addr", "add", f"{self.host}/30", "dev", self._cable)
            _ip("link", "set", self._cable, "up")
            _ip("-n", self.name, "addr", "add", f"{self._own}/30", "dev", self._other)
            _ip("-n", self.name, "link", "set", self._other, "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            _ip("netns", "del", self.name)

    def command(self, argv: Sequence[str]) -> list[str]:
        """Say how to start a program there."""
        return ["ip", "netns", "exec", self.name, *argv]

    def cut(self) -> None:
        _ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        _ip("link", "set", self._cable, "up")

    @contextlib.contextmanager
    def impaired(self, *, loss: str, delay: str) -> Iterator[None]:
        """Lose and delay what goes over the cable, in both directions."""
        ends = ([], self._cable), (["ip", "netns", "exec", self.name], self._other)
        for where, device in ends:
            _run(*where, "tc", "qdisc", "add", "dev", device, "root", "netem", "loss", loss, "delay", delay)
        try:
            yield
        finally:
            for where, device in ends:
                _run(*where, "tc", "qdisc", "del", "dev", device, "root")


def _ip(*words: str) -> None:
    _run("ip", *words)


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, words, done.stdout, done.stderr)
