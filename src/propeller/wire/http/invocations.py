"""The JSON of invocations of latent tasks."""

from typing import Annotated

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.failures import ErrorKind
from propeller.wire.http.schema import Env, Page, ResultsEncoding, Time, like


class Invoke(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A request to run a latent task once."""

    inputs: (
        Annotated[list[int | float | str | None], like("In place of the task's own, if any are given.")]
        | None
    ) = None
    env: Env | None = None
    timeout: (
        Annotated[str | float, like("How long the guest may take, from where it begins; left out: 30s.")]
        | None
    ) = None


class Invoked(msgspec.Struct, kw_only=True):
    invoked: bool = True
    results: str
    results_encoding: ResultsEncoding | UnsetType = UNSET


class InvocationView(msgspec.Struct, kw_only=True):
    """One invocation and its outcome; while it is under way it has neither results nor an error."""

    invocation_id: str
    proplet_id: str
    start_time: Time
    duration_ms: Annotated[float, like("As the manager saw it.")]
    guest_ms: Annotated[float, like("Of the guest alone.")] | UnsetType = UNSET
    inputs: list[str]
    results: str | UnsetType = UNSET
    error: str | UnsetType = UNSET
    results_encoding: ResultsEncoding | UnsetType = UNSET
    error_kind: ErrorKind | UnsetType = UNSET


class InvocationPage(Page, kw_only=True):
    invocations: list[InvocationView]
