"""The text of tests, and the flags of commands."""

import ast
import functools
from pathlib import Path

import typer

from propeller.cli.main import app

ROOT = Path(__file__).parent.parent.parent


def source_of(node_id):
    """The text of a test and its decorators, and of the constants that it names; fails if there is none."""
    file, _, name = node_id.partition("::")
    tree, lines = _tree((ROOT / file).read_text())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            named = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            spans = [(first, node.end_lineno), *(_constants(tree, named))]
            return "\n".join("\n".join(lines[first - 1 : last]) for first, last in spans)
    raise AssertionError(f"there is no test {node_id}")


def _constants(tree, named):
    """Where the constants with these names stand in their file: first and last line of each."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id in named for target in node.targets
        ):
            yield node.lineno, node.end_lineno


@functools.cache
def _tree(text):
    return ast.parse(text), text.splitlines()


def commands(command=None, path=()):
    command = command or typer.main.get_command(app)
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


def flags_of(command):
    found = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return {next((name for name in one.opts if name.startswith("--")), one.opts[0]) for one in found}
