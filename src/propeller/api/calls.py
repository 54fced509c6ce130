"""Calls that can't be made, found before a task is created, given its module or started.

What a runner would refuse is refused here in the same words, where that is sure. It is not sure of images, of
components that answer HTTP, of an input that has a parent's result in it, and where ``cli_args`` may say what
is called. It is not, either, where the task may come to a proplet that runs guests in another way:
``submission.py``.

A call is looked at when a module comes with it, or to it, and when it is started. Fields that are changed
alone are not: the module that they are for may come next.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from propeller.core.inputs import known
from propeller.core.model import Input, Module, Spec
from propeller.errors import Invalid
from propeller.runtime.component import reader
from propeller.runtime.component.calls import Callee
from propeller.runtime.component.interface import ComponentInterface
from propeller.runtime.core_module import calls
from propeller.runtime.core_module.interface import Interface, interface_in
from propeller.runtime.failures import of_stdin
from propeller.wire.http.tasks import inputs_as_texts

#: The fields of a spec that say what is called, and how.
_FIELDS = ("name", "inputs", "stdin", "module", "cli_args", "latent")
#: Fewer bytes of modules and of texts as inputs, and fewer calls and inputs, than these are looked at in a
#: few milliseconds, whatever they are.
_SMALL_BYTES, _FEW = 2048, 500

AnyInterface = Interface | ComponentInterface


class Misfit(NamedTuple):
    """A call that can't be made."""

    spec: Spec
    #: Why, beginning with the field.
    text: str


class Calls:
    """The calls of the tasks of one request, held to the interfaces of their modules."""

    def __init__(self) -> None:
        #: Modules that were brought along, each read once.
        self._brought: dict[Module, bytes] = {}
        self._interfaces: dict[Module, AnyInterface | None] = {}
        self._of: list[tuple[Spec, str, bool]] = []
        self._bytes = self._count = 0

    def bring(self, module: Module, data: bytes) -> None:
        """Take in a module of which nothing is known yet."""
        self._brought[module] = data
        self._bytes += len(data)

    def learn(self, module: Module, interface: AnyInterface | None) -> None:
        """Take in the interface of a module; None where it is not known."""
        self._interfaces[module] = interface
        if isinstance(interface, ComponentInterface):
            self._bytes += module.size_bytes  # what reads its inputs is as large as its types

    def add(self, spec: Spec, at: str = "", *, is_begun: bool = False) -> None:
        """Take in a task; ``at`` stands before the field in messages.

        Inputs may still come with an update where none are given yet, unless it ``is_begun`` now.
        """
        if spec.module is not None:
            self._of.append((spec, at, is_begun))
            inputs = spec.inputs or ()
            self._count += 1 + len(inputs)
            self._bytes += sum(len(value) for value in inputs if isinstance(value, str))

    @property
    def are_many(self) -> bool:
        """True if to look at them takes too long for the event loop."""
        return self._bytes > _SMALL_BYTES or self._count > _FEW

    def misfit(self) -> Misfit | None:
        """Give the first call that can't be made; None if there is none."""
        found: Misfit | None = None
        first = len(self._of)
        for module, numbers in self._by_module().items():
            if numbers[0] > first:
                break
            # Interfaces of many modules take much memory, so each is read when its turn comes, and let go.
            data = self._brought.get(module)
            interface = self._interfaces.get(module) if data is None else interface_of(module, data)
            if interface is None:
                continue
            functions = _Functions(interface)
            for number in numbers:
                spec, at, is_begun = self._of[number]
                if number < first and (text := _misfit_of(spec, functions, is_begun=is_begun)):
                    found, first = Misfit(spec, f"{at}{text}"), number
                    break
        return found

    def _by_module(self) -> dict[Module, list[int]]:
        """Give the numbers of the tasks of each module; modules and numbers in the order of the tasks."""
        found: dict[Module, list[int]] = {}
        for number, (spec, *_) in enumerate(self._of):
            if spec.module is not None:
                found.setdefault(spec.module, []).append(number)
        return found


