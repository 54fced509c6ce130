"""Where things belong: the namespace of what a request creates, and of what it may see and change."""

from typing import NamedTuple

from propeller.access import namespaces
from propeller.access.decision import Owned, authorize
from propeller.access.principal import LOCAL, Principal
from propeller.access.roles import Action, Role, is_at_least
from propeller.api import queries
from propeller.api.context import HttpRequest, context_of, principal_of
from propeller.errors import Forbidden, Invalid
from propeller.store.port import Belonging, Record, RecordKind

#: The kinds of records, by the first part of their paths.
_KINDS: dict[str, RecordKind] = {"tasks": "task", "workflows": "workflow", "jobs": "job"}


class Place(NamedTuple):
    """Where what a request creates is to belong, as records have it."""

    namespace: str
    created_by: str
    #: False where the request leaves that to a workflow or job that is there.
    is_said: bool


class Creator(NamedTuple):
    """Who creates something, and where the query of the request has it."""

    principal: Principal = LOCAL
    #: ``""`` where the query says nothing.
    asked: str = ""

    @property
    def name(self) -> str:
        """The name that goes into records; ``""`` where nobody is asked who they are."""
        return "" if self.principal.how == LOCAL.how else self.principal.name

    def place(self, given: str | None) -> Place:
        """Say where a thing is to belong.

        Args:
            given: What the body says; nothing leaves it to the query, and that to who creates it.

        Raises:
            Invalid: It is no name, or the request says two, or has to say one and does not.
            Forbidden: It is none of theirs.

        """
        named = namespaces.check(given) if given else ""
        if named and self.asked and named != self.asked:
            raise Invalid(
                f"namespace: the body says {named}, and the query {self.asked}; leave one of them out"
            )
        name = named or self.asked or self._only_one()
        refuse_foreign(self.principal, name)
        return Place(namespaces.stored(name), self.name, is_said=bool(named or self.asked))

    def _only_one(self) -> str:
        theirs = self.principal.namespaces
        if theirs is None or namespaces.DEFAULT in theirs:
            return namespaces.DEFAULT
        if len(theirs) != 1:
            raise Invalid(
                f"namespace: {self.principal.name} has several ({', '.join(sorted(theirs))}); say which one"
            )
        return next(iter(theirs))


def creator_of(request: HttpRequest) -> Creator:
    return Creator(principal_of(request), _asked(request))


def namespaces_of(request: HttpRequest) -> tuple[str, ...] | None:
    """Give the namespaces that a list is about, as records have them; None for all.

    Raises:
        Invalid: The query names none that may exist.
        Forbidden: The query names one that is none of theirs, whether or not something is in it.

    """
    principal, asked = principal_of(request), _asked(request)
    if asked:
        refuse_foreign(principal, asked)
        return (namespaces.stored(asked),)
    return seen_by(principal)


def seen_by(principal: Principal) -> tuple[str, ...] | None:
    """Give the namespaces that somebody sees, as records have them; None for all."""
    theirs = principal.namespaces
    return None if theirs is None else tuple(sorted(map(namespaces.stored, theirs)))


def refuse_foreign(principal: Principal, name: str) -> None:
    """Raise ``Forbidden`` for a namespace that is none of theirs; it never says whether there is one."""
    if not principal.sees(name):
        theirs = ", ".join(sorted(principal.namespaces or ())) or "none"
        raise Forbidden(f"namespace: {name} is not among those of {principal.name}: {theirs}")


def _asked(request: HttpRequest) -> str:
    if queries.NAMESPACE.name not in request.query_params:
        return ""
    return namespaces.check(queries.text(request, queries.NAMESPACE))


# -- what is there -----------------------------------------------------------------------------------------


async def authorize_path(request: HttpRequest, action: Action) -> None:
    """Let somebody act on the task, workflow or job that the path names, or refuse it.

    What is not there is left to the handler, which refuses it in the same words as what may not be seen.
    """
    name = request.path_params.get("id")
    kind = _KINDS.get(request.scope["path"].split("/")[1])
    if name is not None and kind is not None:
        await authorize_record(request, action, Record(kind, str(name)))


async def authorize_record(request: HttpRequest, action: Action, record: Record) -> None:
    """Let somebody act on a record, or refuse it; one that is not there is let pass."""
    principal = principal_of(request)
    if principal.namespaces is None and (
        action is not Action.CHANGE or is_at_least(principal.role, Role.OPERATOR)
    ):
        return
    found = await context_of(request).store.belonging(record)
    if found is not None:
        authorize(principal, action, owned(record, found))


def owned(record: Record, belonging: Belonging) -> Owned:
    """Make what the decision needs of a record."""
    return Owned(record.kind, record.id, namespaces.shown(belonging.namespace), belonging.created_by)


async def is_seen(request: HttpRequest, record: Record) -> bool:
    """Say whether somebody may see a record; one that is not there may be seen."""
    principal = principal_of(request)
    if principal.namespaces is None:
        return True
    found = await context_of(request).store.belonging(record)
    return found is None or principal.sees(namespaces.shown(found.namespace))
