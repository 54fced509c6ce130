"""A file in YAML or JSON, and messages about it that name line and column."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from propeller.errors import Invalid

#: The steps of a path such as ``tasks[3].limits.memory``.
_STEP = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


class _Loader(yaml.SafeLoader):
    """Leaves dates as the text that they are."""

    yaml_implicit_resolvers = {  # noqa: RUF012  declared by the base class
        first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class SourceFile:
    """A file that somebody wrote by hand."""

    def __init__(self, path: Path) -> None:
        """Read a file; raise ``Invalid`` where that can't be done."""
        self.path = path
        try:
            self._text = path.read_text(encoding="utf-8")
            self.content = self._parsed()
        except OSError as error:
            raise Invalid(f"{path}: can't be read: {error.strerror}") from error
        except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
            raise Invalid(f"{path}: neither YAML nor JSON: {error}") from error

    def wrong(self, where: str, message: str) -> Invalid:
        """Make an error of what is wrong at a path such as ``tasks[3].id``; ``""`` is the whole file."""
        place = ": ".join(filter(None, (f"{self.path}{self._position(where)}", where)))
        return Invalid(f"{place}: {message}")

    def _parsed(self) -> Any:
        # YAML reads JSON too, but not its pairs of surrogates.
        if self.path.suffix == ".json":
            return json.loads(self._text)
        return yaml.load(self._text, _Loader)  # noqa: S506  it is safe

    def _position(self, where: str) -> str:
        """Find the line and the column of a path, or of what the file has of it; empty where unknown."""
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


def _steps(where: str) -> Iterator[int | str]:
    for index, name in _STEP.findall(where):
        yield int(index) if index else name


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Mark, yaml.Node] | None:
    """Return where an item or a field begins, and its value; None where there is none."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == step), None)
    return None
