"""Secrets as a store keeps them: encrypted values by version, and who used which."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from propeller.store.pages import Page


class StoredSecret(NamedTuple):
    """One version of a secret."""

    namespace: str
    name: str
    #: From 1; it goes on after a deletion.
    version: int
    #: Ns since the epoch.
    created_at: int
    created_by: str
    #: Names the master key that its data key is wrapped with.
    key_id: str
    #: The data key and the value, both encrypted; empty once there is a later version, or it was deleted.
    wrapped: bytes = b""
    box: bytes = b""
    #: Ns since the epoch; 0 where it was not.
    deleted_at: int = 0


class SecretUse(NamedTuple):
    """A version of a secret was sent to a proplet, for an attempt of a task."""

    namespace: str
    name: str
    version: int
    task_id: str
    attempt: int
    proplet_id: str
    #: Ns since the epoch.
    at: int


class SecretStore(Protocol):
    """The part of a store that keeps secrets."""

    async def secrets(self) -> list[StoredSecret]:
        """Read the newest version of each secret that is not deleted, by namespace and name."""

    async def write_secret(self, secret: StoredSecret) -> None:
        """Write the next version of a secret durably, and erase the values of those before."""

    async def delete_secret(self, namespace: str, name: str, at: int) -> bool:
        """Erase a secret's value durably; its history stays. Say whether there was one."""

    async def rewrap_secrets(self, secrets: Sequence[StoredSecret]) -> None:
        """Write other data keys of these versions durably: all, or none."""

    async def secret_versions(self, namespace: str, name: str) -> list[StoredSecret]:
        """Read the last versions of a secret without their values, the newest first; deleted ones too."""

    async def write_secret_uses(self, uses: Sequence[SecretUse]) -> None:
        """Write uses, and delete the oldest beyond the bound; a power cut may take the last."""

    async def secret_uses(self, namespace: str, name: str, offset: int, limit: int) -> Page[SecretUse]:
        """Read a page of the uses of a secret, the newest first."""
