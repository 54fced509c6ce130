"""Messages of a proplet to its manager. Its measurements stand in ``metrics``."""

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from propeller.core.ran import Ran
from propeller.wire.fleet.fields import Count, LogStream, PropletId, Slots


class Create(msgspec.Struct, kw_only=True):
    """Proplet to manager: hello."""

    proplet_id: PropletId
    namespace: str = "default"
    metadata: dict[str, Any] | None = None
    #: Extension: larger with each start of the proplet's program.
    boot: Count | UnsetType = UNSET
    #: Extension: how many guests it runs at once.
    slots: Slots | UnsetType = UNSET
    #: Extension: as in ``Alive``.
    running: list[tuple[str, Count]] | UnsetType = UNSET


class Join(msgspec.Struct, kw_only=True):
    """Extension. Proplet to manager: bind my key to me, for I have a token of yours (``joining``)."""

    proplet_id: PropletId
    boot: Count
    token_id: Annotated[str, Meta(max_length=32)]
    #: Of the token, s since 1970.
    expires_at: Count
    public_key: Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$")]
    #: That the proplet knows the secret of the token.
    proof: Annotated[str, Meta(max_length=64)]


class Alive(msgspec.Struct, kw_only=True):
    """Proplet to manager: a sign of life, or with ``status`` ``offline`` the last one."""

    proplet_id: PropletId
    status: str = "alive"
    namespace: str = "default"
    #: Extension, like ``slots``: as in ``Create``.
    boot: Count | UnsetType = UNSET
    slots: Slots | UnsetType = UNSET
    #: Extension: task and attempt of everything whose end has not been acknowledged.
    running: list[tuple[str, Count]] | UnsetType = UNSET
    #: Extension: the invocations that have not ended here.
    invocations: list[str] | UnsetType = UNSET


class Results(msgspec.Struct, kw_only=True):
    """Proplet to manager: an attempt is over."""

    task_id: str
    #: Embedded devices leave it out.
    proplet_id: str = ""
    results: Any = None
    error: str | None = None
    #: Extension, like the rest: as the start had them.
    attempt: Count | UnsetType = UNSET
    placed_at: Count | UnsetType = UNSET
    #: When the guest began and ended, ns since the Unix epoch by the proplet's clock.
    started_at: Count | UnsetType = UNSET
    finished_at: Count | UnsetType = UNSET
    #: Of the error: a ``core.failures.ErrorKind``.
    error_kind: str | UnsetType = UNSET
    #: Of a program that ended with another than 0.
    exit_code: Count | UnsetType = UNSET
    #: ``base64`` where the results are no text.
    results_encoding: str | UnsetType = UNSET
    #: What ran, if a guest began.
    ran: Ran | UnsetType = UNSET


class Up(msgspec.Struct, kw_only=True):
    """Extension. Proplet to manager: a resident task is up, or has crashed and will be started anew.

    Repeated with each sign of life, because nobody acknowledges it.
    """

    task_id: str
    proplet_id: PropletId
    attempt: Count
    is_up: bool
    #: The address at which it serves, if it says.
    results: str | UnsetType = UNSET
    restarts: Count = 0
    #: The error of the last crash.
    error: str = ""
    #: As in the start.
    placed_at: Count | UnsetType = UNSET


class Compiling(msgspec.Struct, kw_only=True):
    """Extension. Proplet to manager: the module of an attempt is compiled first, which takes a while.

    It comes again, with the size 0, when the guest begins. Nobody acknowledges it; it is only for who waits.
    After a new connection the last one is said again.
    """

    task_id: str
    proplet_id: PropletId
    attempt: Count
    #: Of the module; 0 once it is compiled.
    size_bytes: Count
    #: As the start had it.
    placed_at: Count | UnsetType = UNSET


class InvokeResults(msgspec.Struct, kw_only=True):
    """Proplet to manager: an invocation is over."""

    task_id: str
    invocation_id: str
    proplet_id: str = ""
    results: str | None = None
    error: str | None = None
    #: Extension: when the guest began and ended, as in ``Results``.
    started_at: Count | UnsetType = UNSET
    finished_at: Count | UnsetType = UNSET
    #: Extension: true if no guest was begun, because there was no room for too long.
    is_busy: bool | UnsetType = UNSET
    #: Extension: the kind of the error, as in ``Results``.
    error_kind: str | UnsetType = UNSET
    #: Extension: as in ``Results``.
    results_encoding: str | UnsetType = UNSET


class HandBack(msgspec.Struct, kw_only=True):
    """Extension. Proplet to manager: an attempt is handed back, through no fault of the task."""

    task_id: str
    proplet_id: PropletId
    attempt: Count
    reason: str
    #: As in the start.
    placed_at: Count | UnsetType = UNSET
    #: The newest attempt that the proplet knows, if that is later than this one: it runs only later ones.
    newest: Count | UnsetType = UNSET
    #: True if the attempt had begun, and was lost with its process.
    is_lost: bool | UnsetType = UNSET


class Logs(msgspec.Struct, kw_only=True):
    """Extension. Proplet to manager: a piece of a guest's logs.

    Pieces may be lost, repeated and reordered; task, attempt, proplet, stream and offset identify one.
    A piece has up to 64 KiB, and ends between characters.
    """

    task_id: str
    proplet_id: PropletId
    attempt: Count | UnsetType = UNSET
    stream: LogStream
    #: How many bytes of this stream the guest had written before it.
    offset: Count
    #: Bytes that are no UTF-8 are replaced.
    text: str
    #: True if the stream has reached its limit: the rest is dropped.
    is_cut: bool = False
    #: When it was written, ns since the Unix epoch by the proplet's clock.
    at: Count
