"""The options of a ``wasmtime`` command that a task may give in its ``cli_args``.

The others read or write files of the machine, run machine code of a task, or take the place of the module.
Directories have to be below those that the owner of the proplet allows.
"""

from collections.abc import Iterator
from typing import NamedTuple

from propeller.core.sandbox import Dir
from propeller.errors import Invalid
from propeller.runtime.quoting import shown
from propeller.runtime.system.directories import open_allowed

_DIR = "--dir"
_LONG = {"-C": "--codegen", "-D": "--debug", "-O": "--optimize", "-S": "--wasi", "-W": "--wasm"}
#: The settings that these options may have; the other options of one letter may have any.
_KEYS = {
    "--codegen": frozenset(
        "compiler collector cranelift-debug-verifier parallel-compilation native-unwind-info inlining".split()
    ),
    "--debug": frozenset("debug-info guest-debug address-map logging max-backtrace".split()),
    "--wasi": frozenset(
        (
            "cli cli-exit-with-code common nn threads http http-outgoing-body-buffer-chunks "
            "http-outgoing-body-chunk-size config config-var keyvalue keyvalue-in-memory-data tls preview0 "
            "preview2 p3 inherit-network allow-ip-name-lookup tcp udp network-error-code inherit-env cwd "
            "inherit-stdin inherit-stdout inherit-stderr max-resources max-component-handles hostcall-fuel "
            "max-random-size max-http-fields-size"
        ).split()
    ),
}
_NAMES = (_DIR, "--invoke", "--argv0", "--env", *_LONG.values())


class _Option(NamedTuple):
    #: The long name.
    name: str
    value: str
    #: The words as the task gave them.
    words: list[str]


def held(cli_args: list[str], allowed: tuple[Dir, ...], opened: list[int]) -> list[str]:
    """Check a task's options; give them as the program gets them.

    Args:
        cli_args: The task's.
        allowed: The directories that the owner of the proplet allows.
        opened: Gets the descriptors that the program inherits; the caller closes them, whatever happens.

    Raises:
        Invalid: A task may not give one of the options.

    """
    given: list[str] = []
    for option in _options(cli_args):
        if option.name == _DIR:
            host, _, guest = option.value.partition("::")
            opened.append(_directory(host, allowed))
            given.append(f"{_DIR}=/proc/self/fd/{opened[-1]}::{guest or host}")
            continue
        known = _KEYS.get(option.name)
        for item in option.value.split(","):
            if known is not None and item.partition("=")[0] not in known:
                raise Invalid(f"cli_args: a task may not give {option.name} {shown(item)} here")
        given += option.words
    return given


def _options(cli_args: list[str]) -> Iterator[_Option]:
    """Read the options as the program does."""
    words = iter(cli_args)
    for word in words:
        name, equals, value = word.partition("=")
        if word[:2] in _LONG:
            name, value = _LONG[word[:2]], word[2:].removeprefix("=")
            equals = value
        if name not in _NAMES:
            listed = ", ".join(sorted({*_NAMES, *_LONG}))
            raise Invalid(f"cli_args: a task may not give {shown(word)} here; it may give {listed}")
        if equals:
            yield _Option(name, value, [word])
            continue
        following = next(words, "")
        # A word that begins with a hyphen is the next option.
        if not following or following.startswith("-"):
            raise Invalid(f"cli_args: {name} has no value")
        yield _Option(name, following, [word, following])


def _directory(host: str, allowed: tuple[Dir, ...]) -> int:
    """Open a directory for the guest; the program lets it write there."""
    wanted = Dir(host=host, guest=host, mode="rw")
    if not host.startswith("/"):
        raise Invalid(f"cli_args: {_DIR} {shown(host)} is no absolute path; begin it with /")
    return open_allowed(wanted, allowed, f"cli_args: {_DIR}")
