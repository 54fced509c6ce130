"""Invocations of latent tasks: sent to a proplet that has the task, and waited for.

Nothing of a task's state changes by one, so the engine is not asked. What came of each is kept, written in
batches beside the engine.
"""

import asyncio
import itertools
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec

from propeller.core.effects import Outgoing, SendInvoke, Transition
from propeller.core.model import Proplet, Task
from propeller.core.states import RUNNING
from propeller.errors import Conflict, GuestFailed, TimedOut, Unavailable
from propeller.manager.batches import Batches
from propeller.store.port import Invocation, InvocationPage, Store
from propeller.wire.gotime import format_time
from propeller.wire.invocations import InvocationView
from propeller.wire.messages import InvokeResults
from propeller.wire.schema import encode

#: How long the result of a guest that was ended in time may be on its way.
_WAY_S = 1.0
_BATCH, _WAITING_MAX = 500, 10_000


class _Pending(msgspec.Struct, eq=False):
    task_id: str
    #: None where its going on elsewhere counts up the task's attempts.
    attempt: int | None
    proplet_id: str
    answer: "asyncio.Future[InvokeResults]"


class Invocations:
    """Sends invocations and hands their results to those who wait."""

    def __init__(self, store: Store, send: Callable[[Sequence[Outgoing]], None]) -> None:
        self._store = store
        self._send = send
        self._pending: dict[str, _Pending] = {}
        #: The same by task.
        self._of: defaultdict[str, dict[str, _Pending]] = defaultdict(dict)
        self._turns = itertools.count()
        self._batches: Batches[Invocation] = Batches(
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
    ) -> str:
        """Run a deployed task once; return what it returned.

        Args:
            task: As it is now.
            holders: The proplets that run it and are alive, each with the attempt that it has.
            inputs: In place of the task's own, where there are any.
            env: Over the task's own.
            timeout_s: How long it may take, waiting included.

        Raises:
            Conflict: The task is not latent, or not deployed.
            Unavailable: No proplet that has it is there, or it went away meanwhile.
            GuestFailed: The guest did not come to its end.
            TimedOut: It took too long.

        """
        proplet, attempt = self._choose(task, holders)
        invocation_id = str(uuid.uuid4())
        answer: asyncio.Future[InvokeResults] = asyncio.get_running_loop().create_future()
        pending = _Pending(task.id, None if task.spec.broadcast else attempt, proplet.id, answer)
        self._pending[invocation_id] = self._of[task.id][invocation_id] = pending
        began = time.time_ns()
        results: InvokeResults | None = None
        error = ""
        try:
            self._send(
                [
                    SendInvoke(
                        proplet_id=proplet.id,
                        task_id=task.id,
                        attempt=attempt,
                        invocation_id=invocation_id,
                        inputs=inputs,
                        env=dict(env),
                        timeout_ns=int(timeout_s * 1e9),
                        is_ours=proplet.is_ours,
                    )
                ]
            )
            # The proplet ends the guest in time; what is added is for the way.
            results = await asyncio.wait_for(answer, timeout_s + _WAY_S)
            error = results.error or ""
        except TimeoutError:
            error = f"invocation of task {task.id} timed out after {timeout_s:g}s"
            raise TimedOut(error) from None
        except Unavailable as gone:
            error = str(gone)
            raise
        finally:
            self._end(task.id, invocation_id)
            view = InvocationView(
                invocation_id=invocation_id,
                proplet_id=proplet.id,
                start_time=format_time(began),
                duration_ms=round((time.time_ns() - began) / 1e6, 3),
                inputs=inputs,
            )
            self._batches.take(Invocation(task.id, encode(_completed(view, results, error)).decode()))
        if error:
            raise GuestFailed(error)
        return results.results or ""

    def _end(self, task_id: str, invocation_id: str) -> None:
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

    def took(self, message: InvokeResults) -> None:
        """Take in a result; one that nobody waits for is dropped."""
        pending = self._pending.get(message.invocation_id)
        if pending is not None and not pending.answer.done():
            pending.answer.set_result(message)

    def moved(self, transition: Transition) -> None:
        """End what waits for a task that is not where it was any more."""
        for pending in self._of.get(transition.task_id, {}).values():
            if not pending.answer.done() and not _is_there(pending, transition):
                why = transition.reason or transition.error or f"it is {transition.state.name.lower()}"
                pending.answer.set_exception(
                    Unavailable(f"task {pending.task_id} went away while it was invoked: {why}")
                )

    async def page(self, task_id: str, offset: int, limit: int) -> InvocationPage:
        """Read what came of invocations, the newest first."""
        await self._batches.flush()
        return await self._store.invocations(task_id, offset, limit)


def _is_there(pending: _Pending, transition: Transition) -> bool:
    return transition.state is RUNNING and pending.attempt in (None, transition.attempt)


def _completed(view: InvocationView, results: InvokeResults | None, error: str) -> InvocationView:
    if results is not None and not error:
        view.results = results.results or ""
    else:
        view.error = error or "nobody waited for it any more"
    if results is not None and results.started_at and results.finished_at:
        view.guest_ms = round((results.finished_at - results.started_at) / 1e6, 3)
    return view
