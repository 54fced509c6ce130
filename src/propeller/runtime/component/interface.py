"""The exports and imports of a component, and the function that a task's name means in it."""

import re

import msgspec

from propeller.errors import Invalid
from propeller.runtime.component.wit import Function, function_text
from propeller.runtime.guest_run import means_program
from propeller.runtime.quoting import shown

#: The path of a function: its name at the top level, or an exported instance and its name in there.
Path = tuple[str] | tuple[str, str]

_LISTED_MAX = 20
_COMMAND = re.compile(r"wasi:cli/run@0\.2\.\d+")
_HTTP_HANDLER = re.compile(r"wasi:http/incoming-handler@0\.2\.\d+")


class Items(msgspec.Struct, frozen=True):
    """All imports or all exports, in the component's order."""

    #: Functions at the top level.
    functions: dict[str, Function]
    #: Instances, by their full names, with their functions.
    instances: dict[str, dict[str, Function]]
    #: Other items at the top level: name → ``component``, ``core module``, ``resource`` or ``type``.
    others: dict[str, str]


class ComponentInterface(msgspec.Struct, frozen=True):
    exports: Items
    imports: Items

    @property
    def command(self) -> Path | None:
        """The entry of a WASI command, whose result is what it prints."""
        return next(((name, "run") for name in self.exports.instances if _COMMAND.fullmatch(name)), None)

    @property
    def is_command(self) -> bool:
        return self.command is not None

    @property
    def is_http_handler(self) -> bool:
        """True if it answers HTTP requests. A component that only imports the handler hands them on."""
        return any(_HTTP_HANDLER.fullmatch(name) for name in self.exports.instances)

    @property
    def imports_http(self) -> bool:
        """True if it imports an interface of ``wasi:http``."""
        return any(name.startswith("wasi:http/") for name in self.imports.instances)

    @property
    def name_count(self) -> int:
        """The number of exports and imports, and of functions in instances."""
        return sum(
            len(items.functions) + len(items.others) + sum(1 + len(one) for one in items.instances.values())
            for items in (self.exports, self.imports)
        )

    @property
    def reads_stdin(self) -> bool:
        """True if it can read standard input."""
        return any(_without_version(name) == "wasi:cli/stdin" for name in self.imports.instances)

    @property
    def imports_links(self) -> bool:
        """True if it can make symbolic links, given a directory that it may write to."""
        return any(
            _without_version(name) == "wasi:filesystem/types" and "[method]descriptor.symlink-at" in group
            for name, group in self.imports.instances.items()
        )

    def function(self, path: Path) -> Function:
        """Give the type of a function that ``choose`` has found."""
        return self.exports.functions[path[0]] if len(path) == 1 else self.exports.instances[path[0]][path[1]]

    def paths(self) -> list[Path]:
        """Give all exported functions."""
        inner: list[Path] = [
            (name, function) for name, group in self.exports.instances.items() for function in group
        ]
        return [*((name,) for name in self.exports.functions), *inner]

    def choose(self, name: str) -> Path:
        """Find the function that a task of this name means.

        A name is ``instance#function``, or a function's name, which is sought at the top level and then in
        all exported instances. A command runs as ``_start`` too and as a round of federated learning, and
        under any name where it exports nothing else that could be meant.

        Differs: The reference seeks only in instances of the namespaces ``elastic`` and ``wasi``, and does
        not find a command under a name of its own.

        Raises:
            Invalid: There is no such function, or several; the message lists them.

        """
        instance, sign, function = name.rpartition("#")
        if sign:
            return self._in_instance(instance, function)
        if name in self.exports.functions:
            return (name,)
        found: list[Path] = [(one, name) for one, group in self.exports.instances.items() if name in group]
        if len(found) == 1:
            return found[0]
        if found:
            raise Invalid(
                f"several exported instances have a function {shown(name)}; say which: "
                + _listed([spelling(path) for path in found])
            )
        if self.command is not None and (means_program(name) or self.paths() == [self.command]):
            return self.command
        kind = "instance" if name in self.exports.instances else self.exports.others.get(name)
        if kind is not None:
            raise Invalid(f"{shown(name)} is exported as {kind}, not as function{self._all()}")
        raise Invalid(f"no function {shown(name)} is exported{self._all()}")

    def _in_instance(self, given: str, function: str) -> Path:
        """Find ``given#function``; the instance's name may lack its version, or all but its last part."""
        for form in (str, _without_version, _last_part):
            same = [name for name in self.exports.instances if form(name) == given]
            found: list[Path] = [
                (name, function) for name in same if function in self.exports.instances[name]
            ]
            if len(found) == 1:
                return found[0]
            if found:
                spellings = _listed([spelling(path) for path in found])
                raise Invalid(
                    f"{shown(f'{given}#{function}')} can mean several functions; say which: {spellings}"
                )
            if same:
                raise Invalid(f"the instance {shown(same[0])} has no function {shown(function)}{self._all()}")
        raise Invalid(f"no instance {shown(given)} is exported{self._all()}")

    def _all(self) -> str:
        paths = self.paths()
        if not paths:
            return ", nor any other function"
        return "; exported are: " + _listed(
            [function_text(spelling(path), self.function(path)) for path in paths]
        )


def spelling(path: Path) -> str:
    """Write a path as a task names it."""
    return "#".join(path)


def _without_version(name: str) -> str:
    return name.partition("@")[0]


def _last_part(name: str) -> str:
    return _without_version(name).rpartition("/")[2]


def _listed(names: list[str]) -> str:
    more = len(names) - _LISTED_MAX
    return ", ".join(names[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
