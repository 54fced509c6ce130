"""``stop`` and ``delete`` of tasks, workflows and jobs: those that are named, or that flags choose."""

import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from propeller.cli import choosing, formatting
from propeller.cli.commands import command
from propeller.cli.completing import completer
from propeller.cli.naming import Kind, id_of, is_there, named
from propeller.cli.session import Session, show_error
from propeller.client.errors import ApiError
from propeller.errors import Invalid, NotFound, PropellerError

if TYPE_CHECKING:
    from propeller.client.api import Client, Filters

YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before it is done to several.")]


class Deed(NamedTuple):
    """What is done to records."""

    verb: str
    #: The word for what was done, such as ``deleted``.
    done: str
    kind: Kind
    #: Does it to the one with this id.
    do: "Callable[[Client, str], Any]"
    #: Flags choose those too that have ended.
    is_for_ended: bool


def add(app: typer.Typer, filters: Mapping[str, Any], deed: Deed, text: str) -> None:
    """Add the command for a deed to the group of its kind.

    Args:
        app: The group.
        filters: Flags that choose among the records of the kind.
        deed: What the command does.
        text: Its help.

    """

    def run(
        session: Session,
        ids: Annotated[
            list[str] | None, typer.Argument(metavar="[ID]...", autocompletion=completer(deed.kind))
        ] = None,
        everything: choosing.AllFlag = False,
        yes: YesFlag = False,
        *,
        fields: dict[str, Any],
    ) -> None:
        word = deed.kind.word
        if ids and (fields or everything):
            raise typer.BadParameter(f"name {word}s, or choose them with flags, not both")
        if not (ids or fields or everything):
            raise typer.BadParameter(f"name one or more {word}s, or choose them with flags: see --help")
        if ids and len(ids) == 1:
            session.show_done(named(session, deed.kind, ids[0], lambda id_: deed.do(session.client, id_)))
            return
        work = _Work(session, deed)
        try:
            if ids:
                work.do_named(ids)
            else:
                work.do_chosen(choosing.query(session, fields), yes=yes)
        except (KeyboardInterrupt, PropellerError):
            if work.has_begun:
                work.tell()
            raise
        work.tell()
        if work.failed:
            raise typer.Exit(1)

    run.__doc__ = text
    command(app, deed.verb, fields=dict(filters))(run)


class _Work:
    """What has been done so far, to which records, and what is left."""

    def __init__(self, session: Session, deed: Deed) -> None:
        self._session = session
        self._deed = deed
        self._done: list[str] = []
        self._left: deque[str] = deque()
        self.has_begun = False
        #: Why it failed, by id.
        self.failed: dict[str, str] = {}

    def do_named(self, given: Iterable[str]) -> None:
        """Do it to those that are named; all names are looked up before the first is gone."""
        ids: dict[str, None] = {}
        for name in given:
            try:
                ids[id_of(self._session, self._deed.kind, name)] = None
            except (ApiError, Invalid, NotFound) as error:
                self.failed[name] = str(error)
        self._do(ids)

    def do_chosen(self, only: "Filters", *, yes: bool) -> None:
        """Do it to those that query parameters choose now, and say how many have come meanwhile."""
        chosen = self._chosen(only)
        self._ask(len(chosen), yes=yes)
        self._do(chosen)
        come = len({*self._chosen(only)} - {*chosen}) if chosen else 0
        if come:
            self._session.remark(f"left alone: {come} that came meanwhile")

    def _chosen(self, only: "Filters") -> list[str]:
        kind = self._deed.kind
        found = choosing.page(self._session, kind, only, is_all=True)[kind.plural]
        return [
            one[kind.key]
            for one in found
            if self._deed.is_for_ended or not formatting.has_ended(one["state"])
        ]

    def _ask(self, count: int, *, yes: bool) -> None:
        if yes or not count:
            return
        what = f"{count} {self._deed.kind.plural}"
        if not sys.stdin.isatty():
            raise Invalid(f"{what} would be {self._deed.done}; say so with --yes")
        typer.confirm(f"{what} will be {self._deed.done}. Go on?", abort=True, err=True)

    def _do(self, ids: Iterable[str]) -> None:
        """Do it to each; what is refused is tried again after the others, which may be in its way."""
        self._left = deque(ids)
        self.has_begun = True
        refused: list[str] = []
        while self._left:
            for _ in range(count := len(self._left)):
                if self._is_refused(self._left[0]):
                    refused.append(self._left[0])
                self._left.popleft()
            if len(refused) < count:
                self._left.extend(refused)
            refused = []

    def _is_refused(self, id_: str) -> bool:
        """Do it to one, and say whether it may succeed once others are gone."""
        try:
            self._deed.do(self._session.client, id_)
        except ApiError as error:
            if error.status == 404 and not is_there(self._session.client, self._deed.kind, id_):
                self.failed.pop(id_, None)  # somebody else has deleted it since it was read
                return False
            self.failed[id_] = str(error)
            return error.status == 409
        self._done.append(id_)
        self.failed.pop(id_, None)
        return False

    def tell(self) -> None:
        """Say what was done, what failed, and what was not reached."""
        deed, session = self._deed, self._session
        if session.as_json:
            left = {"left_ids": [*self._left]} if self._left else {}
            session.show_json({f"{deed.done}_ids": self._done, "failed": self.failed, **left})
            return
        session.out.print(f"{len(self._done)} {deed.kind.plural} {deed.done}")
        for id_, why in self.failed.items():
            show_error(f"{deed.kind.word} {id_}: {why}")
        if self._left:
            show_error(
                f"broken off: {len(self._left)} of them are left; the first, {self._left[0]}, may be "
                f"{deed.done} all the same"
            )
