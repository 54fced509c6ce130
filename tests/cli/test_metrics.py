"""What was measured, from a guest to the table."""

import base64
import json

import wasmtime

from tests.waiting import until

GROW = (
    '(module (memory (export "memory") 1) (func (export "main") (result i32) (memory.grow (i32.const 15))))'
)


def measured(shell, kind, entity_id):
    """Wait for the first sample, and give the page as the manager has it."""

    def look():
        page = json.loads(shell(kind, "metrics", entity_id, "--json").stdout)
        return page if page["total"] else None

    return until(look)


def test_what_a_task_used(shell):
    module = base64.b64encode(wasmtime.wat2wasm(GROW)).decode()
    fields = {"name": "main", "file": module, "monitoring_profile": {"enabled": True}}
    task_id = shell.system.call("POST", "/tasks", fields)["id"]
    assert "no metrics" in shell("tasks", "metrics", task_id).stderr
    assert shell("tasks", "start", task_id).returncode == 0
    page = measured(shell, "tasks", task_id)
    (sample,) = page["metrics"]
    assert (sample["task_id"], sample["metrics"]["peak_memory_bytes"]) == (task_id, 16 * 65536)
    shown = shell("tasks", "metrics", task_id).stdout
    assert shown.split()[:5] == ["TIME", "RAN", "CPU", "CPU", "TIME"]
    assert "1 MiB" in shown
    assert sample["proplet_id"] in shown
    beyond = shell("tasks", "metrics", task_id, "-o", "5")
    assert "there are only 1 metrics" in beyond.stderr
    assert shell("tasks", "delete", task_id).returncode == 0
    gone = shell("tasks", "metrics", task_id)
    assert gone.returncode == 1
    assert gone.stderr.startswith(f"error: there is no task {task_id}; ")


def test_what_a_proplet_used(shell):
    proplet_id = shell.system.call("GET", "/proplets")["proplets"][0]["id"]
    sample = measured(shell, "proplets", proplet_id)["metrics"][-1]
    assert sample["proplet_id"] == proplet_id
    assert sample["memory_metrics"]["rss_bytes"] > 10_000_000
    shown = shell("proplets", "metrics", proplet_id, "-l", "1")
    assert "MEMORY" in shown.stdout
    assert "MiB" in shown.stdout
    assert len(shown.stdout.splitlines()) == 2
