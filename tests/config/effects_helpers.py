"""The text of tests, and the flags of commands."""

import ast
import functools
from pathlib import Path

import typer

from propeller.cli.main import app

ROOT = Path(__file__).parent.parent.parent


def source_of(node_id):
    """The text of a test and its decorators, with the constants that it names; fails if there is no such test."""
    file, _, name = node_id.partition("::")
    text = (ROOT / file).read_text()
    lines = text.splitlines()
    for node in _tree(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == name:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "\n".join(lines[first - 1 : node.end_lineno])
    raise AssertionError(f"there is no test {node_id}")


@functools.cache
def _tree(text):
    return ast.parse(text)


def commands(command=None, path=()):
    command = command or typer.main.get_command(app)
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*path, name))


def flags_of(command):
    found = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    return {next((name for name in one.opts if name.startswith("--")), one.opts[0]) for one in found}
