"""The JSON of secrets: whatever is asked, no answer has a value."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.wire.http.schema import Page, Time, like


class NewSecret(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The value of the next version of a secret."""

    value: Annotated[str, like("4 characters to 64 KiB.", minLength=4, maxLength=65536)]


class VersionView(msgspec.Struct, kw_only=True):
    version: int
    created_at: Time
    created_by: str
    deleted_at: Annotated[Time, like("Only of a version that was deleted.")] | UnsetType = UNSET


class SecretView(msgspec.Struct, kw_only=True):
    """A secret without its value."""

    name: str
    namespace: str
    version: Annotated[int, like("The one that tasks get which start now.")]
    created_at: Annotated[Time, like("Of this version.")]
    created_by: str


class SecretsView(msgspec.Struct, kw_only=True):
    secrets: list[SecretView]


class UseView(msgspec.Struct, kw_only=True):
    """A version was sent to a proplet for an attempt of a task."""

    version: int
    task_id: str
    attempt: int
    proplet_id: str
    at: Time


class SecretHistory(Page, kw_only=True):
    """The versions of a secret, and a page of its uses, the newest first."""

    name: str
    namespace: str
    versions: list[VersionView]
    uses: list[UseView]


class Rekeyed(msgspec.Struct, kw_only=True):
    secrets: Annotated[int, like("How many were wrapped with the new key.")]
    key: Annotated[str, like("Names the new key, and says nothing of it.")]
