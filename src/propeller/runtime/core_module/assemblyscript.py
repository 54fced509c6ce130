"""The convention of AssemblyScript for parameters that may be left out, read from a module's code.

Before each call the host tells the module by ``SET_COUNT`` how many arguments the call has, and the module
keeps that in a global. An exported function with optional parameters begins with blocks, one inside another,
and a jump out of them by that global: the farther out it leads, the fewer parameters get their defaults.

Source: the code that its compiler makes, version 0.28, which is the same at all levels of optimization.
"""

import contextlib
from collections.abc import Mapping

from propeller.runtime.core_module.binary import BinaryReader

#: By this function a module of AssemblyScript is told how many arguments the next call has.
SET_COUNT = "__setArgumentsLength"

_NO_LOCALS, _END = 0x00, 0x0B
_BLOCK, _WITHOUT_RESULT, _JUMP = 0x02, 0x40, 0x0E
_GET_LOCAL, _GET_GLOBAL, _SET_GLOBAL = 0x20, 0x23, 0x24
_NUMBER, _MINUS = 0x41, 0x6B


def required(bodies: Mapping[int, bytes], set_count: bytes) -> dict[int, int]:
    """Tell how many parameters have to be given, of each function some of whose parameters may be left out.

    Args:
        bodies: The code of the exported functions, by index.
        set_count: The code of ``SET_COUNT``.

    """
    count = _global_set_by(set_count)
    if count is None:
        return {}
    found = {index: _required_by(body, count) for index, body in bodies.items()}
    return {index: least for index, least in found.items() if least is not None}


def _global_set_by(body: bytes) -> int | None:
    """Give the global that a function sets to its parameter, if it does nothing else."""
    reader = BinaryReader(body)
    with contextlib.suppress(IndexError):
        begin = (reader.byte(), reader.byte(), reader.number(), reader.byte())
        index, last = reader.number(), reader.byte()
        if begin == (_NO_LOCALS, _GET_LOCAL, 0, _SET_GLOBAL) and last == _END and reader.at == len(body):
            return index
    return None


def _required_by(body: bytes, count: int) -> int | None:
    """Give the least number of arguments of a function that begins with the jump; None for any other."""
    reader = BinaryReader(body)
    with contextlib.suppress(IndexError):
        reader.several(lambda: (reader.number(), reader.number()))  # its local variables
        blocks = 0
        while (instruction := reader.byte()) == _BLOCK and reader.byte() == _WITHOUT_RESULT:
            blocks += 1
        if not blocks or instruction != _GET_GLOBAL or reader.number() != count:
            return None
        least, instruction = 0, reader.byte()
        if instruction == _NUMBER:
            least, operation, instruction = reader.number(), reader.byte(), reader.byte()
            if operation != _MINUS:
                return None
        if instruction == _JUMP:
            return least
    return None
