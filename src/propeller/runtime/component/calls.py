"""The calls of a component: the function that a task's name means, and the values of its parameters; pure.

A runner asks this before each call, and the manager when it takes in a task whose module it has, so that both
refuse in the same words.
"""

from collections.abc import Callable, Collection, Sequence
from functools import cached_property
from typing import Any

from propeller.errors import Invalid
from propeller.runtime.component import wave, wit
from propeller.runtime.component.interface import ComponentInterface


class Parameters:
    """The parameters of a function; what reads them is made once, for any number of calls."""

    def __init__(self, function: wit.Function, name: str) -> None:
        """Take a function, and its name as the user calls it, for messages."""
        self._function = function
        self._name = name

    def check(self) -> None:
        """Raise ``Invalid`` where a parameter or the result has no text form.

        The result is checked too, so that no guest runs in vain.
        """
        function = self._function
        results = () if function.result is None else (function.result,)
        for type_ in (*(type_ for _, type_ in function.params), *results):
            if (strange := wit.without_text(type_)) is not None:
                raise Invalid(
                    f"values of {wit.type_text(strange)} have no text form, so this can't be called: "
                    f"{wit.function_text(self._name, function)}"
                )

    def read(self, inputs: Sequence[str], *, unknown: Collection[int] = ()) -> list[Any]:
        """Read the arguments of a call.

        Args:
            inputs: One text for each parameter.
            unknown: The positions of inputs that stand for values to come. In the answer they are None.

        Raises:
            Invalid: An input does not fit, there are too many or too few, or ``check`` raises it.

        """
        params = self._function.params
        if len(inputs) != len(params):
            raise Invalid(
                f"Argument count mismatch for '{self._name}': expected {len(params)} but got {len(inputs)}; "
                f"it is {wit.function_text(self._name, self._function)}"
            )
        parsers = self._parsers
        values: list[Any] = []
        for number, (text, (param, type_)) in enumerate(zip(inputs, params, strict=True)):
            try:
                values.append(None if number in unknown else parsers[number](text))
            except Invalid as error:
                raise Invalid(
                    f"parameter {number + 1} ({param}) of {self._name} is of type {wit.type_text(type_)}: "
                    f"{error}"
                ) from None
        return values

    @cached_property
    def _parsers(self) -> list[Callable[[str], Any]]:
        self.check()
        return [wave.parser_of(type_) for _, type_ in self._function.params]


class Callee:
    """The function that a task of this name means.

    Raises:
        Invalid: There is none, or several; the message lists them.

    """

    def __init__(self, interface: ComponentInterface, name: str) -> None:
        self.path = interface.choose(name)
        self.type = interface.function(self.path)
        #: Whether its result is what it prints.
        self.is_command = self.path == interface.command
        self._parameters = Parameters(self.type, name)

    def check(self) -> None:
        """Raise ``Invalid`` if no inputs can be given to it, or its result has no text form."""
        if not self.is_command:
            self._parameters.check()

    def arguments(self, inputs: Sequence[str], *, unknown: Collection[int] = ()) -> list[Any]:
        """Read the arguments of a call, as ``Parameters.read`` does; the entry of a command is given none."""
        return self._parameters.read(() if self.is_command else inputs, unknown=unknown)
