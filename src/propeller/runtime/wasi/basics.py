"""Clocks, randomness, environment and standard streams."""

import time
from collections.abc import Callable
from typing import Any

from propeller.runtime.component.variants import Err, Ok
from propeller.runtime.wasi.io import OutputStream, StandardInput, subscribe_at
from propeller.runtime.wasi.session import Exited, Session


def _datetime(ns: int) -> dict[str, int]:
    return {"seconds": ns // 1_000_000_000, "nanoseconds": ns % 1_000_000_000}


def _number(session: Session) -> int:
    return int.from_bytes(session.sources.take(8))


def _exit(session: Session, status: Ok | Err) -> None:
    raise Exited(0 if isinstance(status, Ok) else None)


def _exit_with_code(session: Session, code: int) -> None:
    raise Exited(code)


FUNCTIONS: dict[str, dict[str, Callable[..., Any]]] = {
    "wasi:clocks/monotonic-clock": {
        "now": lambda session: time.monotonic_ns(),
        "resolution": lambda session: 1,
        "subscribe-instant": subscribe_at,
        "subscribe-duration": lambda session, ns: subscribe_at(session, time.monotonic_ns() + ns),
    },
    "wasi:clocks/wall-clock": {
        "now": lambda session: _datetime(session.sources.now(0)),
        "resolution": lambda session: _datetime(1_000),
    },
    "wasi:random/random": {
        "get-random-bytes": lambda session, size: session.sources.take(size),
        "get-random-u64": _number,
    },
    "wasi:random/insecure": {
        "get-insecure-random-bytes": lambda session, size: session.sources.take(size),
        "get-insecure-random-u64": _number,
    },
    "wasi:random/insecure-seed": {"insecure-seed": lambda session: (_number(session), _number(session))},
    "wasi:cli/environment": {
        "get-environment": lambda session: list(session.env.items()),
        "get-arguments": lambda session: list(session.args),
        "initial-cwd": lambda session: None,
    },
    "wasi:cli/exit": {"exit": _exit, "exit-with-code": _exit_with_code},
    "wasi:cli/stdin": {"get-stdin": lambda session: session.add(StandardInput(session))},
    "wasi:cli/stdout": {"get-stdout": lambda session: session.add(OutputStream(session.on_stdout))},
    "wasi:cli/stderr": {"get-stderr": lambda session: session.add(OutputStream(session.on_stderr))},
    "wasi:cli/terminal-stdin": {"get-terminal-stdin": lambda session: None},
    "wasi:cli/terminal-stdout": {"get-terminal-stdout": lambda session: None},
    "wasi:cli/terminal-stderr": {"get-terminal-stderr": lambda session: None},
}
