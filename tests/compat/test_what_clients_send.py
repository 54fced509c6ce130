"""Each request that the contract's SDK and command line make is taken, though unknown fields are refused.

Source: ``http-api`` in the contract, sections 1.3 (all fields of a task) and 9 (what the SDK sends).
"""

import json
from urllib.parse import quote

import pytest

from propeller.wire.http.tasks import NewTask, TaskChanges, TaskView
from tests.api.helpers import ADDITION_TEXT, play

ZERO = "0001-01-01T00:00:00Z"
ZEROS = dict.fromkeys(("start_time", "finish_time", "created_at", "updated_at"), ZERO)
#: Every field that a task has in the contract, with what an SDK may have in it when it sends one back.
WHOLE_TASK = {
    "id": "t-1",
    "name": "main",
    "kind": "standard",
    "state": 3,
    "image_url": "docker.io/acme/sum:v1",
    "file": ADDITION_TEXT,
    "cli_args": None,
    "inputs": ["10", "20"],
    "env": {"K": "V"},
    "daemon": False,
    "latent": False,
    "encrypted": False,
    "kbs_resource_path": "default/key/k1",
    "proplet_id": "p-9",
    "depends_on": [],
    "run_if": "success",
    "workflow_id": "",
    "job_id": "",
    "results": "30\n",
    "error": "none",
    "monitoring_profile": {
        "enabled": True,
        "interval": 5,
        "collect_cpu": True,
        "collect_memory": True,
        "collect_disk_io": True,
        "collect_threads": True,
        "collect_file_descriptors": True,
        "export_to_mqtt": True,
        "retain_history": True,
        "history_size": 100,
    },
    **ZEROS,
    "mode": "infer",
    "schedule": "",
    "next_run": ZERO,
    "is_recurring": False,
    "timezone": "",
    "broadcast": False,
    "priority": 50,
    "metadata": {"team": "ops"},
    "hal_storage_path": "/var/hal/t1",
}
PAGE = "offset=0&limit=10"
#: What each call asks for; the id is that of a task, job or proplet that is there.
READS = (
    "/health",
    "/tasks",
    "/tasks?limit=10",
    "/tasks?offset=1&limit=10",
    f"/tasks?limit=10&metadata={quote(json.dumps({'team': 'ops'}))}",
    "/tasks/t-1",
    "/tasks/t-1/results",
    f"/tasks/t-1/metrics?{PAGE}",
    "/jobs?limit=10&status=pending",
    "/jobs/j-1",
    "/proplets?limit=10&status=active",
    "/proplets/p-9",
    "/proplets/p-9/sdf",
    f"/proplets/p-9/metrics?{PAGE}",
    f"/proplets/p-9/alive-history?{PAGE}",
)


async def prepared(site):
    site.bring_proplet()
    await site.post("/tasks", WHOLE_TASK)
    await site.post(
        "/jobs", {"name": "n", "tasks": [{"name": "main", "file": ADDITION_TEXT, "job_id": "j-1", **ZEROS}]}
    )


@pytest.mark.parametrize("path", ["/tasks", "/workflows", "/jobs"])
def test_a_task_with_every_field_of_the_contract_is_created(tmp_path, path):
    async def part(site):
        site.bring_proplet()
        body = WHOLE_TASK if path == "/tasks" else {"tasks": [WHOLE_TASK]}
        created = await site.post(path, body)
        task = created if path == "/tasks" else created["tasks"][0]
        assert (task["id"], task["state"], task["start_time"]) == ("t-1", 0, ZERO)
        assert not {"results", "error"} & task.keys()
        assert task["monitoring_profile"] == WHOLE_TASK["monitoring_profile"]

    play(part, tmp_path)


def test_whatever_an_answer_has_may_be_sent_back():
    for shape in (NewTask, TaskChanges):
        assert {*TaskView.__struct_fields__} <= {*shape.__struct_fields__}


def test_what_the_sdk_creates(tmp_path):
    async def part(site):
        await site.post("/tasks", {"name": "sum", **ZEROS})
        await site.post("/workflows", {"tasks": [{"name": "a", **ZEROS}]})
        await site.post("/jobs", {"name": "n", "tasks": [{"name": "a", **ZEROS}]})
        mode = {"execution_mode": "parallel"}
        await site.post("/jobs", {"name": "n", "tasks": [{"name": "a", **ZEROS}], **mode})

    play(part, tmp_path)


def test_what_the_sdk_updates(tmp_path):
    async def part(site):
        await prepared(site)
        changed = await site.put("/tasks/t-1", {"id": "t-1", "name": "", "priority": 7, **ZEROS})
        assert (changed["name"], changed["priority"]) == ("main", 7)
        again = await site.put("/tasks/t-1", changed)
        assert again == changed | {"updated_at": again["updated_at"]}

    play(part, tmp_path)


def test_what_the_sdk_reads_and_does(tmp_path):
    async def part(site):
        await prepared(site)
        json_header = {"content-type": "application/json"}
        for path in READS:
            response = await site.http.get(path, headers=json_header)
            assert response.status_code == 200, (path, response.text)
        for path in ("/tasks/t-1/start", "/jobs/j-1/start"):
            response = await site.http.post(path, headers=json_header)
            assert response.status_code == 200, (path, response.text)
        refused = await site.http.post("/tasks/t-1/invoke", json={"inputs": ["1"], "env": {"A": "b"}})
        assert "no such field" not in refused.text

    play(part, tmp_path)
