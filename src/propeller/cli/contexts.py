"""The named contexts of a user: managers with their tokens, in one file that only the user may read.

The token of a context is sent to the manager of that context and to no other.
"""

import os
from pathlib import Path

import msgspec

from propeller import private
from propeller.config.files import create_text, read_text
from propeller.errors import Invalid, NotFound


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """A manager, and what to be known by there."""

    manager_url: str
    token: str = ""
    #: PEM file of the CA that signed its certificate; ``""`` for those of the system.
    ca_cert: str = ""
    #: Where the token is from and is renewed, as which client and by what; ``""`` for a token of the manager.
    issuer: str = ""
    client_id: str = ""
    refresh_token: str = ""


class Contexts(msgspec.Struct, omit_defaults=True):
    """All contexts by name, as the file has them."""

    #: The name of the one in use; ``""`` for none.
    current: str = ""
    contexts: dict[str, Context] = {}

    def in_use(self) -> str:
        """Name the one in use: that of ``PROPELLER_CONTEXT``, or of the file; ``""`` if there is none."""
        return os.environ.get("PROPELLER_CONTEXT") or self.current

    def named(self, name: str) -> Context:
        """Give a context; raise ``NotFound`` if there is none of this name."""
        if name not in self.contexts:
            there = ", ".join(sorted(self.contexts)) or "none: make one with propeller login"
            raise NotFound(f"there is no context {name}; there are {there}")
        return self.contexts[name]


def contexts_file() -> Path:
    home = os.environ.get("XDG_CONFIG_HOME")
    base = Path(home) if home else Path(os.environ.get("HOME") or Path.home()) / ".config"
    return base / "propeller" / "contexts.json"


def read_contexts() -> Contexts:
    """Read all contexts; raise ``Invalid`` if the file has another form."""
    path = contexts_file()
    private.mend(path)
    text = read_text(path)
    if text is None:
        return Contexts()
    try:
        return msgspec.json.decode(text, type=Contexts)
    except msgspec.MsgspecError as error:
        raise Invalid(f"{path}: this is no file of contexts: {error}; mend or delete it") from error


def write_contexts(contexts: Contexts) -> None:
    path = contexts_file()
    private.make_directory(path.parent)
    text = msgspec.json.format(msgspec.json.encode(contexts), indent=1).decode()
    create_text(path, f"{text}\n", force=True)


def current_context() -> Context | None:
    """Give the context in use; None if there is none."""
    contexts = read_contexts()
    name = contexts.in_use()
    return contexts.named(name) if name else None
