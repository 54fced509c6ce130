"""Translates effects of the rules into messages to proplets."""

import base64
from collections.abc import Iterable
from math import copysign

from msgspec import UNSET

from propeller.core.effects import AskHello, Outgoing, SendAck, SendInvoke, SendStart, SendStop
from propeller.core.model import Spec
from propeller.core.names import foreign_id
from propeller.wire.fleet.from_manager import Ack, Hello, Invoke, Start, Stop
from propeller.wire.fleet.messages import Message


def start_message(effect: SendStart, file: bytes | None = None) -> Start:
    """Write a start as its proplet understands it; ``file`` is the module, for a foreign one."""
    spec = effect.spec
    is_native = effect.is_native
    return Start(
        id=spec.id if is_native else foreign_id(spec.id, effect.attempt),
        name=spec.name,
        image_url=spec.image_url or UNSET,
        file=UNSET if file is None else base64.b64encode(file).decode(),
        module=f"sha256:{spec.module.digest}" if spec.module and is_native else UNSET,
        inputs=wire_inputs(effect.inputs) or UNSET,
        cli_args=spec.cli_args,
        # A foreign proplet would act on each of the messages that go to one proplet each.
        broadcast=spec.broadcast and is_native,
        daemon=spec.daemon,
        latent=spec.latent,
        env=_plain(spec) or UNSET,
        sealed=UNSET if effect.sealed is None else effect.sealed,
        encrypted=spec.encrypted,
        kbs_resource_path=spec.kbs_resource_path or UNSET,
        monitoring_profile=spec.monitoring_profile or UNSET,
        proplet_id=effect.proplet_id,
        hal_storage_path=UNSET if spec.hal_storage_path is None else spec.hal_storage_path,
        parent_results=effect.parent_results or UNSET,
        sandbox=spec.sandbox if spec.sandbox is not None and is_native else UNSET,
        stdin=effect.stdin or UNSET if is_native else UNSET,
        stdin_encoding=effect.stdin_encoding or UNSET if is_native else UNSET,
        attempt=effect.attempt if is_native else UNSET,
        placed_at=effect.placed_at if is_native else UNSET,
        keys=UNSET if effect.keys is None or not is_native else dict(effect.keys),
        signature=spec.signature if effect.keys is not None and is_native and spec.signature else UNSET,
    )


def _plain(spec: Spec) -> dict[str, str]:
    """Give the variables that are no secrets."""
    return {key: value for key, value in (spec.env or {}).items() if isinstance(value, str)}


def wire_inputs(inputs: Iterable[int | float | str]) -> list[str]:
    """Write inputs as strings, as the wire has them; ``3.0`` becomes ``3``."""
    return [value if isinstance(value, str) else _number(value) for value in inputs]


def _number(value: float) -> str:
    if not isinstance(value, float) or not value.is_integer():
        return repr(value)
    return str(int(value)) if value or copysign(1, value) > 0 else "-0"


def stop_message(effect: SendStop) -> Stop:
    if effect.is_native:
        return Stop(id=effect.task_id, proplet_id=effect.proplet_id, attempt=effect.attempt)
    return Stop(id=foreign_id(effect.task_id, effect.attempt), proplet_id=effect.proplet_id)


def invoke_message(effect: SendInvoke) -> Invoke:
    return Invoke(
        id=effect.task_id if effect.is_native else foreign_id(effect.task_id, effect.attempt),
        inputs=effect.inputs or None,
        invocation_id=effect.invocation_id,
        proplet_id=effect.proplet_id,
        env=effect.env or UNSET,
        timeout_ns=effect.timeout_ns if effect.is_native else UNSET,
    )


def messages_to_native(effects: Iterable[Outgoing]) -> dict[str, list[Message]]:
    """Write effects as messages to native proplets, by proplet and in order, the acks of each in one."""
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
