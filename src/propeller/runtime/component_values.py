"""How wasmtime's Python package takes and gives the values of variants, options and results.

It passes the bare payload, without the case, where the Python types of all cases differ, and a ``Variant``
with the case's name elsewhere. Which of the two it is follows from the types alone, by its rules, which are
repeated here. ``object`` stands for a case without a payload, whose value is None.
"""

from typing import Any

from wasmtime.component import Record, ResourceAny, ResourceHost, Variant

from propeller.runtime import wit

_Named = tuple[tuple[str, wit.Type | None], ...]

_PYTHON = {"bool": bool, "f32": float, "f64": float, "char": str, "string": str}
_U8 = wit.Primitive("u8")


class Cases:
    """The cases of one variant, option or result."""

    def __init__(self, cases: _Named) -> None:
        self._classes = {name: _classes({object}, type_) for name, type_ in cases}
        every = set[type]().union(*self._classes.values())
        self._is_tagged = len(every) < sum(map(len, self._classes.values()))

    def wrap(self, name: str, payload: Any) -> Any:
        """Make the value that wasmtime wants.

        Raises:
            ValueError: It would take the value for that of another case.

        """
        if self._is_tagged:
            return Variant(name, payload)
        # A bool is an int in Python, and a case that takes None takes anything.
        taken = next(one for one, classes in self._classes.items() if _takes(classes, payload))
        if taken != name:
            raise ValueError(f"{name} of this type can't be handed over: it would be taken for {taken}")
        return payload

    def unwrap(self, value: Any) -> tuple[str, Any]:
        """Tell the case and the payload of a value that wasmtime gave."""
        if self._is_tagged:
            return value.tag, value.payload
        class_ = object if value is None else type(value)
        return next(name for name, classes in self._classes.items() if class_ in classes), value


def cases_of(type_: wit.Variant | wit.Option | wit.Result) -> _Named:
    if isinstance(type_, wit.Variant):
        return type_.cases
    if isinstance(type_, wit.Option):
        return ("none", None), ("some", type_.payload)
    return ("ok", type_.ok), ("err", type_.err)


def _takes(classes: set[type], value: Any) -> bool:
    return value is None if classes == {object} else isinstance(value, tuple(classes))


def _classes(of_none: set[type], type_: wit.Type | None) -> set[type]:
    """Tell which Python types the values have."""
    match type_:
        case None:
            return of_none
        case wit.Primitive(name=name):
            return {_PYTHON.get(name, int)}
        case wit.List(element=element):
            return {bytes if element == _U8 else list}
        case wit.Record():
            return {Record}
        case wit.Tuple():
            return {tuple}
        case wit.Enum():
            return {str}
        case wit.Flags():
            return {set}
        case wit.Handle():
            return {ResourceAny, ResourceHost}
        case wit.Variant() | wit.Option() | wit.Result():
            sets = [_classes(of_none, case) for _, case in cases_of(type_)]
            every = set[type]().union(*sets)
            return {Variant} if len(every) < sum(map(len, sets)) else every
    return set()
