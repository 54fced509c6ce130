"""Calls that can't be made, found before a task is created or changed.

What a runner would refuse is refused here in the same words, where that is sure. It is not sure of components
and images, of an input that has a parent's result in it, and where ``cli_args`` may say what is called. It is
not, either, where the task may come to a proplet that runs guests in another way: ``submission.py``.
"""

from propeller.core.inputs import known
from propeller.core.model import Module, Spec
from propeller.errors import Invalid
from propeller.runtime.core_module import calls
from propeller.runtime.core_module.interface import Interface
from propeller.wire.http.tasks import inputs_as_texts

#: The fields of a spec that say what is called, and how.
_FIELDS = ("name", "inputs", "module", "cli_args", "latent")


class Calls:
    """The calls of the tasks of one request, held to the interfaces of their modules."""

    def __init__(self) -> None:
        #: Why the first call that can't be made can't be, beginning with the field; ``""`` if there is none.
        self.misfit = ""
        self._interfaces: dict[Module, Interface | None] = {}

    def learn(self, module: Module, interface: Interface | None) -> None:
        """Take in the interface of a module; None where it is not known."""
        self._interfaces[module] = interface

    def check(self, spec: Spec, at: str = "") -> None:
        """Note whether a task can call its module, if that was learnt; ``at`` stands before the field.

        Inputs may still come with an update where none are given yet.
        """
        interface = self._interfaces.get(spec.module) if spec.module is not None else None
        if not self.misfit and interface is not None:
            misfit = misfit_of(spec, interface, is_begun=False)
            self.misfit = misfit and f"{at}{misfit}"


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
    # Whoever invokes a latent task may give other inputs.
    if spec.latent or not (spec.inputs or is_begun) or calls.is_command(interface, name):
        return ""
    return _misfit_of_inputs(spec, interface, name)


def _misfit_of_inputs(spec: Spec, interface: Interface, name: str) -> str:
    values = known(spec)
    unknown = {number for number, value in enumerate(values) if value is None}
    # Where there is an allocator, each may be a number, or text, which is two parameters.
    if calls.type_without_text(interface, name) or (unknown and calls.has_allocator(interface)):
        return ""
    texts = inputs_as_texts(
        given if value is None else value for given, value in zip(spec.inputs or (), values, strict=True)
    )
    try:
        calls.arguments(interface, name, texts, unknown=unknown)
    except Invalid as refusal:
        return f"inputs: {refusal}"
    return ""
