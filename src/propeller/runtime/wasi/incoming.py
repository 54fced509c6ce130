"""Requests that come in: one call of ``wasi:http/incoming-handler`` each, in a fresh instance."""

import re
from collections.abc import Callable

import wasmtime
from wasmtime import component

from propeller.errors import Invalid
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.component.values import call
from propeller.runtime.component.wit import Function, Handle, Type, function_text
from propeller.runtime.wasi.messages import IncomingRequest, Outparam, Responder
from propeller.runtime.wasi.session import Session

_HANDLE = Function(
    (
        ("request", Handle("incoming-request", is_borrowed=False)),
        ("response-out", Handle("response-outparam", is_borrowed=False)),
    ),
    None,
)
_HANDLER = re.compile(r"wasi:http/incoming-handler@0\.2\.\d+")


def _types(function: Function) -> list[Type | None]:
    return [*(type_ for _, type_ in function.params), function.result]


class GuestFault(Exception):
    """The guest failed, or gave no complete response."""


class Handler:
    """A component that answers requests, in any number of threads at once.

    Raises:
        Invalid: It does not answer requests.

    """

    def __init__(
        self,
        loaded: component.Component,
        interface: ComponentInterface,
        linker: component.Linker,
        new_store: Callable[[], wasmtime.Store],
    ) -> None:
        """Take a compiled component; ``new_store`` makes a store with limits for each request."""
        name = next((one for one in interface.exports.instances if _HANDLER.fullmatch(one)), None)
        if name is None:
            raise Invalid("the component does not answer HTTP requests")
        instance = loaded.get_export_index(name)
        assert instance is not None
        self._index = loaded.get_export_index("handle", instance)
        function = interface.exports.instances[name].get("handle")
        if function is None or _types(function) != _types(_HANDLE):
            raise Invalid(f"its {name} has no {function_text('handle', _HANDLE)}")
        self._component = loaded
        self._linker = linker
        self._new_store = new_store

    def handle(self, session: Session, request: IncomingRequest, responder: Responder) -> None:
        """Answer a request, in this thread.

        Raises:
            GuestFault: The guest failed, or did not answer.

        """
        outparam = Outparam(responder)
        with session.in_this_thread():
            store = self._new_store()
            try:
                instance = self._linker.instantiate(store, self._component)
                assert self._index is not None
                function = instance.get_func(store, self._index)
                assert function is not None
                call(function, store, _HANDLE, [session.add(request), session.add(outparam)])
            except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
                raise GuestFault(str(session.failure or error)) from error
            finally:
                store.close()
        if not outparam.is_set:
            raise GuestFault("it returned without a response")
        if not outparam.is_complete:
            raise GuestFault("it returned before its response was complete")
