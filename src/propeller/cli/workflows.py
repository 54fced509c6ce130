"""``propeller workflows``: tasks that depend on each other."""

from functools import partial
from typing import Annotated, Any

import typer

from propeller.cli import again, bulk, choosing, history, live, options, schedules, views
from propeller.cli.commands import command, group
from propeller.cli.completing import WorkflowId
from propeller.cli.heeding import check_all_heeded, check_key
from propeller.cli.naming import WORKFLOW, named
from propeller.cli.options import DetachFlag, KeyFlag, ModuleFlag, RunFile, TasksFileFlag, TasksFlag
from propeller.cli.runfile import read_run_file
from propeller.cli.session import Session
from propeller.cli.tree import tree

app = group("Create, run and look at workflows.")


@command(app, fields=options.GROUP_FIELDS)
def create(
    session: Session,
    fields: dict[str, Any],
    tasks: TasksFlag = None,
    tasks_file: TasksFileFlag = None,
    name: Annotated[str, typer.Option(help="The name of the workflow, for people.")] = "",
    idempotency_key: KeyFlag = None,
) -> None:
    """Create a workflow."""
    given = options.task_list(tasks, tasks_file)
    check_key(session.client, idempotency_key)
    more = live.of_workflow(options.fields_of_group(fields))
    answer = session.client.create_workflow(given, name=name, more=more, key=idempotency_key)
    workflow_id = answer["tasks"][0]["workflow_id"]
    if not session.as_json:
        session.remark(f"workflow {workflow_id}")
    session.show(answer, lambda created: views.tasks_table(session, created["tasks"]))
    check_all_heeded(
        given,
        answer["tasks"],
        "it was created without",
        of_group={"name": name, **more},
        look=lambda: session.client.workflow(workflow_id, with_tasks=False),
    )


@command(app, fields=options.GROUP_FIELDS)
def run(
    session: Session,
    fields: dict[str, Any],
    file: RunFile,
    module: ModuleFlag = None,
    detach: DetachFlag = False,
) -> None:
    """Run a workflow from a file, and show it until it ends."""
    plan = read_run_file(file, module, makes_uuids=not session.client.lists_workflows())
    plan.take(options.fields_of_group(fields))
    live.run(session, live.create_workflow(session, plan), detach=detach)


@command(app, "list", pages=True, fields=choosing.GROUP_FILTERS)
def list_(session: Session, fields: dict[str, Any], everything: choosing.AllFlag = False) -> None:
    """List workflows, the newest first."""
    page = choosing.page(session, WORKFLOW, choosing.query(session, fields), is_all=everything)
    session.show_page(page, "workflows", lambda rows: views.groups_table(session, "workflow", rows))


@command(app)
def view(session: Session, workflow_id: WorkflowId) -> None:
    """Show a workflow as a tree of its tasks."""
    session.show(
        named(session, WORKFLOW, workflow_id, session.client.workflow),
        lambda answer: tree(session, answer["tasks"], title=views.group_title("workflow", answer)),
    )


@command(app)
def watch(session: Session, workflow_id: WorkflowId) -> None:
    """Show how a workflow goes until it ends; Ctrl-C leaves it running."""
    client = session.client
    found = named(session, WORKFLOW, workflow_id, lambda id_: client.workflow(id_, with_tasks=False))
    live.watch(session, live.target(session.client, "workflow", found["workflow_id"]))


@command(app)
def start(session: Session, workflow_id: WorkflowId, idempotency_key: KeyFlag = None) -> None:
    """Start all tasks without parents; of one with a schedule, those of a copy."""
    check_key(session.client, idempotency_key)
    act = partial(session.client.start_workflow, key=idempotency_key)
    live.show_started(session, named(session, WORKFLOW, workflow_id, act))


schedules.add(app, WORKFLOW)
again.add(app, WORKFLOW)
bulk.add(
    app,
    choosing.GROUP_FILTERS,
    bulk.Deed("stop", "stopped", WORKFLOW, lambda client, id_: client.stop_workflow(id_), is_for_ended=False),
    "Stop all tasks of workflows that have not ended; with flags, of those that are not at their end.",
)
bulk.add(
    app,
    choosing.GROUP_FILTERS,
    bulk.Deed(
        "delete", "deleted", WORKFLOW, lambda client, id_: client.delete_workflow(id_), is_for_ended=True
    ),
    "Delete workflows with their tasks.",
)


history.add(app, WORKFLOW)
