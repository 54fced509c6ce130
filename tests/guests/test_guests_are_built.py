"""Each guest is there, and is what tests and examples take it for."""

import pytest

from propeller.runtime.core_module.interface import Signature, interface_of
from propeller.runtime.outline import Kind, outline_of
from tests.guests.helpers import guest, guest_path

COMMANDS = ["hello", "crasher", "files", "cat"]
HTTP = {"http_server": "wasi:http/incoming-handler@", "http_client": "fetch-text"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command(name):
    interface = interface_of(guest(name))
    assert interface.functions == {"_start": Signature((), ())}
    assert interface.others == {"memory": "memory"}
    assert {module for module, _ in interface.imports} == {"wasi_snapshot_preview1"}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_as_a_component(name):
    outline = outline_of(guest_path(f"{name}_component"))
    assert outline.kind is Kind.COMPONENT
    assert {export.partition("@")[0] for export in outline.exports} == {"wasi:cli/run"}


def test_the_reactor():
    number = ("i32",)
    assert interface_of(guest("reactor")).functions == {
        "_initialize": Signature((), ()),
        "initialized": Signature((), number),
        "counter": Signature((), number),
        "add": Signature(number * 2, number),
        "cabi_realloc": Signature(number * 4, number),
        "greet": Signature(number * 2, number),
    }


@pytest.mark.parametrize(("name", "export"), HTTP.items())
def test_what_speaks_http(name, export):
    outline = outline_of(guest_path(name))
    assert outline.kind is (Kind.SERVER if name == "http_server" else Kind.COMPONENT)
    assert any(exported.startswith(export) for exported in outline.exports)


@pytest.mark.parametrize("name", ["add_component", "greet_component"])
def test_small_components_are_small(name):
    outline = outline_of(guest_path(name))
    assert outline.kind is Kind.COMPONENT
    assert outline.exports == {name.removesuffix("_component")}
    assert len(guest(name)) < 2000


def test_one_that_is_missing_says_what_to_do():
    with pytest.raises(AssertionError, match="run script/guests"):
        guest("nothing_of_the_kind")
