"""Messages of a manager to its proplets, and to other managers."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.effects import Sealed
from propeller.core.sandbox import Sandbox
from propeller.wire.fleet.fields import Count


class FromManager(msgspec.Struct, kw_only=True):
    """A message of a manager to its proplets."""

    #: Extension: the id and the epoch of the manager that sends it.
    by: tuple[str, Count] | UnsetType = UNSET


class Announcement(msgspec.Struct, kw_only=True, frozen=True):
    """Extension. Manager to all on its channel, kept by the broker: which manager serves here."""

    manager_id: str
    #: Larger with each start of this manager's program.
    epoch: Count
    #: It is ``here``; it ``asks`` whether another is; it has ``left``; it is ``gone``, as its will says.
    status: Literal["here", "asks", "left", "gone"]
    #: When it was sent, ns since the Unix epoch by the manager's clock; it grows from message to message.
    #: In a will: when the connection began that broke.
    at: Count
    #: ``at`` of the question that it answers; 0 if it answers none.
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
    #: Extension: ``sha256:<hex>`` in place of ``file``; a proplet that does not have it asks for it.
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
    #: Extension: the standard input of a program, and its encoding: ``base64`` or none.
    #: The result of a parent is here once more, for proplets of any version look for it here.
    stdin: str | UnsetType = UNSET
    stdin_encoding: str | UnsetType = UNSET
    #: Extension: the values of more variables, which are secrets, sealed for this proplet and this attempt.
    sealed: Sealed | UnsetType = UNSET
    #: Extension: the sandbox that the task asks for.
    sandbox: Sandbox | UnsetType = UNSET
    #: Extension: the number of the attempt, from 1, and when it was placed (Unix epoch, ns).
    #: Every report brings both back: a manager restored from a backup may give the same number again.
    attempt: Count | UnsetType = UNSET
    placed_at: Count | UnsetType = UNSET
    #: Extension: with these public keys by name, in base64 of DER, the module is run only if one of them has
    #: signed it: by this signature, or by one that the registry has of the image.
    keys: dict[str, str] | UnsetType = UNSET
    signature: str | UnsetType = UNSET

    @property
    def is_resident(self) -> bool:
        """True if it stays until it is stopped."""
        return self.daemon or self.latent


class Stop(FromManager, kw_only=True):
    """Manager to proplet: end this attempt of a task and any before it; nothing need be reported."""

    broadcast: bool = False
    id: str
    proplet_id: str | UnsetType | None = UNSET
    #: Extension.
    attempt: Count | UnsetType = UNSET


class Hello(FromManager, kw_only=True):
    """Extension. Manager to one proplet or all: say who you are and what you hold (``Create``)."""


class Ack(FromManager, kw_only=True):
    """Extension. Manager to proplet: the ends of these attempts need no more reporting."""

    #: Task and attempt.
    ended: list[tuple[str, Count]]


class Invoke(FromManager, kw_only=True):
    """Manager to proplet: run a task that is deployed there once more, with these inputs."""

    broadcast: bool = False
    #: Of the task.
    id: str
    inputs: list[str] | None = None
    invocation_id: str
    proplet_id: str | UnsetType | None = UNSET
    env: dict[str, str] | UnsetType | None = UNSET
    #: Extension: how long its guest may take, ns.
    timeout_ns: Count | UnsetType = UNSET
