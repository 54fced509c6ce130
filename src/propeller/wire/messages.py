"""The messages between manager and proplets, as ``mqtt`` in the contract has them, defined once.

Whatever carries them, a message is a topic and a JSON object. Fields and topics that the contract lacks are
additions which other implementations ignore; they are marked *ours*. A proplet that shows a ``boot`` knows
them, and listens on the topics below ``proplet/<its id>/`` besides the shared ones. To a manager of ours it
speaks on those below ``from/<its id>/``: who it is stands in the topic, which the broker holds it to.

On a local socket a message is one line of JSON: ``["control/manager/start",{…}]``.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from propeller.core.effects import AskHello, Outgoing, SendAck, SendInvoke, SendStart, SendStop
from propeller.core.model import Module
from propeller.core.names import foreign_id
from propeller.core.sandbox import Sandbox
from propeller.wire.metrics import Metrics, TaskMetrics

CHUNK_BYTES = 512_000
#: Of a message with a piece of a module, what is not the piece, at most.
AROUND_PIECE_BYTES = 1024
NO_PIECE_FITS = (
    "the broker takes so small messages only that no piece of a module fits in one; raise its limit"
)
LOG_PIECE_BYTES = 64 * 1024

#: What can stand in a topic, for it becomes part of one.
PROPLET_ID_MAX = 256
PropletId = Annotated[str, Meta(min_length=1, max_length=PROPLET_ID_MAX, pattern=r"^[^+#/\x00-\x1f]+$")]
Count = Annotated[int, Meta(ge=0, le=2**62)]
LogStream = Literal["stdout", "stderr"]
Slots = Annotated[int, Meta(ge=1, le=100_000)]


class FromManager(msgspec.Struct, kw_only=True):
    """What a manager says to its proplets."""

    #: Ours: which manager says it, by its id and its epoch.
    by: tuple[str, Count] | UnsetType = UNSET


class Announcement(msgspec.Struct, kw_only=True, frozen=True):
    """Ours. Manager to everybody on its channel, kept by the broker: who serves here."""

    manager_id: str
    #: Larger with each start of this manager's program.
    epoch: Count
    #: ``asks`` whether another is here; has ``left`` on purpose; is ``gone``, as the broker says of it.
    status: Literal["here", "asks", "left", "gone"]
    #: When it said so, ns since the Unix epoch by its clock, and more than before. Of a manager that is gone:
    #: when the connection began that broke.
    at: Count
    #: When the question was asked that it answers, by the clock of who asked; 0 if it answers none.
    answers: Count = 0
    #: Since when it serves this channel; 0 while it only asks.
    since: Count = 0
    #: Its machine and process, for people.
    where: str = ""


class Start(FromManager, kw_only=True):
    """Manager to proplet: run this attempt. Starting the same attempt twice runs it once."""

    id: str
    name: str
    state: int = 0
    image_url: str | UnsetType | None = UNSET
    #: The module itself, base64.
    file: str | UnsetType | None = UNSET
    #: Ours: ``sha256:<hex>`` in place of ``file``; a proplet that does not have it asks for it.
    module: str | UnsetType = UNSET
    inputs: list[str] | UnsetType | None = UNSET
    cli_args: tuple[str, ...] | None = None
    broadcast: bool = False
    daemon: bool = False
    latent: bool = False
    env: dict[str, str] | UnsetType | None = UNSET
    encrypted: bool = False
    kbs_resource_path: str | UnsetType | None = UNSET
    monitoring_profile: dict[str, Any] | UnsetType | None = UNSET
    proplet_id: str | UnsetType | None = UNSET
    hal_storage_path: str | UnsetType | None = UNSET
    parent_results: dict[str, Any] | UnsetType | None = UNSET
    #: Ours: what it asks of the machine.
    sandbox: Sandbox | UnsetType = UNSET
    #: Ours: which placement of the task this is, from 1, and when it was placed, ns since the Unix epoch.
    #: Every report brings both back: a manager restored from a backup may come to the same number again.
    attempt: Count | UnsetType = UNSET
    placed_at: Count | UnsetType = UNSET

    @property
    def is_resident(self) -> bool:
        """Whether it stays until it is stopped."""
        return self.daemon or self.latent


class Stop(FromManager, kw_only=True):
    """Manager to proplet: end this attempt of a task and any before it; nothing need be reported."""

    broadcast: bool = False
    id: str
    proplet_id: str | UnsetType | None = UNSET
    #: Ours.
    attempt: Count | UnsetType = UNSET


class Hello(FromManager, kw_only=True):
    """Ours. Manager to one proplet or all: say who you are and what you hold (``Create``)."""


class Ack(FromManager, kw_only=True):
    """Ours. Manager to proplet: the ends of these attempts need no more reporting."""

    #: Task and attempt.
    ended: list[tuple[str, Count]]


class Create(msgspec.Struct, kw_only=True):
    """Proplet to manager: hello."""

    proplet_id: PropletId
    namespace: str = "default"
    metadata: dict[str, Any] | None = None
    #: Ours: larger with each start of the proplet's program.
    boot: Count | UnsetType = UNSET
    #: Ours: how many guests it runs at once.
    slots: Slots | UnsetType = UNSET
    #: Ours: as in ``Alive``.
    running: list[tuple[str, Count]] | UnsetType = UNSET


class Alive(msgspec.Struct, kw_only=True):
    """Proplet to manager: a sign of life, or with ``status`` ``offline`` the last one."""

    proplet_id: PropletId
    status: str = "alive"
    namespace: str = "default"
    #: Ours, like ``slots``: as in ``Create``.
    boot: Count | UnsetType = UNSET
    slots: Slots | UnsetType = UNSET
    #: Ours: task and attempt of everything whose end has not been acknowledged.
    running: list[tuple[str, Count]] | UnsetType = UNSET
    #: Ours: the invocations that have not ended here.
    invocations: list[str] | UnsetType = UNSET


class Results(msgspec.Struct, kw_only=True):
    """Proplet to manager: an attempt is over."""

    task_id: str
    #: Embedded devices leave it out.
    proplet_id: str = ""
    results: Any = None
    error: str | None = None
    #: Ours, like the rest: as the start had them.
    attempt: Count | UnsetType = UNSET
    placed_at: Count | UnsetType = UNSET
    #: When the guest began and ended, ns since the Unix epoch by the proplet's clock.
    started_at: Count | UnsetType = UNSET
    finished_at: Count | UnsetType = UNSET
    #: Of the error: a ``core.failures.ErrorKind``.
    error_kind: str | UnsetType = UNSET


class Up(msgspec.Struct, kw_only=True):
    """Ours. Proplet to manager: a task that stays here serves, or crashed and will be started anew.

    Repeated with each sign of life, because nobody acknowledges it.
    """

    task_id: str
    proplet_id: PropletId
    attempt: Count
    is_up: bool
    #: Where it serves, if it says.
    results: str | UnsetType = UNSET
    restarts: Count = 0
    #: Of the last crash.
    error: str = ""
    #: As the start had it.
    placed_at: Count | UnsetType = UNSET


class Invoke(FromManager, kw_only=True):
    """Manager to proplet: run a task that is deployed there once more, with these inputs."""

    broadcast: bool = False
    #: Of the task.
    id: str
    inputs: list[str] | None = None
    invocation_id: str
    proplet_id: str | UnsetType | None = UNSET
    env: dict[str, str] | UnsetType | None = UNSET
    #: Ours: how long its guest may take, ns.
    timeout_ns: Count | UnsetType = UNSET


class InvokeResults(msgspec.Struct, kw_only=True):
    """Proplet to manager: an invocation is over."""

    task_id: str
    invocation_id: str
    proplet_id: str = ""
    results: str | None = None
    error: str | None = None
    #: Ours: when the guest began and ended, as in ``Results``.
    started_at: Count | UnsetType = UNSET
    finished_at: Count | UnsetType = UNSET
    #: Ours: no guest was begun, because none could be for too long.
    is_busy: bool | UnsetType = UNSET


class HandBack(msgspec.Struct, kw_only=True):
    """Ours. Proplet to manager: an attempt is not run, or not to its end, through no fault of the task."""

    task_id: str
    proplet_id: PropletId
    attempt: Count
    reason: str
    #: As the start had it.
    placed_at: Count | UnsetType = UNSET
    #: The proplet is past this attempt: the newest that it knows of. Only a later one will be run.
    newest: Count | UnsetType = UNSET
    #: It had begun, and was lost with its process.
    is_lost: bool | UnsetType = UNSET


class Logs(msgspec.Struct, kw_only=True):
    """Ours. Proplet to manager: a piece of what a guest wrote.

    Pieces may be lost, repeated and reordered; task, attempt, proplet, stream and offset tell one from the
    other. A piece has up to ``LOG_PIECE_BYTES`` and ends between characters.
    """

    task_id: str
    proplet_id: PropletId
    attempt: Count | UnsetType = UNSET
    stream: LogStream
    #: How many bytes of this stream the guest had written before it.
    offset: Count
    #: What is no UTF-8 is replaced.
    text: str
    #: Whether the stream has reached its limit: what the guest writes after this piece is dropped.
    is_cut: bool = False
    #: When it was written, ns since the Unix epoch by the proplet's clock.
    at: Count


class ModuleRequest(msgspec.Struct, kw_only=True):
    """Proplet to registry: send this module. The rest is ours: to whom, and which of its pieces."""

    #: An image reference, or ours: ``sha256:<hex>``.
    app_name: str
    #: Who asks; the answer then goes to this proplet alone.
    proplet_id: PropletId | UnsetType = UNSET
    #: The first piece that is wanted, and how many from there; without ``count`` all. With a ``count`` of 0
    #: the answer is one message with ``digest`` and ``total_chunks`` and no data.
    first: Count | UnsetType = UNSET
    count: Count | UnsetType = UNSET


class ModuleChunk(msgspec.Struct, kw_only=True):
    """Registry to proplet: one piece of a module."""

    app_name: str
    chunk_idx: Count
    #: 0 means that there is no such module; ``error`` then says why.
    total_chunks: Count
    data: str
    #: Ours: ``sha256:<hex>`` of the whole module.
    digest: str | UnsetType = UNSET
    #: Ours: why there are no chunks.
    error: str | UnsetType = UNSET


Message = (
    Announcement
    | Start
    | Stop
    | Hello
    | Ack
    | Create
    | Alive
    | Results
    | HandBack
    | Up
    | Invoke
    | InvokeResults
    | Logs
    | ModuleRequest
    | ModuleChunk
    | Metrics
    | TaskMetrics
)

#: What proplets say; each says who it is.
PropletMessage = (
    Create | Alive | Results | HandBack | Up | InvokeResults | Logs | ModuleRequest | Metrics | TaskMetrics
)

TOPICS: dict[str, type[Message]] = {
    "control/manager/announcement": Announcement,
    "control/manager/start": Start,
    "control/manager/stop": Stop,
    "control/manager/hello": Hello,
    "control/manager/ack": Ack,
    "control/proplet/create": Create,
    "control/proplet/alive": Alive,
    "control/proplet/results": Results,
    "control/proplet/handback": HandBack,
    "control/proplet/up": Up,
    "control/manager/invoke": Invoke,
    "control/proplet/invoke_results": InvokeResults,
    "control/proplet/logs": Logs,
    "control/proplet/metrics": Metrics,
    "control/proplet/task_metrics": TaskMetrics,
    "registry/proplet": ModuleRequest,
    "registry/server": ModuleChunk,
}
ANNOUNCEMENT_TOPIC = "control/manager/announcement"
#: Ours: where a proplet asks the manager for a module; the contract's topic is the proxy's.
MODULE_TOPIC = "control/proplet/module"
_TOPIC_OF: dict[type[Message], str] = {kind: topic for topic, kind in TOPICS.items()}
_HEADS: dict[type[Message], bytes] = {kind: b'["%s",' % topic.encode() for topic, kind in TOPICS.items()}
_DECODERS: dict[str, Callable[[bytes], Message]] = {
    topic: msgspec.json.Decoder(kind).decode for topic, kind in TOPICS.items()
}
_DECODERS[MODULE_TOPIC] = _DECODERS["registry/proplet"]
encode = msgspec.json.Encoder().encode


def topic_of(message: Message) -> str:
    return _TOPIC_OF[type(message)]


def own_topic(proplet_id: str, topic: str) -> str:
    """Name the topic on which a proplet of ours alone gets such messages."""
    return f"proplet/{proplet_id}/{topic}"


def said_topic(proplet_id: str, topic: str) -> str:
    """Name the topic on which a proplet of ours alone says such messages."""
    return f"from/{proplet_id}/{topic}"


def speaker(topic: str) -> tuple[str, str]:
    """Tell who alone may speak on a topic, ``""`` where that is anybody, and what such a message means."""
    head, _, rest = topic.partition("/")
    proplet_id, slash, said = rest.partition("/")
    is_own = head == "from" and slash and 0 < len(proplet_id) <= PROPLET_ID_MAX
    return (proplet_id, said) if is_own else ("", topic)


def decode(topic: str, payload: bytes) -> Message:
    """Read a message; raise ``ValueError`` that says what is wrong with it."""
    read = _DECODERS.get(topic)
    if read is None:
        raise ValueError(f"no message of ours: {topic[:80]!r}")
    try:
        return read(payload)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def to_line(message: Message) -> bytes:
    return b"%s%s]\n" % (_HEADS[type(message)], encode(message))


def from_line(line: bytes) -> Message:
    """Read one line without its line end; raise ``ValueError`` that says what is wrong with it."""
    head, comma, rest = line.partition(b",")
    if not comma or head[:2] != b'["' or head[-1:] != b'"' or rest[-1:] != b"]":
        raise ValueError(f"no message of ours: {line[:80]!r}")
    return decode(head[2:-1].decode(), rest[:-1])


def start_message(effect: SendStart, file: bytes | None = None) -> Start:
    """Write a start as its proplet understands it; ``file`` is the module, for a foreign one."""
    spec = effect.spec
    is_ours = effect.is_ours
    return Start(
        id=spec.id if is_ours else foreign_id(spec.id, effect.attempt),
        name=spec.name,
        image_url=spec.image_url or UNSET,
        file=UNSET if file is None else base64.b64encode(file).decode(),
        module=f"sha256:{spec.module.digest}" if spec.module and is_ours else UNSET,
        inputs=wire_inputs(effect.inputs) or UNSET,
        cli_args=spec.cli_args,
        # A foreign proplet would act on each of the messages that go to one proplet each.
        broadcast=spec.broadcast and is_ours,
        daemon=spec.daemon,
        latent=spec.latent,
        env=spec.env or UNSET,
        encrypted=spec.encrypted,
        kbs_resource_path=spec.kbs_resource_path or UNSET,
        monitoring_profile=spec.monitoring_profile or UNSET,
        proplet_id=effect.proplet_id,
        hal_storage_path=UNSET if spec.hal_storage_path is None else spec.hal_storage_path,
        parent_results=effect.parent_results or UNSET,
        sandbox=spec.sandbox if spec.sandbox is not None and is_ours else UNSET,
        attempt=effect.attempt if is_ours else UNSET,
        placed_at=effect.placed_at if is_ours else UNSET,
    )


def wire_inputs(inputs: Iterable[int | float | str]) -> list[str]:
    """On the wire inputs are strings; a whole number is written as one, however the client wrote it."""
    return [
        value
        if isinstance(value, str)
        else str(int(value))
        if isinstance(value, float) and value.is_integer()
        else repr(value)
        for value in inputs
    ]


def stop_message(effect: SendStop) -> Stop:
    if effect.is_ours:
        return Stop(id=effect.task_id, proplet_id=effect.proplet_id, attempt=effect.attempt)
    return Stop(id=foreign_id(effect.task_id, effect.attempt), proplet_id=effect.proplet_id)


def invoke_message(effect: SendInvoke) -> Invoke:
    return Invoke(
        id=effect.task_id if effect.is_ours else foreign_id(effect.task_id, effect.attempt),
        inputs=effect.inputs or None,
        invocation_id=effect.invocation_id,
        proplet_id=effect.proplet_id,
        env=effect.env or UNSET,
        timeout_ns=effect.timeout_ns if effect.is_ours else UNSET,
    )


def messages_to_ours(effects: Iterable[Outgoing]) -> dict[str, list[Message]]:
    """Write effects as messages to proplets of ours, by proplet and in order, the acks of each in one."""
    messages: dict[str, list[Message]] = {}
    acks: dict[str, Ack] = {}
    for effect in effects:
        batch = messages.setdefault(effect.proplet_id, [])
        match effect:
            case SendStart():
                batch.append(start_message(effect))
            case SendStop():
                batch.append(stop_message(effect))
            case SendInvoke():
                batch.append(invoke_message(effect))
            case AskHello():
                batch.append(Hello())
            case SendAck():
                if effect.proplet_id not in acks:
                    batch.append(acks.setdefault(effect.proplet_id, Ack(ended=[])))
                acks[effect.proplet_id].ended.append((effect.task_id, effect.attempt))
    return messages


def piece_bytes(room_bytes: int, most: int = CHUNK_BYTES) -> int:
    """Say how large the pieces of a module are where messages have so much room; 0 if none would fit."""
    return max(0, min(most, (room_bytes - AROUND_PIECE_BYTES) * 3 // 4))


def module_chunks(module: Module, data: bytes, size_bytes: int = CHUNK_BYTES) -> Iterator[ModuleChunk]:
    """Cut a module into the registry's chunks; where no piece fits, one says so."""
    if not size_bytes:
        yield no_module(f"sha256:{module.digest}", NO_PIECE_FITS)
        return
    total = -(-len(data) // size_bytes)
    for index in range(total):
        piece = data[index * size_bytes : (index + 1) * size_bytes]
        yield ModuleChunk(
            app_name=f"sha256:{module.digest}",
            chunk_idx=index,
            total_chunks=total,
            data=base64.b64encode(piece).decode(),
            digest=f"sha256:{module.digest}",
        )


def no_module(app_name: str, why: str) -> ModuleChunk:
    return ModuleChunk(app_name=app_name, chunk_idx=0, total_chunks=0, data="", error=why)


class LineSplitter:
    """Cuts a stream of bytes into lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterable[bytes]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines
