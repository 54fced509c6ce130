"""Sandbox: what a guest may use of the machine that it runs on. Pure.

A task asks (``Sandbox``), the owner of a proplet allows (``Offer``), and ``refusal`` compares the two. The
manager does so before it places a task, and the proplet once more before it runs it. Paths are only compared
as text here; where one really leads is seen when the proplet opens it (``runtime/system/directories.py``).

A task that says nothing of ``grants`` gets what the owner gives to every task; one that does gets exactly
what it names.
"""

import re
from collections.abc import Iterable
from typing import Literal

import msgspec

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_HOST_RULE = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*(?::[0-9]{{1,5}})?", re.IGNORECASE | re.ASCII)
#: A name has at most 253 (RFC 1035, 2.3.4).
_RULE_CHARS_MAX = 253 + len("*.:65535")

Mode = Literal["ro", "rw"]


class Dir(msgspec.Struct, frozen=True, kw_only=True):
    """A directory of the machine, and under which path the guest finds it."""

    #: Absolute.
    host: str
    #: Absolute; the same as ``host`` where it is not given.
    guest: str
    mode: Mode = "ro"


class Grants(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task asks to be given of the machine."""

    dirs: tuple[Dir, ...] = ()
    #: Hosts that it may send HTTP requests to; see ``covers`` for what can stand here.
    http: tuple[str, ...] = ()
    #: Listen on a port: for components that serve HTTP.
    listen: bool = False
    #: Without it the guest's clocks stand at 0.
    clock: bool = True
    #: True for the machine's randomness, False for none; a number is the seed of a stream that is always
    #: the same.
    random: bool | int = True

    @property
    def has_changeable_dirs(self) -> bool:
        return any(one.mode == "rw" for one in self.dirs)


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a task asks to be held to; 0 leaves it to the proplet."""

    #: Linear memory, bytes.
    memory: int = 0
    #: Units of computing, about one an instruction.
    fuel: int = 0
    #: Standard output that is kept as the result, bytes.
    output: int = 0
    #: Elements of each table.
    table: int = 0
    #: Bytes.
    stack: int = 0
    #: Core instances inside one component.
    instances: int = 0


class Sandbox(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The sandbox that a task asks for."""

    #: None where it says nothing.
    grants: Grants | None = None
    limits: Limits = Limits()
    #: How long it may run, ns; 0 leaves it to the proplet.
    timeout_ns: int = 0


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the owner of a proplet allows at most."""

    #: What lies below them may be asked for too; of ``guest`` nothing is made.
    dirs: tuple[Dir, ...] = ()
    http: tuple[str, ...] = ()
    listen: bool = False
    #: The most that may be asked for.
    limits: Limits = Limits()
    timeout_ns: int = 0
    #: What can run encrypted workloads there, such as ``tdx``.
    tee: str = ""
    #: Guests run in a program of the owner's, which knows no grants, and of limits only these: time, output.
    is_external: bool = False


def refusal(offer: Offer, asked: Sandbox) -> str:
    """Say what a proplet with this offer does not allow of this, by its field; ``""`` if all."""
    if offer.is_external and (field := _unheld(asked)):
        return f"{field}: its external runtime can hold a task to a timeout and limits.output, and to no more"
    return _refused_grant(offer, asked.grants or Grants()) or _refused_limit(offer, asked)


def _unheld(asked: Sandbox) -> str:
    """Name a field that needs the native runtime; ``""`` if none does."""
    if asked.grants is not None:
        return "grants"
    own = msgspec.structs.replace(asked.limits, output=0)
    return next((f"limits.{name}" for name in Limits.__struct_fields__ if getattr(own, name)), "")


def _refused_grant(offer: Offer, grants: Grants) -> str:
    for wanted in grants.dirs:
        if not any(_contains(allowed, wanted) for allowed in offer.dirs):
            how = "to be written to" if wanted.mode == "rw" else "to be read"
            return f"grants.dirs: {wanted.host} is not allowed {how}"
    for rule in grants.http:
        if not any(covers(allowed, rule) for allowed in offer.http):
            return f"grants.http: {rule} is not allowed"
    if grants.listen and not offer.listen:
        return "grants.listen: listening is not allowed"
    return ""


def _refused_limit(offer: Offer, asked: Sandbox) -> str:
    for name in Limits.__struct_fields__:
        wanted, most = getattr(asked.limits, name), getattr(offer.limits, name)
        if most and wanted > most:
            return f"limits.{name}: {wanted} is more than the {most} that are allowed"
    if offer.timeout_ns and asked.timeout_ns > offer.timeout_ns:
        return f"timeout: {asked.timeout_ns / 1e9:g} s is more than the {offer.timeout_ns / 1e9:g} s allowed"
    return ""


def way_to(wanted: Dir, allowed: Iterable[Dir]) -> tuple[str, str] | None:
    """Find the directory of the owner by whose leave this one is given, and the path from there on.

    Of several it is the outermost: one that lies in another which guests write to is what they made of it.
    None where there is none.
    """
    tops = [one.host for one in allowed if _contains(one, wanted)]
    if not tops:
        return None
    top = min(tops, key=lambda host: len(_parts(host)))
    return top, "/".join(_parts(wanted.host)[len(_parts(top)) :]) or "."


def _contains(allowed: Dir, wanted: Dir) -> bool:
    if wanted.mode == "rw" and allowed.mode != "rw":
        return False
    parts, below = _parts(wanted.host), _parts(allowed.host)
    return ".." not in parts and parts[: len(below)] == below


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def covers(rule: str, wanted: str) -> bool:
    """Say whether a rule for hosts lets through what another one asks for, or a host itself.

    A rule is ``*`` for all, or a host: ``example.com`` for its ports 80 and 443, ``example.com:8080`` for
    that port, ``*.example.com`` for all hosts below it, with a port or without. Names are compared label by
    label, and what is no name is covered by ``*`` alone: others may take it for another host than we do.
    """
    if rule == "*":
        return True
    if not is_host_rule(rule) or not is_host_rule(wanted):
        return False
    host, _, port = rule.lower().partition(":")
    wanted_host, _, wanted_port = wanted.lower().partition(":")
    if port != wanted_port:
        return False
    first, *below = host.split(".")
    labels = wanted_host.split(".")
    if first != "*":
        return labels == [first, *below]
    return len(labels) > len(below) and labels[-len(below) :] == below


def is_host_rule(text: str) -> bool:
    """Whether this can be a rule for hosts, other names than ASCII as ``xn--…``; see ``covers``."""
    return text == "*" or (len(text) <= _RULE_CHARS_MAX and _HOST_RULE.fullmatch(text) is not None)
