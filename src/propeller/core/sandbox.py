"""The sandbox: all that a guest may use of the machine that it runs on. Pure.

A task asks (``Sandbox``), the owner of a proplet allows (``Offer``), and ``refusal`` compares the two. The
manager compares them before it places a task, and the proplet again before it runs the task. This file
compares paths as text only. Where a path really leads, the proplet sees when it opens it
(``runtime/system/directories.py``).

A task without ``grants`` gets what the owner gives to every task. A task with ``grants`` gets exactly these.
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
    """A directory of the machine, and the path at which the guest finds it."""

    #: Absolute.
    host: str
    #: Absolute; the same as ``host`` where it is not given.
    guest: str
    mode: Mode = "ro"


class Grants(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parts of the machine that a task asks for."""

    dirs: tuple[Dir, ...] = ()
    #: Rules for the hosts that it may send HTTP requests to; ``covers`` describes them.
    http: tuple[str, ...] = ()
    #: Listen on a port: for components that serve HTTP.
    listen: bool = False
    #: Without it the guest's clocks stand at 0.
    clock: bool = True
    #: True for the machine's randomness, False for none. A number is a seed: the guest gets the same stream
    #: each time.
    random: bool | int = True

    @property
    def has_changeable_dirs(self) -> bool:
        return any(one.mode == "rw" for one in self.dirs)


class Limits(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The limits that a task asks for; 0 leaves a limit to the proplet."""

    #: Linear memory, bytes.
    memory: int = 0
    #: Units of computing; one instruction takes about one.
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

    #: None where the task names none.
    grants: Grants | None = None
    limits: Limits = Limits()
    #: How long it may run, ns; 0 leaves it to the proplet.
    timeout_ns: int = 0


class Offer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The most that the owner of a proplet allows."""

    #: A task may also ask for directories below these. ``guest`` is not used.
    dirs: tuple[Dir, ...] = ()
    http: tuple[str, ...] = ()
    listen: bool = False
    #: The largest limits that a task may ask for; 0 for no bound.
    limits: Limits = Limits()
    timeout_ns: int = 0
    #: The trusted execution environment that the proplet is in, such as ``tdx``; ``""`` for none.
    tee: str = ""
    #: True if guests run in an external runtime. It has no grants, and no limits but time and output.
    is_external: bool = False
    #: True if the proplet finds out who has signed the modules that it fetches.
    checks_signatures: bool = False


def refusal(offer: Offer, asked: Sandbox) -> str:
    """Say what this offer does not allow of a request, beginning with the field; ``""`` if it allows all."""
    if offer.is_external and (field := _unheld(asked)):
        return f"{field}: its external runtime can hold a task to a timeout and limits.output, and to no more"
    return _refused_grant(offer, asked.grants or Grants()) or _refused_limit(offer, asked)


def _unheld(asked: Sandbox) -> str:
    """Name a field that an external runtime can't obey; ``""`` if there is none."""
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
    """Find the allowed directory that contains the wanted one, and the path from there; None if none does.

    Of several it is the outermost. Guests may write to that one, and so may have replaced those inside it.
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
    """Say whether a rule for hosts allows a host, or all that another rule allows.

    A rule is ``*`` for all, or a host: ``example.com`` for its ports 80 and 443, ``example.com:8080`` for
    that port, ``*.example.com`` for all hosts below it, with a port or without. Names are compared label by
    label. Only ``*`` covers text that is no name: another program may take it for another host.
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
    """Say whether a text is a rule as ``covers`` describes; a name beyond ASCII is written as ``xn--…``."""
    return text == "*" or (len(text) <= _RULE_CHARS_MAX and _HOST_RULE.fullmatch(text) is not None)
