"""Invocations of the latent tasks that a proplet holds: each is a run of its own, answered once. Pure."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET

from propeller.core.sandbox import Sandbox
from propeller.proplet.actions import Action, Kill, Outcome, SendUp, StartRun
from propeller.proplet.starts import reported
from propeller.wire.fleet.from_manager import Invoke, Start
from propeller.wire.fleet.from_proplet import InvokeResults

#: How long an invocation may wait for a free slot.
WAIT_S_MAX = 300.0
#: How often a run that was lost with its process begins again, if no manager sees to that.
LOSSES_MAX = 3


class _Invocation(msgspec.Struct, frozen=True):
    invoke: Invoke
    #: The task's, with what the invocation changes.
    start: Start
    digest: str
    since: int
    losses: int = 0


class Invocations:
    """Invocations that have not ended, by the key of their run."""

    def __init__(self, proplet_id: str) -> None:
        self._proplet_id = proplet_id
        self._waiting: dict[int, _Invocation] = {}

    def begin(self, key: int, start: Start, digest: str, invoke: Invoke, now: int) -> StartRun:
        changed = _changed(start, invoke)
        self._waiting[key] = _Invocation(invoke, changed, digest, now)
        return StartRun(key, changed, digest)

    def ended(self, outcome: Outcome) -> list[Action] | None:
        """Answer an invocation, or run a lost one again; None if the outcome is of another run."""
        one = self._waiting.pop(outcome.key, None)
        if one is None:
            return None
        if outcome.is_lost and one.losses < LOSSES_MAX:
            self._waiting[outcome.key] = msgspec.structs.replace(one, losses=one.losses + 1)
            return [StartRun(outcome.key, one.start, one.digest)]
        return [SendUp(self._results(one.invoke, outcome, one.start))]

    def refuse(self, invoke: Invoke, why: str) -> list[Action]:
        return [SendUp(self._failure(invoke, why))]

    def waits_on(self, keys: Iterable[int], now: int) -> list[Action]:
        """Let invocations among these runs wait on, but not for ever."""
        return [self._waits_on(key, now) for key in keys if key in self._waiting]

    def _waits_on(self, key: int, now: int) -> Action:
        one = self._waiting[key]
        if now - one.since < WAIT_S_MAX * 1e9:
            return StartRun(key, one.start, one.digest)
        del self._waiting[key]
        error = f"it has waited {WAIT_S_MAX:g} s for a free slot of the proplet"
        return SendUp(msgspec.structs.replace(self._failure(one.invoke, error), is_busy=True))

    def drop(self, task_id: str) -> list[Action]:
        """End the invocations of a task that the proplet drops; none is answered."""
        keys = [key for key, one in self._waiting.items() if one.invoke.id == task_id]
        for key in keys:
            del self._waiting[key]
        return [Kill(key) for key in keys]

    def start_of(self, key: int) -> Start | None:
        one = self._waiting.get(key)
        return None if one is None else one.start

    def ids(self) -> list[str]:
        return [one.invoke.invocation_id for one in self._waiting.values()]

    def _failure(self, invoke: Invoke, why: str) -> InvokeResults:
        return InvokeResults(
            task_id=invoke.id,
            invocation_id=invoke.invocation_id,
            proplet_id=self._proplet_id,
            results="",
            error=why,
        )

    def _results(self, invoke: Invoke, outcome: Outcome, start: Start) -> InvokeResults:
        results, encoding = reported(start, outcome)
        return InvokeResults(
            task_id=invoke.id,
            invocation_id=invoke.invocation_id,
            proplet_id=self._proplet_id,
            results=results,
            results_encoding=encoding,
            error=outcome.error or None,
            error_kind=str(outcome.failure.kind) if outcome.failure else UNSET,
            started_at=outcome.started_at or UNSET,
            finished_at=outcome.finished_at or UNSET,
        )


def _changed(start: Start, invoke: Invoke) -> Start:
    sandbox = start.sandbox or Sandbox()
    if invoke.timeout_ns:
        times = [ns for ns in (sandbox.timeout_ns, invoke.timeout_ns) if ns]
        sandbox = msgspec.structs.replace(sandbox, timeout_ns=min(times))
    return msgspec.structs.replace(
        start,
        inputs=invoke.inputs or start.inputs,
        env={**(start.env or {}), **(invoke.env or {})},
        sandbox=sandbox,
    )
