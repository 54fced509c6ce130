"""Examples in WAVE text: a value of each type, to show how it is written."""

from propeller.runtime.component import wit
from propeller.runtime.component.wave_writers import case_name

_PRIMITIVES = {"bool": "true", "f32": "1.5", "f64": "1.5", "char": "'a'", "string": '"text"'}


def example_of(type_: wit.Type) -> str:
    """Write a value of a type that has a text form."""
    match type_:
        case wit.Primitive(name=name):
            return _PRIMITIVES.get(name, "1")
        case wit.List():
            return f"[{example_of(type_.element)}]"
        case wit.Tuple():
            return f"({', '.join(map(example_of, type_.elements))})"
        case wit.Record():
            fields = [
                f"{name}: {example_of(field)}"
                for name, field in type_.fields
                if not isinstance(field, wit.Option)
            ]
            return f"{{{', '.join(fields) or ':'}}}"
        case wit.Enum():
            return case_name(type_.names[0])
        case wit.Flags():
            return f"{{{type_.names[0]}}}" if type_.names else "{}"
        case wit.Variant():
            return _case(case_name(type_.cases[0][0]), type_.cases[0][1])
        case wit.Option():
            return _case("some", type_.payload)
        case wit.Result():
            return _case("ok", type_.ok)
    raise AssertionError(f"{wit.type_text(type_)} has no text form")


def _case(name: str, payload: wit.Type | None) -> str:
    return name if payload is None else f"{name}({example_of(payload)})"
