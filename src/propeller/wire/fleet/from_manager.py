"""Messages of a manager to its proplets, and to other managers."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.sandbox import Sandbox
from propeller.wire.fleet.fields import Count


class FromManager(msgspec.Struct, kw_only=True):
    """A message of a manager to its proplets."""

    #: Extension: which manager says it, by its id and its epoch.
    by: tuple[str, Count] | UnsetType = UNSET


class Announcement(msgspec.Struct, kw_only=True, frozen=True):
    """Extension. Manager to everybody on its channel, kept by the broker: who serves here."""

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
    #: Extension: the standard input of a program, and ``base64`` where it is that.
    stdin: str | UnsetType = UNSET
    stdin_encoding: str | UnsetType = UNSET
    #: Extension: what it asks of the machine.
    sandbox: Sandbox | UnsetType = UNSET
    #: Extension: which placement of the task this is, from 1, and when it was placed (Unix epoch, ns).
    #: Every report brings both back: a manager restored from a backup may come to the same number again.
    attempt: Count | UnsetType = UNSET
    placed_at: Count | UnsetType = UNSET

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
