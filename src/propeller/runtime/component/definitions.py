"""What a component defines, while it is read: types before their resources have names, and its instances.

A type is a graph in a component, in which parts are shared, and stays one here. Its size is known before
anybody walks it as the tree that it stands for.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from propeller.runtime.component import wit
from propeller.runtime.component.interface import Items

#: Larger trees are not made: a small component can name a huge one. Those of real components have about a
#: thousand nodes, all taken together, and some hundred exports and imports, which count too.
NODES_MAX = 4_000

#: Components in components, and instances in instances.
LEVELS_MAX = 20

#: Sorts of definitions; the first is any of the core.
CORE, FUNCTION, VALUE, TYPE, COMPONENT, INSTANCE = range(6)
#: Exports or imports by name, each with its sort and what it is: a ``Function``; a type, so a ``Node``, a
#: ``Function``, a ``Resource`` or declarations; a component; an instance, so a ``Scope``; None of the core.
Scope = dict[str, tuple[int, Any]]


class Unknown(Exception):
    """The component has a part that is unknown here, or is damaged, or is too large or too deep."""


class Resource:
    """A resource, known by its identity."""


class Node(NamedTuple):
    """The type of a value."""

    #: Makes the type of those of its parts; None stands for a part that is left out.
    make: Callable[..., wit.Type]
    parts: tuple["Node | None", ...] = ()
    #: The number of nodes of its tree, and of its levels.
    size: int = 1
    height: int = 1
    #: Of a handle alone: it is made of its resource's name.
    resource: Resource | None = None


class Function(NamedTuple):
    params: tuple[tuple[str, Node], ...]
    result: Node | None


def composed(make: Callable[..., wit.Type], *parts: Node | None) -> Node:
    """Compose a type of its parts; raise ``Unknown`` if its tree is too large or has too many levels."""
    there = [part for part in parts if part is not None]
    size = 1 + sum(part.size for part in there)
    height = 1 + max((part.height for part in there), default=0)
    if size > NODES_MAX or height > wit.DEPTH_MAX:
        raise Unknown
    return Node(make, parts, size, height)


class Naming:
    """Turns what was read into ``Items``; a resource has the first name that it is met by."""

    def __init__(self, size_bytes: int) -> None:
        """Take the size of the file: there is no more to be made, or it lets some be repeated many times."""
        self._names: dict[Resource, str] = {}
        self._left = min(NODES_MAX, size_bytes)

    def items(self, scope: Scope, level: int = 0) -> Items:
        """Sort exports or imports by kind; raise ``Unknown`` if they are too many, or a kind is unknown."""
        self._count(len(scope))
        if level > LEVELS_MAX:
            raise Unknown
        found = Items({}, {}, {})
        for name, (_, item) in scope.items():
            if isinstance(item, Resource):
                self._names.setdefault(item, name)
        for name, (sort, item) in scope.items():
            if sort == FUNCTION:
                found.functions[name] = self._function(item)
            elif sort == INSTANCE:
                found.instances[name] = self.items(item, level + 1).functions
            else:
                found.others[name] = _kind(sort, item)
        return found

    def _count(self, made: int) -> None:
        self._left -= made
        if self._left < 0:
            raise Unknown

    def _function(self, function: Function) -> wit.Function:
        result = function.result
        self._count(sum(node.size for _, node in function.params) + (result.size if result else 0))
        params = tuple((name, self._type(node)) for name, node in function.params)
        return wit.Function(params, self._type(result) if result else None)

    def _type(self, node: Node) -> wit.Type:
        """Make a type; that recurs no deeper than ``wit.DEPTH_MAX``."""
        if node.resource is not None:
            return node.make(self._names.get(node.resource, "resource"))
        return node.make(*(part and self._type(part) for part in node.parts))


def _kind(sort: int, item: Any) -> str:
    if sort == TYPE:
        if not isinstance(item, Node | Resource):
            raise Unknown
        return "resource" if isinstance(item, Resource) else "type"
    return "component" if sort == COMPONENT else "core module"
