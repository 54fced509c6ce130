"""Clients that send half of a request, or far too much: everybody else is answered as if they were not there."""

import base64
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.local.harness import System
from tests.waiting import until

HALF = b"POST /tasks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{"
#: Asks on and on, in a process of its own; ends with its input and prints the longest that an answer took, ms, and
#: how often it asked. What this program, or one thread of the manager, waited for a processor is not the manager's
#: doing and does not count.
PROBE = """
import contextlib, http.client, pathlib, sys, threading, time
def waits(threads):
    found = {}
    for thread in threads:
        with contextlib.suppress(OSError):
            found[thread.name] = int((thread / "schedstat").read_text().split()[1]) / 1e9
    return found
def all_waits():
    return waits([pathlib.Path("/proc/thread-self")]), waits(pathlib.Path("/proc", sys.argv[2], "task").iterdir())
def longest_wait(before, after):
    return max((wait - before[thread] for thread, wait in after.items() if thread in before), default=0)
ended, worst, count = threading.Event(), 0.0, 0
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
while not ended.is_set():
    before, began = all_waits(), time.perf_counter()
    client = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=60)
    client.request("GET", "/health")
    assert client.getresponse().status == 200
    client.close()
    took = time.perf_counter() - began
    worst, count = max(worst, took - sum(map(longest_wait, before, all_waits()))), count + 1
    time.sleep(0.005)
print(round(worst * 1000), count)
"""
#: Twice what it takes on a machine that does nothing else.
ANSWER_MS_MAX = 200


@pytest.fixture
def up(tmp_path):
    """A manager that may have 1,024 files open, until it asks for more."""

    def few_files():
        resource.setrlimit(resource.RLIMIT_NOFILE, (1024, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

    made = System(tmp_path / "data")
    made.up(preexec_fn=few_files)
    yield made
    made.clean_up()


@contextlib.contextmanager
def connections(port, count, sent):
    with contextlib.ExitStack() as all_of_them:
        for _ in range(count):
            client = all_of_them.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.sendall(sent)
        yield


def answer_to(port, head, pieces):
    """Send a request that may be refused before its end, and give the status."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        with contextlib.suppress(ConnectionError):
            client.sendall(head)
            for piece in pieces:
                client.sendall(piece)
        with contextlib.suppress(ConnectionError):
            return int(client.recv(4096).split()[1])
    return None


def large(port, body):
    return answer_to(port, HALF[:-1] % len(body), [body])


def header_flood():
    yield b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: "
    for _ in range(137):
        yield b"a" * 1_000_000


@contextlib.contextmanager
def asking(up):
    """Ask while this goes on; then the list has the longest time, ms, and how often was asked."""
    command = [sys.executable, "-c", PROBE, str(up.http.base_url.port), str(up.process.pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as probe:
        found = []
        yield found
        out, _ = probe.communicate("", timeout=60)
    assert probe.returncode == 0, "it was not answered"
    found.append([int(word) for word in out.split()])


def as_if_elsewhere():
    """Take no processor from the manager in this thread, as a client on a machine of its own does not."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def attack(up):
    port = up.http.base_url.port
    half, large_half = HALF % 1000, HALF % 90_000_000 + b" " * 100_000
    tasks = [{"name": "main", "inputs": [1, 2]} for _ in range(10_000)]
    with connections(port, 1100, half), connections(port, 300, large_half):
        assert answer_to(port, b"", header_flood()) in (431, None)
        assert large(port, b'{"name":"f","inputs":[' + b"1," * 45_000_000 + b"1]}") == 413
        assert up.call("POST", "/jobs?file=false", {"tasks": tasks}, 201)["job_id"]
        module = base64.b64encode(b"\0asm" + bytes(70_000_000))
        assert large(port, b'{"name":"f","file":"' + module + b'"}') == 201


def test_others_are_answered_all_the_while(up):
    with asking(up) as found, ThreadPoolExecutor(1, initializer=as_if_elsewhere) as attacker:
        attacker.submit(attack, up).result()
    ((worst_ms, count),) = found
    print(f"{count} answers, the longest after {worst_ms} ms")
    assert count > 20
    assert worst_ms < ANSWER_MS_MAX


def test_the_half_sent_are_sent_away(up):
    port = up.http.base_url.port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(HALF % 1000)
        began = time.monotonic()
        answer = client.recv(4096)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout")
        assert "the rest of it took too long" in json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
        assert 10 < time.monotonic() - began < 60
    until(lambda: up.call("GET", "/health")["status"] == "pass")
