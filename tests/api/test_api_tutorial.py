"""The bodies that the tutorial shows, byte for byte but for ids of its own and times.

A job's name and mode come behind all that it shows.
"""

import json
import re

from propeller.core.states import COMPLETED
from tests.api.helpers import ADDITION_TEXT, play

_TIME = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ZERO = "0001-01-01T00:00:00Z"


def masked(body):
    """The body as text: key order counts, times and generated ids do not."""
    return _UUID.sub("UUID", _TIME.sub("TIME", json.dumps(body, indent=1)))


def task(task_id, inputs, group, *, depends_on=None, ended=None, updated=False, file=False):
    fields = {"id": task_id, "name": "main", "state": 3 if ended else 0}
    if file:
        fields["file"] = ADDITION_TEXT
    fields |= {"cli_args": None, "inputs": inputs, "daemon": False, "encrypted": False}
    if depends_on:
        fields["depends_on"] = depends_on
    if ended:
        fields["proplet_id"] = "p-9"
    fields[group] = "UUID"
    if ended:
        fields["results"] = ended
    fields["start_time"] = fields["finish_time"] = "TIME" if ended else ZERO
    fields["created_at"] = "TIME"
    fields["updated_at"] = "TIME" if updated or ended else ZERO
    return fields | {"next_run": ZERO}


WORKFLOW = {
    "tasks": [
        {"id": "task-001", "name": "main", "inputs": [10, 20]},
        {"id": "task-002", "name": "main", "inputs": [5, 15], "depends_on": ["task-001"]},
        {"id": "task-003", "name": "main", "inputs": [100, 200], "depends_on": ["task-001"]},
    ]
}
PARENTS = {"task-001": None, "task-002": ["task-001"], "task-003": ["task-001"]}
INPUTS = {"task-001": [10, 20], "task-002": [5, 15], "task-003": [100, 200]}


def test_workflow(tmp_path):
    async def part(site):
        site.bring_proplet()
        created = await site.post("/workflows", WORKFLOW)
        expected = [task(t, INPUTS[t], "workflow_id", depends_on=PARENTS[t]) for t in PARENTS]
        assert masked(created) == masked({"tasks": expected})
        times = [shown["created_at"].rstrip("Z") for shown in created["tasks"]]
        assert times == sorted(set(times)), "each task is created at a time of its own"

        for t in list(PARENTS):
            uploaded = await site.upload(t)
            expected = task(t, INPUTS[t], "workflow_id", depends_on=PARENTS[t], updated=True, file=True)
            assert masked(uploaded) == masked(expected)

        assert await site.post("/tasks/task-001/start", status=200) == {"started": True}
        await site.reached(COMPLETED, *PARENTS)
        ended = await site.get("/tasks")
        results = {"task-001": "30\n", "task-002": "20\n", "task-003": "300\n"}
        expected = [
            task(t, INPUTS[t], "workflow_id", depends_on=PARENTS[t], ended=results[t], file=True)
            for t in PARENTS
        ]
        assert masked(ended) == masked({"offset": 0, "limit": 100, "total": 3, "tasks": expected})

    play(part, tmp_path)


def test_job(tmp_path):
    inputs = {"job-task-001": [100, 50], "job-task-002": [25, 75], "job-task-003": [200, 300]}
    job = {
        "name": "addition-pipeline",
        "execution_mode": "parallel",
        "tasks": [{"id": t, "name": "main", "inputs": inputs[t]} for t in inputs],
    }

    async def part(site):
        site.bring_proplet()
        created = await site.post("/jobs", job)
        ours = {"name": "addition-pipeline", "execution_mode": "parallel"}
        expected = {"job_id": "UUID", "tasks": [task(t, inputs[t], "job_id") for t in inputs], **ours}
        assert masked(created) == masked(expected)
        assert len({shown["created_at"] for shown in created["tasks"]}) == 1, "a job's tasks share one time"

        for t in inputs:
            await site.upload(t)
        path = f"/jobs/{created['job_id']}"
        started = await site.post(f"{path}/start", status=200)
        assert json.dumps(started) == json.dumps({"job_id": created["job_id"], "message": "job started"})
        await site.reached(COMPLETED, *inputs)
        results = {t: f"{sum(inputs[t])}\n" for t in inputs}
        expected["tasks"] = [task(t, inputs[t], "job_id", ended=results[t], file=True) for t in inputs]
        assert masked(await site.get(path)) == masked(expected)

    play(part, tmp_path)


def test_sequential_job(tmp_path):
    async def part(site):
        site.bring_proplet()
        names = ["seq-task-001", "seq-task-002", "seq-task-003"]
        tasks = [
            {"id": t, "name": "main", "inputs": [n, n + 1]} for t, n in zip(names, (1, 3, 5), strict=True)
        ]
        job = {"name": "sequential-pipeline", "execution_mode": "sequential", "tasks": tasks}
        created = await site.post("/jobs", job)
        for name in names:
            await site.upload(name)
        await site.post(f"/jobs/{created['job_id']}/start", status=200)
        await site.reached(COMPLETED, *names)
        ended = await site.get(f"/jobs/{created['job_id']}")
        assert [shown["results"] for shown in ended["tasks"]] == ["3\n", "7\n", "11\n"]

    play(part, tmp_path)
