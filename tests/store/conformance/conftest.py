"""Runs each test of the suite with every kind of store that has the operations that the test uses.

A test takes ``data``: data of one kind. One that needs several, for examples of Hypothesis say, takes ``fresh``,
which makes them.
"""

import ast
import contextlib
import functools
import inspect

import pytest

from propeller.store import limits
from tests.store.conformance.kinds import OPERATIONS, Stores


@pytest.fixture(scope="session")
def stores(tmp_path_factory):
    made = Stores(tmp_path_factory.mktemp("stores"))
    yield made
    made.remove()


@pytest.fixture(autouse=True, scope="session")
def patience():
    """Let searches take the time that they need on a machine that is busy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "SEARCH_S", 30)
        yield


@pytest.fixture
def data(request, stores):
    made = stores.fresh(request.param)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def fresh(request, stores):
    """Give what makes fresh data of one kind, as a context."""

    @contextlib.contextmanager
    def make():
        made = stores.fresh(request.param)
        try:
            yield made
        finally:
            made.remove()

    return make


def pytest_generate_tests(metafunc):
    for name in ("data", "fresh"):
        if name in metafunc.fixturenames:
            uses = used_by(metafunc.module, metafunc.function.__name__)
            kinds = [kind for kind, operations in OPERATIONS.items() if uses <= operations]
            metafunc.parametrize(name, kinds, indirect=True, scope="session" if name == "fresh" else None)


def used_by(module, name):
    """Name the operations of a store that a test uses, itself or by functions of its file."""
    found, seen, names = set(), set(), [name]
    functions = _functions(module)
    while names:
        if (name := names.pop()) in functions and name not in seen:
            seen.add(name)
            for node in ast.walk(functions[name]):
                match node:
                    case ast.Call(func=ast.Attribute(attr="with_store"), keywords=[_, *_]):
                        found.add("options")
                    case ast.Name(id="limits"):
                        found.add("limits")
                    case ast.Attribute(value=ast.Name(id="store" | "data"), attr=name) if (
                        name != "with_store"
                    ):
                        found.add(name)
                    case ast.Name(id=other):
                        names.append(other)
    return found


@functools.cache
def _functions(module):
    tree = ast.parse(inspect.getsource(module))
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
