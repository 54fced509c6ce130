"""A proplet in the Semantic Definition Format.

Source: ``extras`` in the contract, section 5. It is the same for all proplets but for the title.
"""

from typing import Any

import msgspec

_DATA = "#/sdfThing/Proplet/sdfData/"


class SdfInfo(msgspec.Struct):
    title: str
    version: str = "1.0"
    license: str = "Apache-2.0"


class SdfView(msgspec.Struct, rename={"things": "sdfThing"}):
    info: SdfInfo
    things: dict[str, Any]


def _object(
    description: str, properties: dict[str, Any], required: list[str] | None = None
) -> dict[str, Any]:
    schema = {"description": description, "type": "object", "properties": dict(sorted(properties.items()))}
    return schema | ({"required": required} if required else {})


_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_COUNT = {"type": "integer", "minimum": 0}

_METADATA_WORDS = "description location ip environment os hostname cpu_arch proplet_version wasm_runtime"

_PROPLET = {
    "description": "A Propeller proplet — an edge node that executes WebAssembly tasks",
    "sdfProperty": {
        "alive": {
            "description": "Whether the proplet sent a heartbeat within the liveness window",
            "type": "boolean",
            "readOnly": True,
            "observable": True,
        },
        "id": {"description": "Unique proplet identifier", "type": "string", "readOnly": True},
        "metadata": {"sdfRef": f"{_DATA}PropletMetadata"},
        "name": {"description": "Human-readable proplet name", "type": "string"},
        "task_count": {
            "description": "Number of tasks currently running on this proplet",
            "type": "integer",
            "readOnly": True,
            "minimum": 0,
            "observable": True,
        },
    },
    "sdfAction": {
        "start_task": {
            "description": "Dispatch a WebAssembly task to this proplet",
            "sdfInputData": {"sdfRef": f"{_DATA}TaskDispatch"},
        },
        "stop_task": {
            "description": "Stop a running task on this proplet",
            "sdfInputData": {"sdfRef": f"{_DATA}TaskStop"},
        },
    },
    "sdfEvent": {
        "heartbeat": {
            "description": "Periodic liveness signal from the proplet",
            "sdfOutputData": {"sdfRef": f"{_DATA}HeartbeatPayload"},
        },
        "task_result": {
            "description": "Emitted when a task finishes (success or failure)",
            "sdfOutputData": {"sdfRef": f"{_DATA}TaskResult"},
        },
    },
    "sdfData": {
        "HeartbeatPayload": _object(
            "Payload of a proplet heartbeat event",
            {"proplet_id": _TEXT, "name": _TEXT, "task_count": _COUNT, "alive": _FLAG},
        ),
        "PropletMetadata": _object(
            "Static metadata reported by the proplet at registration",
            dict.fromkeys(_METADATA_WORDS.split(), _TEXT) | {"tags": _TEXTS, "total_memory_bytes": _COUNT},
        ),
        "TaskDispatch": _object(
            "Payload used to dispatch a task to the proplet",
            {
                "id": _TEXT,
                "name": _TEXT,
                "image_url": _TEXT,
                "cli_args": _TEXTS,
                "inputs": _TEXTS,
                "env": {"type": "object", "additionalProperties": _TEXT},
                "daemon": _FLAG,
                "encrypted": _FLAG,
                "kbs_resource_path": _TEXT,
            },
            ["id", "name"],
        ),
        "TaskResult": _object(
            "Result payload emitted after a task completes",
            {
                "task_id": _TEXT,
                "proplet_id": _TEXT,
                "state": {"type": "string", "enum": ["Completed", "Failed", "Skipped", "Interrupted"]},
                "results": {
                    "description": "Key-value output produced by the task; keys and value types depend on "
                    "the wasm module",
                    "type": "object",
                },
                "error": _TEXT,
            },
        ),
        "TaskStop": _object(
            "Payload used to stop a running task on the proplet",
            {"id": {"description": "Identifier of the task to stop", "type": "string"}},
            ["id"],
        ),
    },
}


def sdf_document(proplet_id: str, name: str) -> SdfView:
    return SdfView(SdfInfo(f"Propeller Proplet: {name} ({proplet_id})"), {"Proplet": _PROPLET})
