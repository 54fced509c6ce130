"""Plays the tutorial by the client that openapi-python-client has made: play.py ADDRESS MODULE, which is base64.

Prints all results as JSON.
"""

import base64
import json
import sys
from io import BytesIO

from client import Client
from client.api.jobs import create_job, get_job, start_job
from client.api.tasks import start_task, upload_module
from client.api.workflows import create_workflow, get_workflow
from client.models import ExecutionMode, NewJob, NewTask, NewWorkflow, TaskState, UploadModuleBody
from client.types import File

manager = Client(base_url=sys.argv[1], raise_on_unexpected_status=True)
module = base64.b64decode(sys.argv[2])
results = {}


def upload(tasks):
    for task in tasks:
        file = File(payload=BytesIO(module), file_name="addition.wasm", mime_type="application/wasm")
        shown = upload_module.sync(task.id, client=manager, body=UploadModuleBody(file=file))
        assert shown.file == sys.argv[2], f"{task.id} has another module"


def collect(look, group_id):
    seen = look(group_id, client=manager).tasks
    while any(task.state != TaskState.COMPLETED for task in seen):
        seen = look(group_id, client=manager).tasks
    results.update({task.id: task.results for task in seen})


tasks = [
    NewTask(id="task-001", name="main", inputs=[10, 20]),
    NewTask(id="task-002", name="main", inputs=[5, 15], depends_on=["task-001"]),
    NewTask(id="task-003", name="main", inputs=[100, 200], depends_on=["task-001"]),
]
created = create_workflow.sync(client=manager, body=NewWorkflow(tasks=tasks)).tasks
upload(created)
assert start_task.sync("task-001", client=manager).started
collect(get_workflow.sync, created[0].workflow_id)

for mode, prefix, inputs in (
    (ExecutionMode.PARALLEL, "job", [(100, 50), (25, 75), (200, 300)]),
    (ExecutionMode.SEQUENTIAL, "seq", [(1, 2), (3, 4), (5, 6)]),
):
    tasks = [
        NewTask(id=f"{prefix}-task-00{number}", name="main", inputs=list(pair))
        for number, pair in enumerate(inputs, start=1)
    ]
    job = create_job.sync(
        client=manager, body=NewJob(name=f"{mode}-pipeline", execution_mode=mode, tasks=tasks)
    )
    upload(job.tasks)
    assert start_job.sync(job.job_id, client=manager).message == "job started"
    collect(get_job.sync, job.job_id)
print(json.dumps(results))
