"""Calls that can't be made, found before a task is created or changed.

What a runner would refuse is refused here in the same words, where that is sure. It is not sure of components
and images, of an input that has a parent's result in it, and where ``cli_args`` may say what is called. It is
not, either, where the task may come to a proplet that runs guests in another way: ``submission.py``.
"""

from propeller.core.inputs import known
from propeller.core.model import Input, Module, Spec
from propeller.errors import Invalid
from propeller.runtime.core_module import calls
from propeller.runtime.core_module.interface import HEAD_BYTES, Interface, interface_in
from propeller.runtime.failures import of_stdin
from propeller.wire.http.tasks import inputs_as_texts

#: The fields of a spec that say what is called, and how.
_FIELDS = ("name", "inputs", "stdin", "module", "cli_args", "latent")


#: Fewer bytes and calls than these are looked at in a few milliseconds, whatever they are.
_SMALL_BYTES, _FEW = 2048, 200


class Calls:
    """The calls of the tasks of one request, held to the interfaces of their modules."""

    def __init__(self) -> None:
        #: Heads of modules that were brought along, each read once.
        self._heads: dict[Module, bytes] = {}
        self._interfaces: dict[Module, Interface | None] = {}
        self._of: list[tuple[Spec, str]] = []

    def bring(self, module: Module, data: bytes) -> None:
        """Take in a module of which nothing is known yet."""
        self._heads[module] = data[:HEAD_BYTES]

    def learn(self, module: Module, interface: Interface | None) -> None:
        """Take in the interface of a module; None where it is not known."""
        self._interfaces[module] = interface

    def add(self, spec: Spec, at: str = "") -> None:
        """Take in a task; ``at`` stands before the field in messages."""
        if spec.module is not None:
            self._of.append((spec, at))

    @property
    def are_many(self) -> bool:
        """True if to look at them takes too long for the event loop."""
        return sum(map(len, self._heads.values())) > _SMALL_BYTES or len(self._of) > _FEW

    def misfit(self) -> str:
        """Say why the first call that can't be made can't be; ``""`` if there is none.

        Inputs may still come with an update where none are given yet.
        """
        for module, head in self._heads.items():
            self.learn(module, interface_in(head))
        for spec, at in self._of:
            interface = self._interfaces.get(spec.module) if spec.module is not None else None
            if interface is not None and (found := misfit_of(spec, interface, is_begun=False)):
                return f"{at}{found}"
        return ""


def is_other_call(before: Spec, after: Spec) -> bool:
    """Say whether a changed task calls something else, or otherwise, than before."""
    return any(getattr(before, field) != getattr(after, field) for field in _FIELDS)


def misfit_of(spec: Spec, interface: Interface, *, is_begun: bool) -> str:
    """Say why a task can't call its module, beginning with the field; ``""`` if it can, or nobody knows.

    Args:
        spec: The task.
        interface: The interface of its module.
        is_begun: True if it is to begin now, so that inputs which are not given will not come any more.

    """
    if spec.cli_args:
        return ""
    try:
        name = calls.choose(interface, spec.name)
    except Invalid as refusal:
        return f"name: {refusal}"
    # A parent's result may be empty, and so none.
    if spec.stdin and isinstance(spec.stdin, str) and not interface.reads_stdin:
        return of_stdin()
    # Whoever invokes a latent task may give other inputs.
    if spec.latent or not (spec.inputs or is_begun) or calls.is_command(interface, name):
        return ""
    return _misfit_of_inputs(spec, interface, name)


def _misfit_of_inputs(spec: Spec, interface: Interface, name: str) -> str:
    given = spec.inputs or ()
    if len(given) == len(interface.functions[name].params) and all(map(_fits_any_type, given)):
        return ""  # most tasks of a large job end here
    values = known(spec)
    unknown = {number for number, value in enumerate(values) if value is None}
    # Where there is an allocator, each may be a number, or text, which is two parameters.
    if calls.type_without_text(interface, name) or (unknown and calls.has_allocator(interface)):
        return ""
    texts = inputs_as_texts(
        plain if value is None else value for plain, value in zip(given, values, strict=True)
    )
    try:
        calls.arguments(interface, name, texts, unknown=unknown)
    except Invalid as refusal:
        return f"inputs: {refusal}"
    return ""


def _fits_any_type(value: Input) -> bool:
    """Say whether an input is a number that each type of numbers has."""
    return type(value) is int and -(2**31) <= value < 2**31
