"""Turns the text of an expression into something that can be evaluated, and says what is wrong with it.

Lark reads the text by the grammar, and calls a method of ``_Builder`` for each part. What comes of a part is
a ``_Node``: a function of a ``Run``, and what is known of the part beforehand.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from propeller.core.expressions import operations
from propeller.core.expressions.grammar import GRAMMAR, text_of
from propeller.core.expressions.operations import FUNCTIONS, METHODS, Run, Unable
from propeller.errors import Invalid

if TYPE_CHECKING:
    from lark import Lark, Token

#: The most characters of an expression.
CHARS_MAX = 1_000
#: How deep its parts may be nested.
DEPTH_MAX = 60
VARIABLES = ("results", "states")
_MACROS = ("all", "exists", "exists_one", "existsOne", "map", "filter")
_BOOL = "true or false"
_UNKNOWN: Any = object()


class Key(msgspec.Struct, frozen=True):
    """A parent that an expression names."""

    name: str
    #: Where in the text it begins and ends, with its quotes, or with its dot where it has none.
    start: int
    end: int

    @property
    def at(self) -> int:
        """Where its name begins, from 1."""
        return self.start + 1


class _Node(msgspec.Struct, frozen=True):
    """A part of an expression."""

    run: Callable[[Run], Any]
    depth: int = 1
    #: The kind of value that it gives; ``""`` where that hangs on the results.
    gives: str = ""
    #: The name of a variable by itself.
    variable: str = ""
    #: The value of a literal, and where it is written.
    literal: Any = _UNKNOWN
    span: tuple[int, int] = (0, 0)
    #: Of a field: what it is a field of, and its name.
    field: tuple[_Node, str] | None = None
    #: The parents that it names.
    keys: frozenset[Key] = frozenset()
    #: Whether it may look at any parent.
    reads_all: bool = False


class Expression:
    """An expression that can be evaluated."""

    def __init__(self, text: str, root: _Node) -> None:
        self.text = text
        #: The parents that it names; all that it looks at, unless ``reads_all``.
        self.keys = sorted(root.keys, key=lambda key: key.start)
        self.reads_all = root.reads_all
        self._run = root.run

    def evaluate(self, results: Mapping[str, Any], states: Mapping[str, str]) -> bool | str:
        """Say whether it holds, or in a sentence why that can't be said.

        Args:
            results: By parent, what it returned; None for nothing.
            states: By parent, how it ended.

        """
        run = Run({"results": dict(results), "states": dict(states)})
        try:
            found = self._run(run)
        except Unable as unable:
            return str(unable)
        if isinstance(found, bool):
            return found
        return f"it gives {operations.kind_of(found)}, and not true or false"


@lru_cache(maxsize=1024)
def compiled(text: str) -> Expression:
    """Compile an expression.

    Raises:
        Invalid: It is none; the message says where, what is wrong and what to write.

    """
    if len(text) > CHARS_MAX:
        raise Invalid(f"it has {len(text):,} characters; write at most {CHARS_MAX:,}")
    root = _parse(text)
    if root.gives not in ("", _BOOL):
        raise Invalid(f"it gives {root.gives}; write a comparison, so that it gives true or false")
    return Expression(text, root)


def with_other_names(text: str, names: Mapping[str, str]) -> str:
    """Write an expression anew with other names of parents, by the names that it has.

    Raises:
        Invalid: It is no expression.

    """
    for key in reversed(compiled(text).keys):
        if key.name in names:
            quoted = json.dumps(names[key.name], ensure_ascii=False)
            written = f"[{quoted}]" if text[key.start] == "." else quoted
            text = text[: key.start] + written + text[key.end :]
    return text


def _parse(text: str) -> _Node:
    from lark.exceptions import (  # noqa: PLC0415  loaded where an expression is used
        UnexpectedCharacters,
        UnexpectedInput,
        UnexpectedToken,
    )

    try:
        root = _parser().parse(text)
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        what = "this text has no end" if text[at] in "'\"" else f"{text[at]!r} has no meaning here"
        raise Invalid(f"at character {at + 1}: {what}{_advice(text, at)}") from None
    except UnexpectedToken as error:
        if error.token.type == "$END":
            raise Invalid("it ends too early: something is missing at its end") from None
        at = error.token.start_pos or 0
        found = str(error.token)
        raise Invalid(
            f"at character {at + 1}: {operations.shown(found)} was not expected here{_advice(text, at)}"
        ) from None
    except UnexpectedInput as error:
        raise Invalid(f"it can't be read: {error}") from None
    assert isinstance(root, _Node)
    return root


def _advice(text: str, at: int) -> str:
    rest = text[at : at + 2]
    wanted = {"=": "==", "&": "&&", "|": "||"}.get(rest[:1])
    if wanted and rest != wanted:
        return f"; write {wanted}"
    for word, sign in (("and", "&&"), ("or", "||"), ("not", "!"), ("is", "==")):
        if text[at:].startswith(word):
            return f"; write {sign}"
    return ""


@cache
def _parser() -> Lark:
    from lark import Lark  # noqa: PLC0415  loaded where an expression is used

    return Lark(GRAMMAR, parser="lalr", lexer="basic", transformer=_Builder())


def _node(run: Callable[[Run], Any], *parts: _Node, gives: str = "", **fields: Any) -> _Node:
    """Make a node of its parts."""
    depth = 1 + max((part.depth for part in parts), default=0)
    if depth > DEPTH_MAX:
        raise Invalid(f"its parts are nested more than {DEPTH_MAX} levels deep; write less")
    keys: frozenset[Key] = frozenset().union(*(part.keys for part in parts))
    reads_all = any(part.reads_all for part in parts)
    return _Node(run, depth, gives, keys=keys, reads_all=reads_all, **fields)


class _Builder:
    """What each rule of the grammar means; the methods have the names of the rules."""

    # -- literals ------------------------------------------------------------------------------------------

    def _literal(self, value: Any) -> _Node:
        return _Node(lambda _: value, gives=operations.kind_of(value), literal=value)

    def integer(self, parts: list[Token]) -> _Node:
        text = parts[0]
        if len(text) > 20:
            raise Invalid(f"at character {_at(text)}: the number is too large")
        number = int(text, 16 if text.startswith("0x") else 10)
        if number > 2**63:
            raise Invalid(f"at character {_at(text)}: the number is too large")
        return self._literal(number)

    def float_(self, parts: list[Token]) -> _Node:
        return self._literal(float(parts[0]))

    def string(self, parts: list[Token]) -> _Node:
        start, end = parts[0].start_pos or 0, parts[0].end_pos or 0
        value = text_of(parts[0], start)
        return msgspec.structs.replace(self._literal(value), span=(start, end))

    def true(self, _: list[Token]) -> _Node:
        return self._literal(True)

    def false(self, _: list[Token]) -> _Node:
        return self._literal(False)

    def null(self, _: list[Token]) -> _Node:
        return self._literal(None)

    def list_(self, parts: list[list[_Node]]) -> _Node:
        items = parts[0]
        return _node(lambda run: [one.run(run) for one in items], *items, gives="a list")

    def object_(self, parts: list[list[tuple[_Node, _Node]]]) -> _Node:
        entries = parts[0]

        def made(run: Run) -> dict[str, Any]:
            found = {key.run(run): value.run(run) for key, value in entries}
            if not all(isinstance(key, str) for key in found):
                raise Unable("the keys of an object are texts")
            return found

        return _node(made, *(part for entry in entries for part in entry), gives="an object")

    def arguments(self, parts: list[_Node]) -> list[_Node]:
        return parts

    def entries(self, parts: list[tuple[_Node, _Node]]) -> list[tuple[_Node, _Node]]:
        return parts

    def entry(self, parts: list[_Node]) -> tuple[_Node, _Node]:
        return parts[0], parts[1]

    # -- names and what is in them ---------------------------------------------------------------------------

    def variable(self, parts: list[Token]) -> _Node:
        name = str(parts[0])
        if name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            hint = f"did you mean {near[0]}?" if near else "there are results and states, and no macros"
            raise Invalid(f"at character {_at(parts[0])}: {operations.shown(name)} is unknown; {hint}")
        return _Node(lambda run: run.variables[name], gives="an object", variable=name, reads_all=True)

    def field(self, parts: list[Any]) -> _Node:
        of, dot, name = parts
        span = dot.start_pos or 0, name.end_pos or 0
        key = msgspec.structs.replace(self._literal(str(name)), span=span)
        return self._item(of, key, field=(of, str(name)))

    def item(self, parts: list[_Node]) -> _Node:
        return self._item(parts[0], parts[1])

    def _item(self, of: _Node, key: _Node, **fields: Any) -> _Node:
        def found(run: Run) -> Any:
            return operations.item(run, of.run(run), key.run(run))

        gives = "a text" if of.variable == "states" else ""
        if not of.variable or not isinstance(key.literal, str):
            return _node(found, of, key, gives=gives, **fields)
        return _Node(found, 2, gives, keys=frozenset({Key(key.literal, *key.span)}), **fields)

    def call(self, parts: list[Any]) -> _Node:
        name, arguments = str(parts[0]), parts[1]
        if name == "has":
            return self._has(parts[0], arguments)
        return self._call(FUNCTIONS, parts[0], arguments)

    def _has(self, name: Token, arguments: list[_Node]) -> _Node:
        of, field = arguments[0].field if len(arguments) == 1 and arguments[0].field else (None, "")
        if of is None:
            raise Invalid(f"at character {_at(name)}: has takes a field, as in has(results.a.b)")
        if of.variable:
            raise Invalid(
                f"at character {_at(name)}: every parent is in {of.variable}; to ask for a result, write "
                f"results['{field}'] != null"
            )

        def found(run: Run) -> bool:
            value = of.run(run)
            if not isinstance(value, dict):
                raise Unable(f"has looks into an object, not into {operations.kind_of(value)}")
            return field in value

        return _node(found, arguments[0], gives=_BOOL)

    def method(self, parts: list[Any]) -> _Node:
        of, _, name, arguments = parts
        if str(name) in _MACROS:
            raise Invalid(
                f"at character {_at(name)}: {name} is a macro, and macros are not taken, because they may "
                "run long; let a task do this"
            )
        if name == "matches":
            raise Invalid(
                f"at character {_at(name)}: matches is not taken, because it may run long; use contains, "
                "startsWith or endsWith"
            )
        return self._call(METHODS, name, [of, *arguments])

    def _call(
        self,
        known: Mapping[str, tuple[Callable[..., Any], int, str]],
        name: Token,
        arguments: Sequence[_Node],
    ) -> _Node:
        if str(name) not in known:
            names = ", ".join([*known, *(["has"] if known is FUNCTIONS else [])])
            raise Invalid(f"at character {_at(name)}: there is no {name} here; there are {names}")
        function, count, gives = known[str(name)]
        if len(arguments) != count:
            wanted = count - (known is METHODS)
            raise Invalid(f"at character {_at(name)}: {name} takes {wanted} in its brackets")
        return _node(lambda run: function(run, *(one.run(run) for one in arguments)), *arguments, gives=gives)

    # -- operators -----------------------------------------------------------------------------------------

    def if_else(self, parts: list[_Node]) -> _Node:
        asked, yes, no = parts

        def found(run: Run) -> Any:
            return (yes if operations.truth(asked.run(run), "?") else no).run(run)

        return _node(found, *parts, gives=yes.gives if yes.gives == no.gives else "")

    def or_(self, parts: list[_Node]) -> _Node:
        return self._either(parts, "||", decides=True)

    def and_(self, parts: list[_Node]) -> _Node:
        return self._either(parts, "&&", decides=False)

    def _either(self, parts: list[_Node], sign: str, *, decides: bool) -> _Node:
        """Make ``||`` or ``&&``: a side that decides does so although the other one can't be evaluated."""
        left, right = parts

        def found(run: Run) -> bool:
            try:
                if operations.truth(left.run(run), sign) is decides:
                    return decides
            except Unable:
                if operations.truth(right.run(run), sign) is decides:
                    return decides
                raise
            return operations.truth(right.run(run), sign)

        return _node(found, left, right, gives=_BOOL)

    def relate(self, parts: list[Any]) -> _Node:
        left, sign, right = parts
        how = str(sign)
        return _node(
            lambda run: operations.relate(run, how, left.run(run), right.run(run)), left, right, gives=_BOOL
        )

    def calculate(self, parts: list[Any]) -> _Node:
        left, sign, right = parts
        how = str(sign)
        gives = left.gives if how == "+" else "a number"
        return _node(
            lambda run: operations.calculate(run, how, left.run(run), right.run(run)),
            left,
            right,
            gives=gives,
        )

    def nots(self, parts: list[Token]) -> int:
        return len(parts)

    minuses = nots

    def not_(self, parts: list[Any]) -> _Node:
        count, of = parts
        return _node(lambda run: operations.truth(of.run(run), "!") is (count % 2 == 0), of, gives=_BOOL)

    def minus(self, parts: list[Any]) -> _Node:
        count, of = parts

        def found(run: Run) -> Any:
            value = operations.negative(of.run(run))
            return value if count % 2 else operations.negative(value)

        return _node(found, of, gives="a number")


def _at(token: Token) -> int:
    """Say where a word begins, from 1."""
    return (token.start_pos or 0) + 1
