"""A file in YAML or JSON, and messages about it that name line and column.

YAML 1.1 sees numbers also where nobody wrote one, as in ``22:22``, ``12:30:00`` and ``010``. Here a number is
what JSON takes for one, and a date is the text that it is. Names of fields are texts, also ``on``.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from propeller.cli.reading import read_bounded
from propeller.errors import Invalid

#: The steps of a path such as ``tasks[3].limits.memory``.
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
#: More than the API takes in one request, with all modules.
_BYTES_MAX = 128 * 1024 * 1024
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


class SourceFile:
    """A file that is written by hand."""

    def __init__(self, path: Path) -> None:
        """Read a file; raise ``Invalid`` if it can't be read."""
        self.path = path
        try:
            self._text = read_bounded(path, _BYTES_MAX).decode()
            self.content = self._parsed()
        except OSError as error:
            raise Invalid(f"{path}: can't be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise Invalid(f"{path}: neither YAML nor JSON: {error}") from error

    def wrong(self, where: str, message: str) -> Invalid:
        """Make an error about a path such as ``tasks[3].id``; ``""`` is the whole file."""
        place = ": ".join(filter(None, (f"{self.path}{self._position(where)}", where)))
        return Invalid(f"{place}: {message}")

    def _parsed(self) -> Any:
        # YAML reads JSON too, but not its pairs of surrogates.
        if self.path.suffix == ".json":
            return json.loads(self._text)
        loader = _Loader(self._text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _extent(node, {}) > _VALUES_MAX:
                raise ValueError(f"with its aliases it stands for more than {_VALUES_MAX:,} values")
            return loader.construct_document(node)
        finally:
            loader.dispose()

    def _position(self, where: str) -> str:
        """Find line and column of a path, or of its last step that the file has; ``""`` if unknown."""
        try:
            # In JSON, tabs may stand where YAML has none.
            node = yaml.compose(self._text.replace("\t", " "), _Loader)
        except (yaml.YAMLError, RecursionError):
            return ""
        if node is None:
            return ""
        mark = node.start_mark
        for step in _steps(where):
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return f":{mark.line + 1}:{mark.column + 1}"


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
