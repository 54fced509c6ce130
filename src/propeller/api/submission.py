"""Handing tasks to the manager, with the modules that they bring, unless their calls can't be made."""

import asyncio

from propeller.api.calls import Calls, Misfit, is_other_call, misfit_of
from propeller.api.context import Context
from propeller.api.spec_builder import SpecBuilder
from propeller.core.events import CreateTasks, UpdateTask
from propeller.core.model import Spec, Task
from propeller.errors import Invalid


async def submit(
    context: Context, command: CreateTasks | UpdateTask, builder: SpecBuilder, *, way_out: str = ""
) -> list[Task]:
    """Carry out a command; return the tasks that it created or changed.

    Args:
        context: The context of the request.
        command: The command, made by ``builder``.
        builder: The builder of its specs, which has the modules that came along.
        way_out: What to do where a call can't be made, if the words of a runner do not say it.

    Raises:
        Invalid, NotFound, Conflict: A call can't be made, or the command breaks a rule; nothing has changed.

    """
    if misfit := await _misfit(context, builder.calls):
        raise Invalid(misfit.text + way_out)
    tasks = await context.manager.ask(command, builder.modules)
    context.files.remember(builder.modules)
    return tasks


async def _misfit(context: Context, calls: Calls) -> Misfit | None:
    """Give the first call that can't be made, as far as the runtimes of all proplets are known."""
    if not context.manager.knows_runtime:
        return None
    return await asyncio.to_thread(calls.misfit) if calls.are_many else calls.misfit()


async def check_change(context: Context, before: Spec, after: Spec, builder: SpecBuilder) -> None:
    """Have ``submit`` see whether a task that is to be changed can call its module then."""
    module = after.module
    if module is None or not is_other_call(before, after):
        return
    if module not in builder.modules:
        builder.calls.learn(module, await context.interfaces.of(module))
    builder.calls.add(after)


async def check_start(context: Context, task_id: str) -> None:
    """Refuse to start a task that has no inputs yet and can't be called without.

    All else that ``misfit_of`` finds was found when it was created or changed.

    Raises:
        Invalid: Its function takes inputs.

    """
    spec = context.manager.spec_in_memory(task_id)
    if spec is None or spec.module is None or spec.inputs:
        return
    interface = await context.interfaces.of(spec.module)
    misfit = interface and misfit_of(spec, interface, is_begun=True)
    if misfit and context.manager.knows_runtime:
        raise Invalid(f"{misfit}; change the task with PUT /tasks/{task_id}")
