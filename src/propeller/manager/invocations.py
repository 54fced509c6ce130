"""Invocations of latent tasks: each is sent to a proplet that has the task, and its result waited for.

An invocation changes nothing of a task's state, so the engine is not asked. A record is written before it is
sent, and another with its result, both in batches beside the engine.

A native proplet ends the guest in time, and names with each sign of life the invocations that it has. So the
manager goes on waiting while an invocation waits for a free slot, and stops when it got lost. A foreign
proplet says nothing before the result.
"""

import asyncio
import itertools
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import UNSET

from propeller.core.effects import Outgoing, SendInvoke, Transition
from propeller.core.failures import ErrorKind
from propeller.core.model import Proplet, Task
from propeller.core.results import BASE64
from propeller.core.states import RUNNING
from propeller.errors import Conflict, GuestFailed, PropellerError, TimedOut, TooLarge, Unavailable
from propeller.manager.batch_writer import BatchWriter
from propeller.store.port import Invocation, Page, Store
from propeller.wire.fleet.from_proplet import Alive, InvokeResults
from propeller.wire.http.invocations import InvocationView
from propeller.wire.http.schema import encode
from propeller.wire.rfc3339 import format_time

#: How long a result may be on its way.
_WAY_S = 1.0
#: Time between two looks at a long invocation.
_LOOK_EVERY_S = 5.0
#: A sign of life that does not name an invocation that was sent so long before says that it got lost.
_ARRIVED_AFTER_S = 10.0
#: No invocation is waited for longer than its timeout and this: a native proplet gives up sooner.
_WAIT_S_MAX = 360.0
ENDED_WITH_MANAGER = "the manager was ended while it waited for the result"
_BATCH, _WAITING_MAX = 500, 10_000


class _Pending(msgspec.Struct, eq=False):
    invoke: SendInvoke
    #: None where its going on elsewhere counts up the task's attempts.
    attempt: int | None
    proplet: Proplet
    answer: "asyncio.Future[InvokeResults]"
    #: Unix epoch, ns.
    began: int
    #: By the loop's clock, s; 0 before it was sent.
    sent_at: float = 0.0


