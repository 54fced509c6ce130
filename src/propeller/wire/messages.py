"""The messages between manager and proplets, as ``mqtt`` in the contract has them, defined once.

Whatever carries them (a local socket today), a message is a topic and a JSON object. Fields and topics
that the contract lacks are additions which other implementations ignore; they are marked *ours*.

On a local socket a message is one line of JSON: ``["control/manager/start",{…}]``.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.effects import SendAck, SendStart, SendStop
from propeller.core.model import Module, Spec

CHUNK_BYTES = 512_000


class Start(msgspec.Struct, kw_only=True):
    """Manager to proplet: run this attempt. Starting the same attempt twice runs it once."""

    id: str
    name: str
    state: int = 0
    image_url: str | UnsetType = UNSET
    file: str | UnsetType = UNSET
    #: Ours: ``sha256:<hex>`` in place of ``file``; a proplet that does not have it asks for it.
    module: str | UnsetType = UNSET
    inputs: list[str] | UnsetType = UNSET
    cli_args: tuple[str, ...] | None = None
    broadcast: bool = False
    daemon: bool = False
    latent: bool = False
    env: dict[str, str] | UnsetType = UNSET
    encrypted: bool = False
    kbs_resource_path: str | UnsetType = UNSET
    monitoring_profile: dict[str, Any] | UnsetType = UNSET
    proplet_id: str | UnsetType = UNSET
    hal_storage_path: str | UnsetType = UNSET
    parent_results: dict[str, Any] | UnsetType = UNSET
    #: Ours: which placement of the task this is; every report brings it back.
    attempt: int = 0


class Stop(msgspec.Struct, kw_only=True):
    """Manager to proplet: end this attempt of a task and any before it; nothing need be reported."""

    broadcast: bool = False
    id: str
    proplet_id: str | UnsetType = UNSET
    attempt: int = 0


class Ack(msgspec.Struct, kw_only=True):
    """Ours. Manager to proplet: the end of this attempt needs no more reporting."""

    id: str
    attempt: int


class Create(msgspec.Struct, kw_only=True):
    """Proplet to manager: hello."""

    proplet_id: str
    namespace: str = "default"
    metadata: dict[str, Any] = {}
    #: Ours: differs from one start of the proplet's program to the next.
    boot: str = ""
    #: Ours: how many guests it runs at once.
    slots: int = 1


class Alive(msgspec.Struct, kw_only=True):
    """Proplet to manager: a sign of life, or with ``status`` ``offline`` the last one."""

    proplet_id: str
    status: str = "alive"
    namespace: str = "default"
    boot: str = ""
    slots: int = 1
    #: Ours: task and attempt of everything whose end has not been acknowledged.
    running: list[tuple[str, int]] | UnsetType = UNSET


class Results(msgspec.Struct, kw_only=True):
    """Proplet to manager: an attempt is over."""

    task_id: str
    proplet_id: str
    results: Any = None
    error: str | None = None
    attempt: int = 0
    #: Ours: when the guest began and ended, ns since the Unix epoch by the proplet's clock.
    started_at: int = 0
    finished_at: int = 0


class HandBack(msgspec.Struct, kw_only=True):
    """Ours. Proplet to manager: an attempt was given up through no fault of the task."""

    task_id: str
    proplet_id: str
    attempt: int
    reason: str


class ModuleRequest(msgspec.Struct, kw_only=True):
    """Proplet to registry: send this module. The rest is ours: to whom, and which of its pieces."""

    #: An image reference, or ours: ``sha256:<hex>``.
    app_name: str
    #: Who asks; the answer then goes to this proplet alone.
    proplet_id: str | UnsetType = UNSET
    #: The first piece that is wanted, and how many from there; without ``count`` all. With a ``count`` of 0
    #: the answer is one message with ``digest`` and ``total_chunks`` and no data.
    first: int | UnsetType = UNSET
    count: int | UnsetType = UNSET


class ModuleChunk(msgspec.Struct, kw_only=True):
    """Registry to proplet: one piece of a module."""

    app_name: str
    chunk_idx: int
    #: 0 means that there is no such module; ``error`` then says why.
    total_chunks: int
    data: str
    #: Ours: ``sha256:<hex>`` of the whole module.
    digest: str | UnsetType = UNSET
    #: Ours: why there are no chunks.
    error: str | UnsetType = UNSET


Message = Start | Stop | Ack | Create | Alive | Results | HandBack | ModuleRequest | ModuleChunk

TOPICS: dict[str, type[Message]] = {
    "control/manager/start": Start,
    "control/manager/stop": Stop,
    "control/manager/ack": Ack,
    "control/proplet/create": Create,
    "control/proplet/alive": Alive,
    "control/proplet/results": Results,
    "control/proplet/handback": HandBack,
    "registry/proplet": ModuleRequest,
    "registry/server": ModuleChunk,
}
_HEADS: dict[type[Message], bytes] = {kind: b'["%s",' % topic.encode() for topic, kind in TOPICS.items()}
_DECODERS: dict[bytes, Callable[[bytes], Message]] = {
    b'["%s"' % topic.encode(): msgspec.json.Decoder(kind).decode for topic, kind in TOPICS.items()
}
_encode = msgspec.json.Encoder().encode


def to_line(message: Message) -> bytes:
    return b"%s%s]\n" % (_HEADS[type(message)], _encode(message))


def from_line(line: bytes) -> Message:
    """Read one line without its line end; raise ``ValueError`` that says what is wrong with it."""
    head, comma, rest = line.partition(b",")
    decode = _DECODERS.get(head)
    if decode is None or not comma or rest[-1:] != b"]":
        raise ValueError(f"no message of ours: {line[:80]!r}")
    return decode(rest[:-1])


def start_message(effect: SendStart) -> Start:
    spec = effect.spec
    return Start(
        id=spec.id,
        name=spec.name,
        image_url=spec.image_url or UNSET,
        module=f"sha256:{spec.module.digest}" if spec.module else UNSET,
        inputs=wire_inputs(spec) or UNSET,
        cli_args=spec.cli_args,
        broadcast=spec.broadcast,
        daemon=spec.daemon,
        latent=spec.latent,
        env=spec.env or UNSET,
        encrypted=spec.encrypted,
        kbs_resource_path=spec.kbs_resource_path or UNSET,
        monitoring_profile=spec.monitoring_profile or UNSET,
        proplet_id=effect.proplet_id,
        hal_storage_path=UNSET if spec.hal_storage_path is None else spec.hal_storage_path,
        parent_results=effect.parent_results or UNSET,
        attempt=effect.attempt,
    )


def wire_inputs(spec: Spec) -> list[str]:
    """On the wire inputs are strings; a whole number is written as one, however the client wrote it."""
    return [
        value
        if isinstance(value, str)
        else str(int(value))
        if isinstance(value, float) and value.is_integer()
        else repr(value)
        for value in spec.inputs or ()
    ]


def message_of(effect: SendStart | SendStop | SendAck) -> Message:
    match effect:
        case SendStart():
            return start_message(effect)
        case SendStop():
            return Stop(id=effect.task_id, proplet_id=effect.proplet_id, attempt=effect.attempt)
        case SendAck():
            return Ack(id=effect.task_id, attempt=effect.attempt)


def module_chunks(module: Module, data: bytes) -> Iterator[ModuleChunk]:
    """Cut a module into the registry's chunks."""
    total = -(-len(data) // CHUNK_BYTES)
    for index in range(total):
        piece = data[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]
        yield ModuleChunk(
            app_name=f"sha256:{module.digest}",
            chunk_idx=index,
            total_chunks=total,
            data=base64.b64encode(piece).decode(),
        )


class LineSplitter:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterable[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
