"""The session of one command: the manager that it talks to, and what it prints.

Results go to standard output, errors and remarks to standard error. With ``--json``, standard output has the
answer of the manager, or what a command makes of several answers, and nothing else; errors are JSON too.
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from propeller.cli import formatting
from propeller.cli.contexts import Context, current_context
from propeller.cli.renewing import token_of
from propeller.config import values
from propeller.errors import Invalid

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod, RenderableType
    from rich.table import Table
    from rich.text import Text

    from propeller.client.api import Client

_WIDE = 10_000
#: Headings of columns whose values people copy.
_IDS = ("ID", "PROPLET")
#: Headings of columns whose values are a word or two.
_SHORT = ("STATE", "TOOK", "CREATED", "ALIVE", "LAST SEEN")
#: Room that each other column of a table has at least.
_COLUMN_CHARS = 10
_GAP = 3
_COLUMNS_MIN = 3


@dataclass
class Session:
    #: ``""`` leaves it to the variable, the context in use and the default.
    manager_url: str = ""
    #: A file with the token, and the token; without any it comes from the variable, or from the context.
    token_file: Path | None = None
    token: str = field(default_factory=lambda: os.environ.get("PROPELLER_TOKEN", ""))
    #: True for who has no token yet: then that of the context does not count.
    is_signing_in: bool = False
    #: None leaves it to the variables.
    tls_verification: bool | None = None
    ca_cert: Path | None = None
    client_cert: Path | None = None
    client_key: Path | None = None
    #: That of what is created and listed; ``""`` leaves it to the manager.
    namespace: str = field(default_factory=lambda: os.environ.get("PROPELLER_NAMESPACE", ""))
    #: How long an answer may take; None for as long as the client has it.
    answer_s: float | None = None
    as_json: bool = False
    offset: int = 0
    limit: int = 10
    #: True if one of these two was given.
    is_paged: bool = False

    def take(self, given: dict[str, Any]) -> None:
        """Take in flags; None for one that was not given."""
        for name, value in given.items():
            if value is not None and name == "atom_url":
                show_warning("--atom-url has no effect: propeller provision needs no identity service")
            elif value is not None:
                if name == "token_file":
                    self.token = _token_in(value)
                setattr(self, name, value)
                self.is_paged |= name in ("offset", "limit")

    @cached_property
    def client(self) -> "Client":
        from propeller.client.api import Client  # noqa: PLC0415  loaded where needed: --help stays fast

        is_checked = not _is_insecure() if self.tls_verification is None else self.tls_verification
        url, context = self._place()
        known_ca = Path(context.ca_cert) if context and context.ca_cert else None
        client = Client(
            url,
            token=self.token or (token_of(context) if context and not self.is_signing_in else ""),
            tls_verification=is_checked,
            ca_cert=self.ca_cert or _named("PROPELLER_CA_CERT") or known_ca,
            client_cert=self.client_cert or _named("PROPELLER_CLIENT_CERT"),
            client_key=self.client_key or _named("PROPELLER_CLIENT_KEY"),
            answer_s=self.answer_s,
            on_wait=_say_that_it_waits,
            namespace=self.namespace,
        )
        if not is_checked and client.base_url.startswith("https:"):
            show_warning(f"the certificate of {client.base_url} is not checked: anybody may answer there")
        return client

    def _place(self) -> tuple[str, Context | None]:
        """Give the manager's URL, and the context that is for it, if there is one."""
        context = current_context()
        url = self.manager_url or os.environ.get("PROPELLER_MANAGER_URL") or ""
        if not url:
            url = context.manager_url if context else "http://localhost:7070"
        is_for_it = context is not None and url.rstrip("/") == context.manager_url.rstrip("/")
        return url, context if is_for_it else None

    @cached_property
    def out(self) -> "Console":
        return _console(to_stderr=False)

    @cached_property
    def remarks(self) -> "Console":
        return _console(to_stderr=True)

    def show(self, answer: Any, view: "Callable[[Any], RenderableType]") -> None:
        """Print an answer, drawn by ``view``."""
        if self.as_json:
            self.show_json(answer)
        else:
            self._draw(view(answer))

    def show_json(self, answer: Any) -> None:
        """Print an answer as it came; nothing if it had no body."""
        if answer is None:
            return
        text = json.dumps(answer, indent=2, ensure_ascii=False)
        if self.out.is_terminal and not self.out.no_color:
            from rich.highlighter import JSONHighlighter  # noqa: PLC0415

            self.out.print(JSONHighlighter()(text), soft_wrap=True)
        else:
            print(text)

    def show_result(self, answer: Any) -> None:
        """Print the results in an answer: text and bytes as they are, anything else as JSON.

        On a terminal, control characters are shown.
        """
        found = formatting.content(answer)
        if isinstance(found, str):
            sys.stdout.write(formatting.shown_on(sys.stdout, found))
            sys.stdout.flush()
        elif isinstance(found, bytes) and self.out.is_terminal:
            self.remark(f"{formatting.results(answer)}; write them into a file, by > FILE")
        elif isinstance(found, bytes):
            sys.stdout.buffer.write(found)
            sys.stdout.buffer.flush()
        elif found is not None:
            self.show_json(answer["results"])

    def show_done(self, answer: Any = None) -> None:
        """Print that an action succeeded."""
        if self.as_json:
            self.show_json(answer)
        else:
            self.out.print("ok", style="blue")

    def show_page(self, page: Any, kind: str, view: "Callable[[list[Any]], RenderableType]") -> None:
        """Print a page of a list, and how to see more if there is more."""
        if self.as_json:
            self.show_json(page)
            return
        items, total = page[kind], page.get("total", 0)
        self._draw(view(items))
        if total > self.offset + len(items):
            shown = f"{self.offset + 1} to {self.offset + len(items)}" if items else "none"
            self.remark(f"{shown} of {total} {kind}; more with: -o {self.offset + self.limit}")
        elif "next_cursor" in page and "total" not in page:
            self.remark(f"there may be more {kind}; see with: -l {2 * self.limit}")
        elif not items:
            self.remark(f"no {kind}" if not total else f"there are only {total} {kind}")

    def _draw(self, drawing: "RenderableType") -> None:
        """Print a drawing; a table is wider than the screen if its ids would not fit."""
        from rich.table import Table  # noqa: PLC0415

        if isinstance(drawing, Table):
            # A screen too narrow for all shows the first columns.
            while len(drawing.columns) > _COLUMNS_MIN and _least_width(drawing) > self.out.width:
                del drawing.columns[-1]
            least = _least_width(drawing)
            drawing.width = least if least > self.out.width else None
        self.out.print(drawing, crop=False)

    def remark(self, text: str) -> None:
        """Print a remark for people, besides the result."""
        self.remarks.print(text, style="dim", markup=False, highlight=False, soft_wrap=True)

    def table(self, *headings: str) -> "Table":
        """Make an empty table: ruled on a terminal, bare columns elsewhere. Ids are never folded."""
        from rich import box  # noqa: PLC0415
        from rich.table import Table  # noqa: PLC0415

        is_terminal = self.out.is_terminal
        table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False, header_style="bold")
        for heading in headings:
            is_id = heading in _IDS
            is_short = heading in _SHORT
            overflow: OverflowMethod = "ignore" if is_id else "fold"
            table.add_column(heading, overflow=overflow, no_wrap=is_id or is_short)
        return table

    def lines(self, pairs: "list[tuple[str, str | Text]]") -> "Table":
        """Draw names and values, one pair a line; pairs without a value are left out."""
        from rich.table import Table  # noqa: PLC0415

        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in pairs:
            if value:
                grid.add_row(name, value)
        return grid