class Invocations:
    """Sends invocations, and hands their results to the callers."""

    def __init__(self, store: Store, send: Callable[[Sequence[Outgoing]], None]) -> None:
        self._store = store
        self._send = send
        self._pending: dict[str, _Pending] = {}
        #: The same by task.
        self._of: defaultdict[str, dict[str, _Pending]] = defaultdict(dict)
        self._turns = itertools.count()
        self._batches: BatchWriter[Invocation] = BatchWriter(
            "invocations", store.write_invocations, batch_max=_BATCH, waiting_max=_WAITING_MAX
        )
        self.flush = self._batches.flush

    async def invoke(
        self,
        task: Task,
        holders: Sequence[tuple[Proplet, int]],
        *,
        inputs: list[str],
        env: Mapping[str, str],
        timeout_s: float,
    ) -> InvokeResults:
        """Run a deployed task once; return its results, without an error.

        Args:
            task: As it is now.
            holders: The proplets that run it and are alive, each with the attempt that it has.
            inputs: In place of the task's own, where there are any.
            env: Over the task's own.
            timeout_s: How long the guest may take.

        Raises:
            Conflict: The task is not latent, or not deployed.
            Unavailable: No proplet that has it is there or has a free slot, or it went away meanwhile.
            GuestFailed: The guest did not come to its end.
            TimedOut: It took too long.
            TooLarge: Its inputs and environment are more than the broker takes.

        """
        proplet, attempt = self._choose(task, holders)
        invoke = SendInvoke(
            proplet_id=proplet.id,
            task_id=task.id,
            attempt=attempt,
            invocation_id=str(uuid.uuid4()),
            inputs=inputs,
            env=dict(env),
            timeout_ns=int(timeout_s * 1e9),
            is_native=proplet.is_native,
        )
        pending = _Pending(
            invoke=invoke,
            attempt=None if task.spec.broadcast else attempt,
            proplet=proplet,
            answer=asyncio.get_running_loop().create_future(),
            began=time.time_ns(),
        )
        self._pending[invoke.invocation_id] = self._of[task.id][invoke.invocation_id] = pending
        results: InvokeResults | None = None
        error = "nobody waited for it any more"
        try:
            self._batches.take(_record(pending, is_open=True))
            await self._batches.flush()
            results = await self._results(pending)
            error = results.error or ""
        except (TimedOut, TooLarge, Unavailable) as trouble:
            error = str(trouble)
            raise
        finally:
            self._end(pending)
            self._batches.take(_record(pending, results, error))
        if error:
            raise _refusal(invoke, results, error)
        return results

    async def _results(self, pending: _Pending) -> InvokeResults:
        """Send an invocation and wait for its result, as long as one can still come."""
        invoke, answer = pending.invoke, pending.answer
        now = asyncio.get_running_loop().time
        pending.sent_at = now()
        give_up_at = pending.sent_at + invoke.timeout_ns / 1e9 + (_WAIT_S_MAX if invoke.is_native else _WAY_S)
        if not answer.done():  # else the task went away meanwhile
            self._send([invoke])
        while not answer.done() and now() < give_up_at:
            await asyncio.wait({answer}, timeout=min(give_up_at - now(), _LOOK_EVERY_S))
            if not answer.done() and not pending.proplet.is_alive:
                raise Unavailable(
                    f"proplet {pending.proplet.name} went away while it ran task {invoke.task_id}"
                )
        if not answer.done():
            raise _timed_out(invoke)
        return answer.result()

    def _end(self, pending: _Pending) -> None:
        task_id, invocation_id = pending.invoke.task_id, pending.invoke.invocation_id
        del self._pending[invocation_id]
        del self._of[task_id][invocation_id]
        if not self._of[task_id]:
            del self._of[task_id]

    def _choose(self, task: Task, holders: Sequence[tuple[Proplet, int]]) -> tuple[Proplet, int]:
        if not task.spec.latent:
            raise Conflict(
                f"task {task.id} is not a latent task and cannot be invoked; create one with latent: true"
            )
        if task.state is not RUNNING:
            state = task.state.name.lower()
            raise Conflict(f"task {task.id} is not deployed: it is {state}; deploy it with start")
        if not holders:
            raise Unavailable(f"task {task.id} is on no proplet that is alive; try again soon")
        return holders[next(self._turns) % len(holders)]

    def take(self, message: InvokeResults) -> None:
        """Take in a result; drop one that nobody waits for, or that another proplet sent.

        Native proplets all say who they are; of others, small devices do not.
        """
        pending = self._pending.get(message.invocation_id)
        if pending is None:
            return
        if message.proplet_id != pending.proplet.id and (message.proplet_id or pending.proplet.is_native):
            return
        if message.results_encoding != BASE64:
            message.results_encoding = UNSET
        if not pending.answer.done():
            pending.answer.set_result(message)

    def refused(self, invocation_id: str, why: str) -> None:
        """Fail an invocation that can't be sent to its proplet."""
        pending = self._pending.get(invocation_id)
        if pending is not None and not pending.answer.done():
            pending.answer.set_exception(TooLarge(why))

    def heard(self, message: Alive) -> None:
        """Fail invocations that a proplet should have by now and does not name: they got lost."""
        if not self._pending or not isinstance(message.invocations, list):
            return
        there, now = set(message.invocations), asyncio.get_running_loop().time()
        for invocation_id, pending in self._pending.items():
            is_of_it = pending.proplet.id == message.proplet_id and pending.sent_at
            if is_of_it and now - pending.sent_at > _ARRIVED_AFTER_S and invocation_id not in there:
                _fail(pending, f"task {pending.invoke.task_id} could not be invoked: the message was lost")

    def moved(self, transition: Transition) -> None:
        """Fail invocations of a task that is not where it was any more."""
        for pending in self._of.get(transition.task_id, {}).values():
            if not _is_there(pending, transition):
                why = transition.reason or transition.error or f"it is {transition.state.name.lower()}"
                _fail(pending, f"task {transition.task_id} went away while it was invoked: {why}")

    def give_up(self) -> None:
        """Fail all that are under way: this manager does not hear any more what comes of them."""
        for pending in self._pending.values():
            _fail(pending, ENDED_WITH_MANAGER)

    async def page(self, task_id: str, offset: int, limit: int) -> Page[str]:
        """Read what came of invocations, the newest first."""
        await self._batches.flush()
        return await self._store.invocations(task_id, offset, limit)


def _is_there(pending: _Pending, transition: Transition) -> bool:
    return transition.state is RUNNING and pending.attempt in (None, transition.attempt)


def _fail(pending: _Pending, why: str) -> None:
    if not pending.answer.done():
        pending.answer.set_exception(Unavailable(why))


def _timed_out(invoke: SendInvoke) -> TimedOut:
    return TimedOut(f"invocation of task {invoke.task_id} timed out after {invoke.timeout_ns / 1e9:g}s")


def _guest_ns(results: InvokeResults) -> int:
    """Tell how long the guest ran; 0 where that was not said."""
    if not results.started_at or not results.finished_at:
        return 0
    return results.finished_at - results.started_at


def _refusal(invoke: SendInvoke, results: InvokeResults, error: str) -> PropellerError:
    if results.is_busy is True:
        return Unavailable(f"task {invoke.task_id} could not be invoked: {error}")
    return _timed_out(invoke) if _guest_ns(results) >= invoke.timeout_ns else GuestFailed(error)


def _record(
    pending: _Pending, results: InvokeResults | None = None, error: str = "", *, is_open: bool = False
) -> Invocation:
    """Make the record of an invocation, with its result unless it is open."""
    invoke = pending.invoke
    view = InvocationView(
        invocation_id=invoke.invocation_id,
        proplet_id=invoke.proplet_id,
        start_time=format_time(pending.began),
        duration_ms=0 if is_open else round((time.time_ns() - pending.began) / 1e6, 3),
        inputs=invoke.inputs,
    )
    if error:
        view.error = error
        if results is not None and results.error_kind:
            view.error_kind = ErrorKind.of(results.error_kind)
    elif results is not None:
        view.results = results.results or ""
        view.results_encoding = results.results_encoding
    if results is not None and (guest_ns := _guest_ns(results)):
        view.guest_ms = round(guest_ns / 1e6, 3)
    return Invocation(invoke.task_id, invoke.invocation_id, encode(view).decode(), is_open)