def interface_of(module: Module, data: bytes) -> AnyInterface | None:
    """Read the interface of a module; None where it is not known.

    Args:
        module: The module.
        data: All of it, or its first ``HEAD_BYTES``: those have the exports of a core module, but not of a
            component, whose exports stand behind its code.

    """
    if interface := interface_in(data):
        return interface
    return reader.interface_in(data) if len(data) == module.size_bytes else None


def is_other_call(before: Spec, after: Spec) -> bool:
    """Say whether a changed task calls something else, or otherwise, than before."""
    return any(getattr(before, field) != getattr(after, field) for field in _FIELDS)


def _misfit_of(spec: Spec, functions: "_Functions", *, is_begun: bool) -> str:
    """Say why a task can't call its module, beginning with the field; ``""`` if it can, or nobody knows.

    Args:
        spec: The task.
        functions: The functions of its module.
        is_begun: True if it is to begin now, so that inputs which are not given will not come any more.

    """
    if spec.cli_args or functions.answer_http:
        return ""
    try:
        check_inputs = functions.find(spec)
    except Invalid as refusal:
        return f"name: {refusal}"
    # A parent's result may be empty, and so none.
    if spec.stdin and isinstance(spec.stdin, str) and not functions.read_stdin:
        return of_stdin()
    # Whoever invokes a latent task may give other inputs.
    if spec.latent or not (spec.inputs or is_begun) or check_inputs is None:
        return ""
    try:
        check_inputs(spec)
    except Invalid as refusal:
        return f"inputs: {refusal}"
    return ""


class _Functions:
    """The functions of one module that the tasks of a request name; what reads inputs is made once."""

    def __init__(self, interface: AnyInterface) -> None:
        self._interface = interface
        self._callees: dict[str, Callee] = {}
        self.read_stdin = interface.reads_stdin
        self.answer_http = isinstance(interface, ComponentInterface) and interface.is_http_handler

    def find(self, spec: Spec) -> Callable[[Spec], object] | None:
        """Find what a task calls; give what checks its inputs, or None where it takes any.

        Raises:
            Invalid: There is no such function.

        """
        interface = self._interface
        if isinstance(interface, Interface):
            name = calls.choose(interface, spec.name)
            return None if calls.is_command(interface, name) else partial(_check_of_core, interface, name)
        callee = self._callees.get(spec.name)
        if callee is None:
            callee = self._callees[spec.name] = Callee(interface, spec.name)
        if spec.latent:
            callee.check()
        return None if callee.is_command else partial(_check_of_component, callee)


def _check_of_core(interface: Interface, name: str, spec: Spec) -> None:
    given = spec.inputs or ()
    if len(given) == len(interface.functions[name].params) and all(map(_fits_any_type, given)):
        return  # most tasks of a large job end here
    texts, unknown = _texts(spec)
    # Where there is an allocator, each may be a number, or text, which is two parameters.
    if not calls.type_without_text(interface, name) and not (unknown and calls.has_allocator(interface)):
        calls.arguments(interface, name, texts, unknown=unknown)


def _check_of_component(callee: Callee, spec: Spec) -> None:
    texts, unknown = _texts(spec)
    callee.arguments(texts, unknown=unknown)


def _texts(spec: Spec) -> tuple[list[str], set[int]]:
    """Give the inputs as texts, and the positions of those that have a parent's result in them."""
    given, values = spec.inputs or (), known(spec)
    texts = inputs_as_texts(
        plain if value is None else value for plain, value in zip(given, values, strict=True)
    )
    return texts, {number for number, value in enumerate(values) if value is None}


def _fits_any_type(value: Input) -> bool:
    """Say whether an input is a number that each type of numbers has."""
    return type(value) is int and -(2**31) <= value < 2**31
