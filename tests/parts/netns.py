"""A machine of its own, as far as the network goes: a namespace, and a cable to this one that can fail.

The cable is a pair of TUN devices with a thread between them that carries, delays, loses or holds back the
packets: so both ends are real kernels with real connections, whatever this kernel can do by itself.
"""

import contextlib
import fcntl
import heapq
import itertools
import os
import random
import select
import struct
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Self

from tests.parts.machine import IFF_TUN_NO_PI, TUNSETIFF, need_networks

_numbers = itertools.count()


class Cable(threading.Thread):
    """Carries packets between two devices."""

    def __init__(self, ends: tuple[int, int]) -> None:
        super().__init__(name="cable", daemon=True)
        self._ends = ends
        #: Of 1: how many packets are lost.
        self.loss = 0.0
        self.delay_s = 0.0
        self.is_cut = False
        #: TCP ports whose packets are lost, in both directions.
        self.cut_ports: set[int] = set()
        self._is_over = False
        self._chance = random.Random(7)
        self._on_the_way: list[tuple[float, int, int, bytes]] = []
        self._count = itertools.count()

    def run(self) -> None:
        one, other = self._ends
        while not self._is_over:
            wait = 0.05
            if self._on_the_way:
                wait = min(wait, max(0.0, self._on_the_way[0][0] - time.monotonic()))
            for end in select.select([one, other], [], [], wait)[0]:
                self._take(os.read(end, 65536), other if end == one else one)
            while self._on_the_way and self._on_the_way[0][0] <= time.monotonic():
                _, _, end, packet = heapq.heappop(self._on_the_way)
                with contextlib.suppress(OSError):  # the other end is not up yet, or not any more
                    os.write(end, packet)

    def end(self) -> None:
        self._is_over = True
        self.join()

    def _take(self, packet: bytes, towards: int) -> None:
        if self.cut_ports and self.cut_ports & _tcp_ports(packet):
            return
        if not self.is_cut and self._chance.random() >= self.loss:
            due = time.monotonic() + self.delay_s
            heapq.heappush(self._on_the_way, (due, next(self._count), towards, packet))


class Island:
    """A network namespace; ``host`` is this machine's address at the other end of the cable, ``own`` its.

    Where a machine can't make one, the test is skipped.
    """

    def __init__(self) -> None:
        # Of this process alone, as far as that goes: tests of several checkouts may run at the same time.
        number = os.getpid() % 8192 * 4 + next(_numbers) % 4
        self.name = f"propeller-{os.getpid()}-{number}"
        # A range that is kept for tests of networks, four addresses for each cable.
        addresses = int(ip_address("198.18.0.0")) + 4 * number
        self.host, self.own = (str(ip_address(addresses + side)) for side in (1, 2))
        self._near, self._far = f"pta{number}", f"ptb{number}"
        self._end = contextlib.ExitStack()

    def __enter__(self) -> Self:
        need_networks()
        with contextlib.ExitStack() as undo:
            _ip("netns", "add", self.name)
            undo.callback(_ip, "netns", "del", self.name)
            ends = []
            for name in (self._near, self._far):
                ends.append(_open_tun(name))
                undo.callback(os.close, ends[-1])
            _ip("link", "set", self._far, "netns", self.name)
            _ip("addr", "add", f"{self.host}/30", "dev", self._near)
            _ip("link", "set", self._near, "up")
            _ip("-n", self.name, "addr", "add", f"{self.own}/30", "dev", self._far)
            _ip("-n", self.name, "link", "set", self._far, "up")
            _ip("-n", self.name, "link", "set", "lo", "up")
            self.cable = Cable((ends[0], ends[1]))
            self.cable.start()
            undo.callback(self.cable.end)
            self._end = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def command(self, argv: Sequence[str]) -> list[str]:
        """Say how to start a program there."""
        return ["ip", "netns", "exec", self.name, *argv]

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        self.cable.is_cut = True
        try:
            yield
        finally:
            self.cable.is_cut = False

    @contextlib.contextmanager
    def cut_from(self, port: int) -> Iterator[None]:
        """Lose what goes to this TCP port and comes from it, and nothing else."""
        self.cable.cut_ports.add(port)
        try:
            yield
        finally:
            self.cable.cut_ports.discard(port)

    @contextlib.contextmanager
    def impaired(self, *, loss: float, delay_s: float) -> Iterator[None]:
        """Lose and delay what goes over the cable, in both directions."""
        self.cable.loss, self.cable.delay_s = loss, delay_s
        try:
            yield
        finally:
            self.cable.loss = self.cable.delay_s = 0.0


def _tcp_ports(packet: bytes) -> set[int]:
    """Give the ports of a packet of TCP over IPv4; none of any other."""
    if packet[0] >> 4 != 4 or packet[9] != 6:
        return set()
    head = (packet[0] & 15) * 4
    return set(struct.unpack("!HH", packet[head : head + 4]))


def _open_tun(name: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN_NO_PI))
    return end


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
