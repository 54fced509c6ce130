"""Where a result comes from, as an in-toto statement (v1) with SLSA provenance (v1); an extension."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from msgspec import UNSET, UnsetType

from propeller.core.model import Execution, Input, Spec, Task
from propeller.core.ran import Ran
from propeller.core.results import as_bytes, to_json
from propeller.wire.http.schema import encode, like
from propeller.wire.rfc3339 import format_time

_TYPE = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://slsa.dev/provenance/v1"
#: Names of ours in statements are tag URIs: what begins so is defined by ``docs/provenance.md``.
_OURS = "tag:propeller-wasm,2026:"


class Digests(msgspec.Struct):
    sha256: str


class Subject(msgspec.Struct):
    name: str
    digest: Digests


class Dependency(msgspec.Struct, kw_only=True):
    name: str = "module"
    uri: str | UnsetType = UNSET
    digest: Digests
    annotations: dict[str, str] | UnsetType = UNSET


class Parameters(msgspec.Struct, kw_only=True):
    """What was asked for; ``inputs`` and so on are left out if the task was changed since."""

    task: str
    name: str | UnsetType = UNSET
    namespace: str
    submitted_by: str | UnsetType = UNSET
    image_url: str | UnsetType = UNSET
    inputs: Sequence[Input] | UnsetType = UNSET
    cli_args: list[str] | UnsetType = UNSET
    env: Annotated[list[str], like("The names of the variables, without their values.")] | UnsetType = UNSET
    has_changed: Annotated[bool, like("True if the task was changed since.")] | UnsetType = UNSET


class Surroundings(msgspec.Struct, kw_only=True):
    """What was not for the user to choose."""

    attempt: int
    proplet_id: str
    state: str
    grants: Annotated[dict[str, Any], like("What of the machine the guest was given.")] | UnsetType = UNSET


class Definition(msgspec.Struct, rename="camel", kw_only=True):
    build_type: str = f"{_OURS}run/v1"
    external_parameters: Parameters
    internal_parameters: Surroundings
    resolved_dependencies: list[Dependency]


class Builder(msgspec.Struct):
    id: str
    version: dict[str, str] | UnsetType = UNSET


class Invocation(msgspec.Struct, rename="camel", kw_only=True):
    invocation_id: str
    started_on: str | UnsetType = UNSET
    finished_on: str | UnsetType = UNSET


class Details(msgspec.Struct):
    builder: Builder
    metadata: Invocation


class Predicate(msgspec.Struct, rename="camel", kw_only=True):
    build_definition: Definition
    run_details: Details


class Statement(msgspec.Struct, kw_only=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    """Where the result of an attempt comes from."""

    type: str = _TYPE
    subject: list[Subject]
    predicate_type: str = _PREDICATE
    predicate: Predicate


def statement(task: Task, execution: Execution) -> Statement:
    """Say where the result of an attempt comes from, as far as its proplet has said it."""
    spec, ran = task.spec, execution.ran
    where = f"{quote(task.id, safe='')}/attempts/{execution.attempt}"
    result = Digests(hashlib.sha256(_bytes_of(execution.results)).hexdigest())
    metadata = Invocation(invocation_id=f"{_OURS}tasks/{where}/{quote(execution.proplet_id, safe='')}")
    if execution.started_at:
        metadata.started_on = format_time(execution.started_at)
    if execution.finished_at:
        metadata.finished_on = format_time(execution.finished_at)
    return Statement(
        subject=[Subject(f"tasks/{where}/results", result)],
        predicate=Predicate(
            build_definition=Definition(
                external_parameters=_asked_for(spec, ran),
                internal_parameters=Surroundings(
                    attempt=execution.attempt,
                    proplet_id=execution.proplet_id,
                    state=execution.state.name.lower(),
                    grants=UNSET if ran is None or ran.grants is None else msgspec.to_builtins(ran.grants),
                ),
                resolved_dependencies=[] if ran is None else [_module(spec, ran)],
            ),
            run_details=Details(
                Builder(f"{_OURS}proplets/{quote(execution.proplet_id, safe='')}", _versions(ran)), metadata
            ),
        ),
    )


def _bytes_of(results: Any) -> bytes:
    """Give a result as ``GET /tasks/{id}/results`` gives its bytes; none is none."""
    if results is None:
        return b""
    data = as_bytes(results)
    return data if isinstance(data, bytes) else encode(to_json(data)[0])


def _asked_for(spec: Spec, ran: Ran | None) -> Parameters:
    found = Parameters(
        task=spec.id, namespace=spec.namespace or "default", submitted_by=spec.created_by or UNSET
    )
    if ran is None or ran.revision != spec.revision:
        found.has_changed = True if spec.revision else UNSET
        return found
    found.name = spec.name
    found.image_url = spec.image_url or UNSET
    found.inputs = spec.inputs or UNSET
    found.cli_args = list(spec.cli_args) if spec.cli_args else UNSET
    found.env = list(spec.env) if spec.env else UNSET
    return found


def _module(spec: Spec, ran: Ran) -> Dependency:
    is_same = ran.revision == spec.revision
    return Dependency(
        uri=spec.image_url if is_same and spec.module is None and spec.image_url else UNSET,
        digest=Digests(ran.digest),
        annotations={"signer": ran.signer} if ran.signer else UNSET,
    )


def _versions(ran: Ran | None) -> dict[str, str] | UnsetType:
    if ran is None:
        return UNSET
    found = {"propeller": ran.version, "runtime": ran.runtime}
    return {name: version for name, version in found.items() if version} or UNSET