def _token_in(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"--token-file {path}: it can't be read: {error}") from error
    if not token:
        raise Invalid(f"--token-file {path}: it is empty; write the token into it")
    return token


def _least_width(table: "Table") -> int:
    """Give the width at which no id is cut, and no word of the short columns."""
    from rich.cells import cell_len  # noqa: PLC0415

    fixed = [
        max(map(cell_len, map(str, column.cells)), default=0) for column in table.columns if column.no_wrap
    ]
    others = len(table.columns) - len(fixed)
    return sum(fixed) + _COLUMN_CHARS * others + _GAP * len(table.columns)


def is_json_asked_for() -> bool:
    """Say whether this program was called with ``--json``; known also where its flags could not be read."""
    return "--json" in sys.argv[: sys.argv.index("--") if "--" in sys.argv else None]


def show_error(text: str) -> None:
    """Print an error, with ``--json`` in the form of the manager's errors."""
    if is_json_asked_for():
        print(json.dumps({"error": text}, ensure_ascii=False), file=sys.stderr)
    else:
        _say_aloud(f"error: {text}", "red")


def _say_that_it_waits(said: str, seconds: float) -> None:
    show_warning(f"{said.partition('; ')[0]}; this is sent again in {seconds:.0f} s")


def show_warning(text: str) -> None:
    """Print a warning."""
    _say_aloud(f"warning: {text}", "yellow")


def _say_aloud(text: str, style: str) -> None:
    if sys.stderr.isatty():
        _console(to_stderr=True).print(text, style=style, markup=False, highlight=False)
    else:
        print(text, file=sys.stderr)


def _is_insecure() -> bool:
    said = os.environ.get("PROPELLER_INSECURE")
    try:
        return bool(said) and values.boolean(said or "")
    except ValueError as error:
        raise Invalid(f"PROPELLER_INSECURE: {said!r} {error}") from error


def _named(variable: str) -> Path | None:
    said = os.environ.get(variable)
    return Path(said) if said else None


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console  # noqa: PLC0415

    stream = sys.stderr if to_stderr else sys.stdout
    # Lines are cut to a width on a terminal only.
    width = None if stream.isatty() else _WIDE
    return Console(stderr=to_stderr, width=width, highlight=False, markup=False, emoji=False)
