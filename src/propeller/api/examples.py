"""Examples of bodies for the OpenAPI document; a test holds each to its schema."""

from typing import Any

from propeller.wire.http.files import NewFile
from propeller.wire.http.groups import (
    JobMessage,
    JobView,
    NewClone,
    NewJob,
    NewRerun,
    NewWorkflow,
    WorkflowMessage,
)
from propeller.wire.http.invocations import Invoke, Invoked
from propeller.wire.http.joining import NewJoinToken
from propeller.wire.http.overview import FailuresView, OverviewView
from propeller.wire.http.secrets import NewSecret
from propeller.wire.http.tasks import (
    NewTask,
    Results,
    Started,
    Stopped,
    TaskChanges,
    TaskPage,
    TasksView,
    TaskView,
)
from propeller.wire.http.tokens import NewSession, NewToken

_ADDITION = "AGFzbQEAAAABBwFgAn9/AX8DAgEABwgBBG1haW4AAAoJAQcAIAAgAWoL"
_ZERO = "0001-01-01T00:00:00Z"
_CHILD = {"id": "double", "name": "main", "file": _ADDITION, "inputs": [{"from": "sum"}, 30]}

ERROR: dict[str, Any] = {"error": "not found: there is no task sum"}
OF_REQUESTS: dict[Any, Any] = {
    NewTask: {"name": "main", "file": _ADDITION, "inputs": [10, 20], "timeout": "30s"},
    TaskChanges: {"inputs": [1, 2]},
    NewWorkflow: {
        "name": "sums",
        "tasks": [
            {"id": "sum", "name": "main", "file": _ADDITION, "inputs": [10, 20]},
            {**_CHILD, "depends_on": ["sum"]},
        ],
    },
    NewJob: {
        "name": "sums",
        "execution_mode": "parallel",
        "tasks": [
            {"name": "main", "file": _ADDITION, "inputs": [10, 20]},
            {"name": "main", "file": _ADDITION, "inputs": [5, 15]},
        ],
    },
    NewClone: {"name": "sums, once more"},
    NewRerun: {"from": "sum"},
    NewFile: {"name": "sums.yaml", "text": "module: addition.wasm\ntasks: [{id: sum, inputs: [10, 20]}]\n"},
    NewSecret: {"value": "correct horse battery staple"},
    NewSession: {"token": "prp_0a1b2c3d4e5f_47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"},
    NewJoinToken: {"expires_in": "1h"},
    NewToken: {"name": "ci", "role": "submitter", "namespaces": ["default"], "expires_in": "90d"},
    Invoke: {"inputs": ["world"], "env": {"GREETING": "hola"}, "timeout": "5s"},
}
_TASK: dict[str, Any] = {
    "id": "sum",
    "name": "main",
    "state": 3,
    "file": _ADDITION,
    "cli_args": None,
    "inputs": [10, 20],
    "daemon": False,
    "encrypted": False,
    "proplet_id": "local-1",
    "results": "30\n",
    "start_time": "2026-03-01T15:22:08.180655563Z",
    "finish_time": "2026-03-01T15:22:08.309737353Z",
    "created_at": "2026-03-01T15:21:52.857522851Z",
    "updated_at": "2026-03-01T15:22:08.309737353Z",
    "next_run": _ZERO,
}
_GROUPS = dict.fromkeys(("total", "pending", "running", "completed", "failed", "interrupted"), 0)
OF_ANSWERS: dict[Any, Any] = {
    TaskView: _TASK,
    TasksView: {"tasks": [_TASK]},
    TaskPage: {"offset": 0, "limit": 100, "total": 1, "tasks": [_TASK]},
    JobView: {"job_id": "sums-1", "tasks": [_TASK]},
    JobMessage: {"job_id": "sums-1", "message": "job started"},
    WorkflowMessage: {"workflow_id": "sums-1", "message": "workflow started"},
    Started: {"started": True},
    Stopped: {"stopped": True},
    Results: {"results": "30\n"},
    Invoked: {"invoked": True, "results": "hola, world"},
    OverviewView: {
        "event_id": 1042,
        "time": "2026-03-01T15:22:08.309737353Z",
        "tasks": {"total": 350, "pending": 40, "scheduled": 6, "running": 4},
        "workflows": {**_GROUPS, "total": 3, "running": 1, "completed": 2},
        "jobs": {**_GROUPS, "total": 1, "failed": 1},
        "proplets": {"total": 2, "alive": 1, "cordoned": 0, "slots": 4, "busy": 4},
    },
    FailuresView: {
        "total": 1,
        "failures": [
            {
                "task_id": "sum",
                "name": "main",
                "workflow_id": "sums-1",
                "proplet_id": "local-1",
                "attempt": 1,
                "error": "wasm trap: integer divide by zero",
                "error_kind": "trap",
                "finish_time": "2026-03-01T15:22:08.309737353Z",
            }
        ],
    },
}
