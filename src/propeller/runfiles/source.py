"""The text of a file in YAML or JSON, and messages about it that name line and column.

YAML 1.1 sees numbers also where nobody wrote one, as in ``22:22``, ``12:30:00`` and ``010``. Here a number is
what JSON takes for one, and a date is the text that it is. Names of fields are texts, also ``on``.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

from propeller.errors import Invalid

#: The steps of a path such as ``tasks[3].limits.memory``.
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
#: Half of a pair of surrogates, as JSON and YAML write it.
_HALF = re.compile(r"\\u[dD][89a-fA-F]|\\U0000[dD][89a-fA-F]")
#: How many values may come of a file, each alias counted with all that it stands for.
_VALUES_MAX = 1_000_000

_TAG = "tag:yaml.org,2002:"
#: What a name of a field may look like; JSON has texts there only.
_OTHER_KEYS = {f"{_TAG}{kind}" for kind in ("bool", "int", "float", "null")}
_INT = r"-?(?:0|[1-9][0-9]*)"
_FLOAT = rf"{_INT}(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
#: What JSON has no number for is one as well, and is refused by name.
_NUMBERS = {"int": rf"{_INT}\Z", "float": rf"(?:{_FLOAT}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"}


class _Loader(yaml.SafeLoader):
    """Reads numbers, dates and names of fields as the docstring of this module says."""

    yaml_implicit_resolvers = {  # noqa: RUF012  declared by the base class
        first: [
            (tag, pattern)
            for tag, pattern in found
            if tag.removeprefix(_TAG) not in {"timestamp", "int", "float"}
        ]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag in _OTHER_KEYS:
                key.tag = f"{_TAG}str"
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return found


for _kind, _form in _NUMBERS.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(_form), list("-+.0123456789"))


class Place(NamedTuple):
    """Where something stands; both are counted from 1."""

    line: int
    column: int


class Wrong(Invalid):
    """Something in a file is wrong."""

    def __init__(self, source: str, where: str, message: str, place: Place | None) -> None:
        """Word it: the name of the file, where in it, and what is wrong."""
        at = "" if place is None else f":{place.line}:{place.column}"
        super().__init__(": ".join(filter(None, (f"{source}{at}", where, message))))
        #: A path such as ``tasks[3].id``; ``""`` is the whole file.
        self.where = where
        self.message = message
        #: None where it can't be told.
        self.place = place


class Source:
    """A text that is written by hand."""

    def __init__(self, text: str, name: str) -> None:
        """Read a text.

        Args:
            text: The text.
            name: The name of its file, for messages; one that ends in ``.json`` is JSON.

        Raises:
            Wrong: It can't be read.

        """
        self.name = name
        self._text = text
        self._is_json = name.endswith(".json")
        #: The nodes of the text; None where it has none, or they are not known.
        self._node: yaml.Node | None = None
        try:
            self.content = self._parsed()
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise Wrong(name, "", f"neither YAML nor JSON: {_said(error)}", _place_of(error)) from error
        if _HALF.search(text) and (where := _where_half(self.content)) is not None:
            raise self.wrong(
                where,
                "half of a pair of surrogates (\\ud800 to \\udfff) is no text; write the character itself",
            )

    def wrong(self, where: str, message: str) -> Wrong:
        """Make an error about a path such as ``tasks[3].id``; ``""`` is the whole file."""
        return Wrong(self.name, where, message, self.place(where))

    def place(self, where: str) -> Place | None:
        """Find the place of a path, or of its last step that the file has; None if it is unknown."""
        node = self._nodes()
        if node is None:
            return None
        mark = node.start_mark
        for step in _steps(where):
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return Place(mark.line + 1, mark.column + 1)

    def _parsed(self) -> Any:
        # YAML reads JSON too, but not its pairs of surrogates.
        if self._is_json:
            return json.loads(self._text)
        loader = _Loader(self._text)
        try:
            node = self._node = loader.get_single_node()
            if node is None:
                return None
            if _extent(node, {}) > _VALUES_MAX:
                raise ValueError(f"with its aliases it stands for more than {_VALUES_MAX:,} values")
            return loader.construct_document(node)
        finally:
            loader.dispose()

    def _nodes(self) -> yaml.Node | None:
        """Give the nodes of the text; those of JSON are read when they are asked for."""
        if self._node is None and self._is_json:
            self._is_json = False
            with contextlib.suppress(yaml.YAMLError, RecursionError):
                # In JSON, tabs may stand where YAML has none.
                self._node = yaml.compose(self._text.replace("\t", " "), _Loader)
        return self._node


def _said(error: Exception) -> str:
    """Word an error of a parser, without the place, which stands elsewhere."""
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    if isinstance(error, yaml.MarkedYAMLError):
        return ", ".join(filter(None, (error.context, error.problem, error.note)))
    return str(error)


def _place_of(error: Exception) -> Place | None:
    if isinstance(error, json.JSONDecodeError):
        return Place(error.lineno, error.colno)
    mark = getattr(error, "problem_mark", None)
    return None if mark is None else Place(mark.line + 1, mark.column + 1)


def _extent(node: yaml.Node, known: dict[int, int]) -> int:
    """Count the values of a node; one that aliases stand for counts each time."""
    if id(node) not in known:
        known[id(node)] = _VALUES_MAX  # what it has while it is counted: one that contains itself has no end
        parts: list[yaml.Node] = []
        if isinstance(node, yaml.SequenceNode):
            parts = node.value
        elif isinstance(node, yaml.MappingNode):
            parts = [part for pair in node.value for part in pair]
        known[id(node)] = 1 + sum(_extent(part, known) for part in parts)
    return known[id(node)]


def _where_half(content: Any) -> str | None:
    """Give the path of the first text that can't be written in UTF-8; None if there is none."""
    todo = [("", content)]
    seen = set()
    while todo:
        where, value = todo.pop()
        parts: list[tuple[str, Any]] = []
        if isinstance(value, str):
            if _has_half(value):
                return where
        elif isinstance(value, dict | list) and id(value) not in seen:
            seen.add(id(value))  # an alias stands for the same once more
            if isinstance(value, list):
                parts = [(f"{where}[{number}]", one) for number, one in enumerate(value)]
            elif any(_has_half(str(key)) for key in value):
                return where
            else:
                parts = [(f"{where}.{key}" if where else str(key), one) for key, one in value.items()]
        todo += reversed(parts)
    return None


def _has_half(text: str) -> bool:
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def _steps(where: str) -> Iterator[int | str]:
    for index, name in _STEP.findall(where):
        yield int(index) if index else name


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Mark, yaml.Node] | None:
    """Return the place where an item or a field begins, and its value; None if there is none."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == step), None)
    return None
