"""Handing tasks and starts to the manager, with the modules that come along, unless calls can't be made."""

import asyncio
from collections.abc import Iterable

from propeller.access.namespaces import shown
from propeller.api.calls import Calls, Misfit, is_other_call
from propeller.api.context import Context
from propeller.api.inner import with_copies
from propeller.api.looks import PORTION
from propeller.api.spec_builder import SpecBuilder
from propeller.core.events import CreateTasks, UpdateTask
from propeller.core.model import GroupKind, Module, Spec, Task
from propeller.errors import Invalid
from propeller.manager.service import Starting

#: How many modules are looked at when a group is started; more would take long to read, and much memory.
_MODULES_MAX = 16


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
    if builder.copied and isinstance(command, CreateTasks) and not context.was_done_before:
        command = await with_copies(context, command, builder)
    if misfit := await _misfit(context, builder.calls):
        raise Invalid(misfit.text + way_out)
    if isinstance(command, CreateTasks):
        group = command.group
        for number, spec in enumerate(command.specs):
            namespace = spec.namespace if group is None else group.definition.namespace
            check_secrets(context, spec, namespace, f"{builder.where}[{number}]." if builder.where else "")
    tasks = await context.ask(command, builder.modules)
    context.files.remember(builder.modules)
    return tasks


def check_secrets(context: Context, spec: Spec, namespace: str, at: str = "") -> None:
    """Raise ``Invalid`` for a secret that is not there, unless the request was carried out before."""
    if not context.was_done_before:
        _check_secrets_of(context, spec, at, shown(namespace))


def _check_secrets_of(context: Context, spec: Spec, at: str, namespace: str) -> None:
    for variable, name in spec.secrets.items():
        if not context.manager.secrets.has(namespace, name):
            raise Invalid(
                f"{at}env.{variable}.secret: there is no secret {name} in namespace {namespace}; set it "
                f"first: propeller secrets set {name}"
            )
    for number, inner in enumerate(spec.workflow.specs if spec.workflow is not None else ()):
        _check_secrets_of(context, inner, f"{at}workflow.tasks[{number}].", namespace)


async def _misfit(context: Context, calls: Calls) -> Misfit | None:
    """Give the first call that can't be made, as far as the runtimes of all proplets are known."""
    if context.was_done_before or not context.manager.knows_runtime:
        return None
    return await asyncio.to_thread(calls.misfit) if calls.are_many else calls.misfit()


def check_change(before: Spec, after: Spec, builder: SpecBuilder) -> None:
    """Have ``submit`` see whether a task that is to be changed can call the module that comes with that.

    Without one nothing is checked before the task is started, because another module may come next.
    """
    if after.module in builder.modules and is_other_call(before, after):
        builder.calls.add(after)


async def check_start(context: Context, task_id: str) -> None:
    """Refuse to start a task that can't be called as it is now.

    Raises:
        Invalid: Its call can't be made.

    """
    if context.was_done_before or not context.manager.knows_runtime:
        return
    spec = context.manager.spec_in_memory(task_id)
    if spec is None:
        stored = await context.store.task(task_id)
        spec = None if stored is None else stored.spec
    if spec is not None:
        await _check_starts(context, [Starting(spec, begins_now=True)])


async def check_start_of_group(context: Context, kind: GroupKind, group_id: str) -> None:
    """Refuse to start a workflow or a job with a task that can't be called as it is now.

    Tasks that begin later may get their inputs until then. A large group that has ended is not looked at.

    Raises:
        Invalid: The call of one of its tasks can't be made.

    """
    if context.was_done_before or not context.manager.knows_runtime:
        return
    starting = context.manager.starting(kind, group_id)
    if starting is None:
        stored = await context.store.group(kind, group_id, tasks_max=PORTION)
        tasks = [] if stored is None else stored.tasks
        starting = [Starting(task.spec, begins_now=not task.spec.depends_on) for task in tasks]
    # Where nothing begins now, the rules say why.
    if any(one.begins_now for one in starting):
        await _check_starts(context, starting, at="task {}: ")


async def _check_starts(context: Context, starting: Iterable[Starting], at: str = "") -> None:
    calls = Calls()
    modules: set[Module] = set()
    for spec, begins_now in starting:
        if spec.module is None:
            continue
        if spec.module not in modules:
            if len(modules) == _MODULES_MAX:
                continue
            modules.add(spec.module)
            calls.learn(spec.module, await context.interfaces.of(spec.module))
        calls.add(spec, at.format(spec.id), is_begun=begins_now)
    if misfit := await _misfit(context, calls):
        raise Invalid(f"{misfit.text}; change the task with PUT /tasks/{misfit.spec.id}")
