"""A proplet by somebody else: straight on paho-mqtt, from the contract alone (``mqtt``, sections 1 to 5).

It imports nothing of this project, so that the two can't share a misunderstanding. It may be run as a
program, or inside of a test as an object; in both cases ``kill`` or the end of the process leaves its will.
"""

import argparse
import base64
import contextlib
import json
import signal
import threading
from typing import Any

import wasmtime
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_SUBSCRIPTIONS = (
    "control/manager/start",
    "control/manager/stop",
    "control/manager/invoke",
    "registry/server",
)
_CHUNKS_S_MAX = 60
_FALLBACKS = ("main", "run", "_start")


class Stopped(Exception):
    """The manager ended a task."""


class ForeignProplet:
    """Runs inline modules and those that come in chunks; functions take and give 32-bit integers."""

    def __init__(
        self,
        host: str,
        port: int,
        base: str,
        proplet_id: str,
        key: str = "",
        *,
        interval_s: float = 0.5,
        habit: str = "",
    ) -> None:
        """Prepare it; ``start`` connects.

        ``habit`` is ``deaf`` (it never acts on a start), ``embedded`` (a small device: it runs whatever is
        started on the channel, and its results do not say who sends them), ``twice`` (each result is sent
        twice) or nothing.
        """
        self.id = proplet_id
        self._base = f"{base}/"
        self._habit = habit
        self._namespace = "embedded" if habit == "embedded" else "default"
        self._qos = 1 if habit == "embedded" else 2
        self._interval_s = interval_s
        self._at = (host, port)
        self._client = Client(
            CallbackAPIVersion.VERSION2, client_id=proplet_id, clean_session=habit != "embedded"
        )
        self._client.username_pw_set(proplet_id, key or None)
        will = {"status": "offline", "proplet_id": proplet_id, "namespace": self._namespace}
        self._client.will_set(f"{self._base}control/proplet/alive", json.dumps(will), qos=1)
        self._client.on_connect = self._connected
        self._client.on_message = self._received
        #: Engines by task, to end guests with; None while the module is on its way.
        self._running: dict[str, wasmtime.Engine | None] = {}
        self._stopped: set[str] = set()
        self._chunks: dict[str, dict[int, bytes]] = {}
        self._modules: dict[str, bytes] = {}
        self._news = threading.Condition()
        self._has_said_hello = False
        self._over = threading.Event()
        self._heart = threading.Thread(target=self._beat, daemon=True)

    def start(self) -> None:
        self._client.connect(*self._at)
        self._client.loop_start()
        self._heart.start()

    def close(self) -> None:
        """Say good-bye to the broker, which then does not publish the will."""
        self._over.set()
        if self._heart.is_alive():
            self._heart.join()
        self._client.disconnect()
        self._client.loop_stop()

    # -- messages ------------------------------------------------------------------------------------------

    def _send(self, topic: str, body: dict[str, Any]) -> None:
        self._client.publish(self._base + topic, json.dumps(body), qos=self._qos)

    def _connected(self, client: Client, *_: Any) -> None:
        if not self._has_said_hello:
            self._has_said_hello = True
            metadata = {
                "tags": ["foreign"],
                "environment": "embedded" if self._habit == "embedded" else "binary",
                "os": "linux",
                "cpu_arch": "x86_64",
                "total_memory_bytes": 1 << 30,
                "proplet_version": "0.0.1",
                "wasm_runtime": "wasmtime-internal",
            }
            self._send(
                "control/proplet/create",
                {"proplet_id": self.id, "namespace": self._namespace, "metadata": metadata},
            )
        client.subscribe([(self._base + topic, self._qos) for topic in _SUBSCRIPTIONS])

    def _beat(self) -> None:
        while True:
            self._send(
                "control/proplet/alive",
                {"proplet_id": self.id, "status": "alive", "namespace": self._namespace},
            )
            if self._over.wait(self._interval_s):
                return

    def _received(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        body = json.loads(message.payload)
        match message.topic.removeprefix(self._base):
            case "control/manager/start" if self._acts_on(body):
                self._start(body)
            case "control/manager/stop" if self._is_for_me(body):
                self._stop(body["id"])
            case "registry/server":
                self._take_chunk(body)

    def _acts_on(self, start: dict[str, Any]) -> bool:
        return self._habit == "embedded" or (self._habit != "deaf" and self._is_for_me(start))

    def _is_for_me(self, body: dict[str, Any]) -> bool:
        return bool(body.get("broadcast")) or body.get("proplet_id", self.id) == self.id

    def _take_chunk(self, chunk: dict[str, Any]) -> None:
        with self._news:
            pieces = self._chunks.get(chunk["app_name"])
            if pieces is None:  # nobody here waits for it
                return
            pieces[chunk["chunk_idx"]] = base64.b64decode(chunk["data"], validate=True)
            if len(pieces) == chunk["total_chunks"]:
                whole = b"".join(data for _, data in sorted(pieces.items()))
                self._modules[chunk["app_name"]] = whole
                del self._chunks[chunk["app_name"]]
                self._news.notify_all()

    # -- tasks ---------------------------------------------------------------------------------------------

    def _start(self, start: dict[str, Any]) -> None:
        with self._news:
            if start["id"] in self._running:
                return
            self._running[start["id"]] = None
        threading.Thread(target=self._serve, args=(start,), daemon=True).start()

    def _stop(self, task_id: str) -> None:
        with self._news:
            if task_id not in self._running:
                return
            self._stopped.add(task_id)
            engine = self._running[task_id]
            if engine is not None:
                engine.increment_epoch()
            self._news.notify_all()

    def _serve(self, start: dict[str, Any]) -> None:
        results, error = "", None
        try:
            results = self._call(start, self._module_of(start))
        except Exception as problem:
            error = str(problem)
        with self._news:
            del self._running[start["id"]]
            if start["id"] in self._stopped:
                self._stopped.discard(start["id"])
                results, error = "", "Task was cancelled or panicked"
        body = {"task_id": start["id"], "proplet_id": self.id, "results": results, "error": error}
        if self._habit == "embedded":
            del body["proplet_id"]
            if error is None:
                del body["error"]
        for _ in range(2 if self._habit == "twice" else 1):
            self._send("control/proplet/results", body)

    def _module_of(self, start: dict[str, Any]) -> bytes:
        if start.get("file"):
            return base64.b64decode(start["file"], validate=True)
        name = start.get("image_url")
        if not name:
            raise ValueError("neither file nor image_url")
        with self._news:
            if name not in self._modules:
                self._chunks.setdefault(name, {})
                self._send("registry/proplet", {"app_name": name})
            self._news.wait_for(
                lambda: name in self._modules or start["id"] in self._stopped, timeout=_CHUNKS_S_MAX
            )
            if start["id"] in self._stopped:
                raise Stopped
            if name not in self._modules:
                raise TimeoutError("Timeout waiting for binary chunks")
            return self._modules.pop(name)  # whoever else waits for it needs another copy

    def _call(self, start: dict[str, Any], data: bytes) -> str:
        config = wasmtime.Config()
        config.epoch_interruption = True
        engine = wasmtime.Engine(config)
        store = wasmtime.Store(engine)
        store.set_epoch_deadline(1)
        exports = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)
        name = next(one for one in (start["name"], *_FALLBACKS) if one in exports)
        function = exports[name]
        assert isinstance(function, wasmtime.Func)
        inputs = [int(value) for value in start.get("inputs") or ()]
        expected = len(function.type(store).params)
        if len(inputs) != expected:
            raise ValueError(
                f"Argument count mismatch for function '{name}': "
                f"expected {expected} arguments but got {len(inputs)}"
            )
        with self._news:
            if start["id"] in self._stopped:
                raise Stopped
            self._running[start["id"]] = engine
        result = function(store, *inputs)
        return "" if result is None else str(result)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    for name in ("base", "id", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--habit", default="")
    given = parser.parse_args()
    proplet = ForeignProplet("127.0.0.1", given.port, given.base, given.id, given.key, habit=given.habit)
    proplet.start()
    with contextlib.suppress(KeyboardInterrupt):
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    proplet.close()


if __name__ == "__main__":
    main()
