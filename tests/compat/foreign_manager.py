"""A manager by somebody else: straight on paho-mqtt, from the contract alone (``mqtt``, sections 1 to 5).

It imports nothing of this project, and looks at every message of a proplet whether the contract's keys are
there with the contract's types; more keys may be there.
"""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any, Self

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_Number = (int, float)
_Time = (dict, int, float, str)
#: By topic: what must be there, and of which type.
REQUIRED: dict[str, dict[str, Any]] = {
    "control/proplet/create": {
        "proplet_id": str,
        "namespace": str,
        "metadata": {
            "environment": str,
            "os": str,
            "cpu_arch": str,
            "total_memory_bytes": int,
            "proplet_version": str,
            "wasm_runtime": str,
        },
    },
    "control/proplet/alive": {"proplet_id": str, "status": str, "namespace": str},
    "control/proplet/results": {
        "task_id": str,
        "proplet_id": str,
        "results": str,
        "error": (str, type(None)),
    },
    "control/proplet/metrics": {
        "proplet_id": str,
        "namespace": str,
        "timestamp": _Time,
        "cpu_metrics": {"user_seconds": _Number, "system_seconds": _Number, "percent": _Number},
        "memory_metrics": {
            "rss_bytes": int,
            "heap_alloc_bytes": int,
            "heap_sys_bytes": int,
            "heap_inuse_bytes": int,
        },
    },
    "control/proplet/task_metrics": {
        "task_id": str,
        "proplet_id": str,
        "metrics": {
            "cpu_percent": _Number,
            "memory_bytes": int,
            "memory_percent": _Number,
            "disk_read_bytes": int,
            "disk_write_bytes": int,
            "uptime_seconds": int,
            "thread_count": int,
        },
        "aggregated": (dict, type(None)),
        "timestamp": _Time,
    },
    "control/proplet/invoke_results": {
        "task_id": str,
        "invocation_id": str,
        "proplet_id": str,
        "results": str,
        "error": (str, type(None)),
    },
    "registry/proplet": {"app_name": str},
}


def complaints(topic: str, body: Any) -> list[str]:
    """Say what is missing in a message of a proplet, or of another type."""
    if topic not in REQUIRED:
        return [] if topic.startswith("control/proplet/") else [f"{topic}: no topic of a proplet"]
    return [f"{topic}: {what}" for what in _differences(body, REQUIRED[topic])]


def _differences(body: Any, required: Any, where: str = "") -> list[str]:
    if not isinstance(required, dict):
        is_right = isinstance(body, required) and (required is str or not isinstance(body, bool))
        return [] if is_right else [f"{where} is {body!r}"]
    if not isinstance(body, dict):
        return [f"{where or 'it'} is no object"]
    missing = [f"{where}{key} is missing" for key in required if key not in body]
    for key in required.keys() & body.keys():
        missing += _differences(body[key], required[key], f"{where}{key} ")
    return missing


class ForeignManager:
    """Starts and stops tasks, and keeps what proplets say."""

    def __init__(self, host: str, port: int, base: str, entity_id: str, key: str = "") -> None:
        self._base = f"{base}/"
        #: Topic and body of everything that a proplet said, in order.
        self.heard: list[tuple[str, dict[str, Any]]] = []
        #: What was not as the contract has it.
        self.complaints: list[str] = []
        self._own = ("control/manager/", "registry/server")
        self._news = threading.Condition()
        #: Modules that are sent in chunks to whoever asks.
        self.images: dict[str, bytes] = {}
        self._subscribed = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=entity_id, clean_session=True)
        self._client.username_pw_set(entity_id, key or None)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self._base}#", qos=2)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._received
        self._at = (host, port)

    def __enter__(self) -> Self:
        self._client.connect(*self._at)
        self._client.loop_start()
        assert self._subscribed.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        topic = message.topic.removeprefix(self._base)
        if topic.startswith(self._own):
            return  # its own words come back to it
        body = json.loads(message.payload)
        with self._news:
            self.heard.append((topic, body))
            self.complaints += complaints(topic, body)
            self._news.notify_all()
        if topic == "registry/proplet" and body["app_name"] in self.images:
            self._send_chunks(body["app_name"])

    # -- to proplets ---------------------------------------------------------------------------------------

    def send(self, topic: str, body: dict[str, Any]) -> None:
        self._client.publish(self._base + topic, json.dumps(body), qos=2)

    def start(self, task_id: str, proplet_id: str, *, file: bytes = b"", **fields: Any) -> None:
        """Start a task in the form of section 3.1; ``fields`` are added."""
        body = {
            "id": task_id,
            "name": "main",
            "state": 0,
            "cli_args": None,
            "broadcast": False,
            "daemon": False,
            "latent": False,
            "encrypted": False,
            "proplet_id": proplet_id,
            **fields,
        }
        if file:
            body["file"] = base64.b64encode(file).decode()
        self.send("control/manager/start", body)

    def invoke(self, task_id: str, proplet_id: str, invocation_id: str, **fields: Any) -> dict[str, Any]:
        """Run a latent task once, in the form of section 3.3; return the answer."""
        body = {"broadcast": False, "id": task_id, "inputs": None, "proplet_id": proplet_id, **fields}
        self.send("control/manager/invoke", body | {"invocation_id": invocation_id})
        found: dict[str, Any] = self.wait(
            lambda: [
                body
                for topic, body in self.heard
                if topic == "control/proplet/invoke_results" and body["invocation_id"] == invocation_id
            ]
        )[0]
        return found

    def stop(self, task_id: str, proplet_id: str) -> None:
        self.send("control/manager/stop", {"broadcast": False, "id": task_id, "proplet_id": proplet_id})

    def _send_chunks(self, name: str, size: int = 512_000) -> None:
        data = self.images[name]
        total = -(-len(data) // size)
        for index in range(total):
            piece = base64.b64encode(data[index * size : (index + 1) * size]).decode()
            chunk = {"app_name": name, "chunk_idx": index, "total_chunks": total, "data": piece}
            self.send("registry/server", chunk)

    # -- from proplets -------------------------------------------------------------------------------------

    def wait(self, look: Callable[[], Any], seconds: float = 60) -> Any:
        """Wait until ``look`` finds something in what was heard."""
        with self._news:
            assert self._news.wait_for(look, timeout=seconds), self.heard[-5:]
            return look()

    def wait_for_proplet(self, proplet_id: str) -> dict[str, Any]:
        """Wait for a create and an alive of a proplet; return the create."""

        def look() -> Any:
            said = {topic: body for topic, body in self.heard if body.get("proplet_id") == proplet_id}
            return "control/proplet/alive" in said and said.get("control/proplet/create")

        found: dict[str, Any] = self.wait(look)
        return found

    def results(self, task_id: str) -> list[dict[str, Any]]:
        return [
            body
            for topic, body in self.heard
            if topic == "control/proplet/results" and body.get("task_id") == task_id
        ]

    def wait_for_results(self, task_id: str, count: int = 1) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.wait(
            lambda: len(found := self.results(task_id)) >= count and found
        )
        return found
