"""The calls of a core module: the function that a task's name means, and the values of its parameters; pure.

A runner asks this before each call, and the manager when it takes in a task whose module it has, so that both
refuse in the same words.
"""

import json
from collections.abc import Collection, Sequence

import msgspec

from propeller.errors import Invalid
from propeller.runtime.core_module.interface import Interface, Signature
from propeller.runtime.core_module.values import to_wasm, type_names
from propeller.runtime.guest_run import means_program
from propeller.runtime.quoting import listed, shown

#: The allocator of the component model's canonical ABI: old address, old size, alignment, new size.
ALLOCATOR = "cabi_realloc"
_ALLOCATOR_TYPE = Signature(("i32",) * 4, ("i32",))
#: The type of functions that take nothing and give nothing.
PLAIN = Signature((), ())


class Buffer(msgspec.Struct, frozen=True):
    """Bytes for a guest, which are two parameters: address and size."""

    data: bytes


def choose(interface: Interface, export: str) -> str:
    """Find the function that a task of this name means.

    Differs: The reference falls back to ``main``, ``run`` or ``_start`` for any unknown name, so that a
    typing error runs another function. Here only a program that exports no other function runs under
    any name, and any program as a round of federated learning.

    Raises:
        Invalid: There is no such function; the message lists the exported ones.

    """
    functions = interface.functions
    if export in functions:
        return export
    if export in interface.others:
        raise Invalid(
            f"{shown(export)} is exported, but as a {interface.others[export]}, and not as a function"
        )
    if "_start" in functions and (means_program(export) or all(name.startswith("_") for name in functions)):
        return "_start"
    if not functions:
        raise Invalid(f"no function {shown(export)} is exported, nor any other function")
    exported = listed(functions, lambda name: functions[name].of(name))
    raise Invalid(f"no function {shown(export)} is exported; exported are: {exported}")


def is_command(interface: Interface, name: str) -> bool:
    """Say whether this function is the entry of a WASI command, whose output is its result."""
    return name == "_start" and is_plain(interface, name)


def is_plain(interface: Interface, name: str) -> bool:
    """Say whether this function exists, takes nothing and gives nothing."""
    return interface.functions.get(name) == PLAIN


def type_without_text(interface: Interface, name: str) -> str:
    """Give a type of a function whose values have no text form; ``""`` if there is none."""
    params, results = interface.functions[name]
    return next((type_ for type_ in (*params, *results) if type_ not in type_names), "")


def has_allocator(interface: Interface) -> bool:
    """Say whether texts and bytes can be copied into its memory."""
    return (
        interface.functions.get(ALLOCATOR) == _ALLOCATOR_TYPE and interface.others.get("memory") == "memory"
    )


def arguments(
    interface: Interface, name: str, inputs: Sequence[str], *, unknown: Collection[int] = ()
) -> list[int | float | Buffer]:
    """Convert inputs to the parameters of a function.

    Where the module exports the component model's allocator, a text in double quotes or a list of bytes
    (``[104, 105]``) is copied into its memory, and is two parameters: address and size. Parameters that
    a module of AssemblyScript calls optional may be left out.

    Args:
        interface: The module's.
        name: An exported function.
        inputs: One text for each parameter, or for two.
        unknown: The positions of inputs that stand for values to come. Each counts as one parameter, so they
            can't be told where there is an allocator. In the answer they are 0.

    Raises:
        Invalid: The inputs are too many or too few, or one can't be a parameter of its type.

    """
    params, _ = interface.functions[name]
    if strange := type_without_text(interface, name):
        raise Invalid(
            f"{interface.functions[name].of(name)} has the type {strange}, which has no text form here"
        )
    buffers = _buffers(inputs) if has_allocator(interface) else {}
    given = len(inputs) + len(buffers)
    if not interface.required.get(name, len(params)) <= given <= len(params):
        raise Invalid(_wrong_count(interface, name, inputs))
    values: list[int | float | Buffer] = []
    types = iter(params)
    for number, text in enumerate(inputs):
        type_name = next(types)
        if number in unknown:
            values.append(0)
        elif number not in buffers:
            values.append(to_wasm(text, type_name, export=name, number=number + 1))
        elif type_name == "i32" and next(types) == "i32":
            values.append(buffers[number])
        else:
            raise Invalid(
                f"input {number + 1} of {name} is text or bytes, which stand for two parameters of type "
                f"i32 (address and size), but it takes ({', '.join(params)})"
            )
    return values + [0] * (len(params) - given)


def _buffers(inputs: Sequence[str]) -> dict[int, Buffer]:
    """Give the inputs that are text or bytes, by position."""
    return {number: _buffer(text) for number, text in enumerate(inputs) if text[:1] in ('"', "[")}


def _buffer(text: str) -> Buffer:
    try:
        value = json.loads(text)
        return Buffer(value.encode() if isinstance(value, str) else bytes(value))
    except (ValueError, TypeError, RecursionError) as error:
        raise Invalid(f"the input {shown(text)} is neither JSON text nor a list of bytes") from error


def _wrong_count(interface: Interface, name: str, inputs: Sequence[str]) -> str:
    params, _ = interface.functions[name]
    types = f" ({', '.join(params)})" if params else ""
    given = f"{len(inputs)} input was" if len(inputs) == 1 else f"{len(inputs)} inputs were"
    shown_inputs = f": {shown(inputs)}" if inputs else ""
    plural = "" if len(params) == 1 else "s"
    least = interface.required.get(name)
    optional = "" if least is None else f", of which the last {len(params) - least} may be left out"
    return f"{name} takes {len(params)} parameter{plural}{types}{optional}, but {given} given{shown_inputs}"
