"""``--idempotency-key``: a command that is typed again does its work once."""

import json

import httpx
import pytest

from propeller.cli import modules
from propeller.client.api import Client
from propeller.client.errors import ApiError
from tests.builders import ADDITION, padded

TASKS = json.dumps([{"name": "main"}, {"name": "main"}])


@pytest.mark.parametrize(
    ("words", "key_of"),
    [
        (("tasks", "create", "main", "--file", "addition.wat"), "id"),
        (("workflows", "create", "--tasks", TASKS), "tasks"),
        (("jobs", "create", "--name", "j", "--tasks", TASKS), "tasks"),
    ],
)
def test_a_creation_that_is_typed_again_is_the_first_one(shell, words, key_of):
    def asked(*more, key=f"cli {words[0]}"):
        return shell(*words, *more, "--idempotency-key", key, "--json")

    first, again = (json.loads(asked().stdout) for _ in range(2))
    assert again == first
    assert first[key_of] != json.loads(asked(key=f"other {words[0]}").stdout)[key_of]
    changed = asked(*(("--priority", "7") if words[0] == "tasks" else ("--name", "changed")))
    assert changed.returncode == 1
    assert "was used for another request" in json.loads(changed.stderr)["error"]


@pytest.mark.parametrize("kind", ["workflow", "job"])
def test_a_clone_and_a_rerun_that_are_typed_again_are_one(shell, kind):
    body = {"tasks": [{"name": "main", "file": shell_module(), "inputs": [1, 2]}]}
    (task,) = shell.system.call("POST", f"/{kind}s", body)["tasks"]
    group_id = task[f"{kind}_id"]
    shell(f"{kind}s", "start", group_id)
    shell("tasks", "logs", task["id"], "--follow")  # until it has ended
    for verb, more in (("clone", ("--json",)), ("rerun", ("--what", "all"))):
        words = (f"{kind}s", verb, group_id, *more, "--idempotency-key", f"{verb} {group_id}")
        first, again = (shell(*words) for _ in range(2))
        assert (first.returncode, again.returncode) == (0, 0), again.stderr
        assert again.stdout == first.stdout
    shell("tasks", "logs", task["id"], "--follow")
    assert shell.system.call("GET", f"/tasks/{task['id']}")["attempt"] == 2


@pytest.mark.parametrize("kind", ["task", "workflow", "job"])
def test_a_start_that_is_typed_again_runs_once(shell, kind):
    made = shell.system.call("POST", "/tasks", {"name": "main", "file": shell_module(), "inputs": [1, 2]})
    id_ = made["id"]
    if kind != "task":
        body = {"tasks": [{"name": "main", "file": shell_module(), "inputs": [1, 2]}]}
        (made,) = shell.system.call("POST", f"/{kind}s", body)["tasks"]
        id_ = made[f"{kind}_id"]
    for _ in range(2):
        done = shell(f"{kind}s", "start", id_, "--idempotency-key", f"start {id_}")
        assert done.returncode == 0, done.stderr
        shell("tasks", "logs", made["id"], "--follow")  # until it has ended
    assert shell.system.call("GET", f"/tasks/{made['id']}").get("attempt", 1) == 1
    assert shell(f"{kind}s", "start", id_).returncode == 0, "without a key it runs again"


def shell_module():
    return modules._inline(ADDITION)["file"]


def test_a_manager_that_would_not_heed_the_key_is_not_sent_it(tmp_path):
    asked = []

    def answer(request):
        asked.append(request.method)
        return httpx.Response(404, text="404 page not found\n")

    from propeller.cli.heeding import check_key
    from propeller.errors import Invalid

    with Client("http://contract", transport=httpx.MockTransport(answer)) as client:
        check_key(client, None)
        assert asked == []
        with pytest.raises(Invalid, match="the manager at http://contract does not know it"):
            check_key(client, "k")
    assert asked == ["GET"]


def test_a_task_whose_large_module_did_not_arrive_stays_for_who_creates_it_again(monkeypatch):
    monkeypatch.setattr(modules, "INLINE_CHARS_MAX", 100)
    asked = []

    def answer(request):
        asked.append((request.method, request.headers.get("Idempotency-Key")))
        if request.method == "PUT" and len(asked) == 2:
            return httpx.Response(503, json={"error": "not now"})
        return httpx.Response(200, json={"id": "t"})

    with Client("http://m", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(ApiError, match="not now"):
            modules.create_task(client, {"name": "main"}, padded(500), key="k")
        modules.create_task(client, {"name": "main"}, padded(500), key="k")
    assert asked == [("POST", "k"), ("PUT", None)] * 2
