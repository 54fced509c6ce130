"""Components in the text format, made for the types that they are to take and give."""

import wasmtime
from hypothesis import strategies as st
from wasmtime import component as host

from propeller.runtime.component import values as component_values
from propeller.runtime.component import wit
from propeller.runtime.component.reader import interface_in
from propeller.runtime.component.types import component_interface
from propeller.runtime.component.variants import Case, Err, Ok, Some
from propeller.runtime.component.wit import Enum, Flags, List, Option, Primitive, Result, Tuple, Variant

ENGINE = wasmtime.Engine()

#: ``$same`` takes a list and gives it back: it puts address and length at 8.
CORE = """
  (core module $m
    (memory (export "memory") 64)
    (global $free (mut i32) (i32.const 1024))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $free) (i32.const 15)) (i32.const -16)))
      (global.set $free (i32.add (local.get $at) (local.get 3)))
      (local.get $at))
    (func (export "same") (param i32 i32) (result i32)
      (i32.store (i32.const 8) (local.get 0))
      (i32.store (i32.const 12) (local.get 1))
      (i32.const 8))
    (func (export "one") (param i32) (result i32) (local.get 0))
    (func (export "long") (param i64) (result i64) (local.get 0))
    (func (export "single") (param f32) (result f32) (local.get 0))
    (func (export "double") (param f64) (result f64) (local.get 0))
    (func (export "nothing")))
  (core instance $i (instantiate $m))
  (alias core export $i "memory" (core memory $memory))
  (alias core export $i "realloc" (core func $realloc))"""


class Types:
    """Writes types in the text format; those that need a name in an interface get one."""

    def __init__(self):
        self.lines = []

    def text(self, type_):
        match type_:
            case Primitive():
                return type_.name
            case List():
                return self._defined(f"(list {self.text(type_.element)})")
            case Tuple():
                return self._defined(f"(tuple {' '.join(map(self.text, type_.elements))})")
            case Option():
                return self._defined(f"(option {self.text(type_.payload)})")
            case Result():
                err = "" if type_.err is None else f" (error{self._maybe(type_.err)})"
                return self._defined(f"(result{self._maybe(type_.ok)}{err})")
            case wit.Record():
                fields = (f'(field "{name}" {self.text(of)})' for name, of in type_.fields)
                return self._named(f"(record {' '.join(fields)})")
            case Variant():
                cases = (f'(case "{name}"{self._maybe(of)})' for name, of in type_.cases)
                return self._named(f"(variant {' '.join(cases)})")
            case Enum() | Flags():
                kind = "enum" if isinstance(type_, Enum) else "flags"
                names = " ".join(f'"{name}"' for name in type_.names)
                return self._named(f"({kind} {names})")
        raise AssertionError(type_)

    def _maybe(self, type_):
        return "" if type_ is None else f" {self.text(type_)}"

    def _defined(self, text):
        name = f"$d{len(self.lines)}"
        self.lines.append(f"(type {name} {text})")
        return name

    def _named(self, text):
        defined = self._defined(text)
        name = f"$t{len(self.lines)}"
        self.lines.append(f'(export {name} "t{len(self.lines)}" (type {defined}))')
        return name


def identity(type_, core="same"):
    """A component whose function ``same`` gives its one parameter back, and takes a list of this type."""
    types = Types()
    text = types.text(List(type_) if core == "same" else type_)
    return f"""(component {CORE}
      {" ".join(types.lines)}
      (func $f (param "it" {text}) (result {text})
        (canon lift (core func $i "{core}") (memory $memory) (realloc $realloc)))
      (export "same" (func $f)))"""


def loaded(text):
    """Compile a component, whose interface is the same without the engine."""
    wasm = bytes(wasmtime.wat2wasm(text))
    component = host.Component(ENGINE, wasm)
    interface = component_interface(component, ENGINE)
    assert interface_in(wasm) == interface
    return component, interface


def call(component, type_, *arguments):
    """Call ``same``, a function of this type."""
    store = wasmtime.Store(ENGINE)
    instance = host.Linker(ENGINE).instantiate(store, component)
    return component_values.call(instance.get_func(store, "same"), store, type_, arguments)


NAMES = st.lists(
    st.sampled_from("a b some none ok err true inf nan two-words HTTP-x x1".split()),
    min_size=1,
    max_size=4,
    unique=True,
)
PRIMITIVES = st.sampled_from(sorted({*wit.INTEGERS, "bool", "f32", "f64", "char", "string"})).map(Primitive)


def composed(inner):
    maybe = st.none() | inner
    pairs = lambda of: NAMES.flatmap(  # noqa: E731
        lambda names: st.tuples(*(of for _ in names)).map(lambda types: tuple(zip(names, types, strict=True)))
    )
    return st.one_of(
        inner.map(List),
        inner.map(Option),
        st.lists(inner, min_size=1, max_size=3).map(lambda types: Tuple(tuple(types))),
        pairs(inner).map(wit.Record),
        pairs(maybe).map(Variant),
        st.builds(Result, maybe, maybe),
        NAMES.map(tuple).map(Enum),
        NAMES.map(tuple).map(Flags),
    )


TYPES = st.recursive(PRIMITIVES, composed, max_leaves=6)


@st.composite
def values(draw, type_):
    """A value of the type, in the forms of component/values.py."""
    match type_:
        case Primitive(name="bool"):
            return draw(st.booleans())
        case Primitive(name="char"):
            return draw(st.characters(exclude_categories=["Cs"]))
        case Primitive(name="string"):
            return draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=8))
        case Primitive(name="f32" | "f64" as name):
            return draw(st.floats(width=int(name[1:])))
        case Primitive(name=name):
            sign, bits = wit.INTEGERS[name]
            low = 0 if sign == "u" else -(2 ** (bits - 1))
            return draw(st.integers(low, low + 2**bits - 1))
        case List(element=Primitive(name="u8")):
            return draw(st.binary(max_size=4))
        case List():
            return draw(st.lists(values(type_.element), max_size=3))
        case Tuple():
            return tuple(draw(values(one)) for one in type_.elements)
        case wit.Record():
            return {name: draw(values(one)) for name, one in type_.fields}
        case Enum():
            return draw(st.sampled_from(type_.names))
        case Flags():
            return draw(st.sets(st.sampled_from(type_.names)))
        case Variant():
            name, payload = draw(st.sampled_from(type_.cases))
            return Case(name, None if payload is None else draw(values(payload)))
        case Option():
            some = values(type_.payload)
            return draw(st.none() | (some.map(Some) if isinstance(type_.payload, Option) else some))
        case Result():
            make, payload = draw(st.sampled_from([(Ok, type_.ok), (Err, type_.err)]))
            return make(None if payload is None else draw(values(payload)))
    raise AssertionError(type_)


def is_same(one, other):
    """Equality in which nan is nan, and that goes by types, too."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return one == other or (one != one and other != other)  # noqa: PLR0124
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return one == other
