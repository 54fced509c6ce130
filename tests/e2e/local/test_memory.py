"""How much memory programs keep when a large module has passed through them."""

import base64
from pathlib import Path

import psutil

from tests.builders import ADDITION, padded
from tests.e2e.local.harness import ENDED
from tests.waiting import until

MIB = 2**20


def private_mib(process):
    rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
    dirty = next(line for line in rollup.splitlines() if line.startswith("Private_Dirty"))
    return int(dirty.split()[1]) * 1024 // MIB


def run(system, wasm):
    file = base64.b64encode(wasm).decode()
    task = system.call("POST", "/tasks?file=false", {"name": "main", "inputs": [1, 2], "file": file})
    system.call("POST", f"/tasks/{task['id']}/start")
    until(lambda: system.call("GET", f"/tasks/{task['id']}?file=false")["state"] == ENDED)


def test_what_a_large_module_needed_is_given_back(system):
    system.up()
    run(system, ADDITION)
    manager = psutil.Process(system.process.pid)
    (proplet,) = system.proplet_processes()
    before = {process: private_mib(process) for process in (manager, proplet)}
    run(system, padded(16 * MIB))
    # The store's connections keep up to 16 MB each of what they have read or written.
    until(lambda: private_mib(manager) - before[manager] < 80)
    until(lambda: private_mib(proplet) - before[proplet] < 10)
    for child in proplet.children(recursive=True):
        assert private_mib(child) < 30, child.cmdline()
