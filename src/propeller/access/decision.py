"""The one place that decides who may do what."""

import msgspec

from propeller.access.principal import Principal
from propeller.access.roles import NEEDS, Action, Role, is_at_least, may
from propeller.errors import Forbidden, no_such


class Owned(msgspec.Struct, frozen=True):
    """What the decision needs to know of a thing."""

    #: Such as ``task`` and its id, for messages.
    kind: str
    id: str
    namespace: str
    #: Name of the principal that created it; ``""`` if nobody knows.
    created_by: str


def authorize(principal: Principal, action: Action, thing: Owned | None = None) -> None:
    """Let a principal act, or refuse it.

    Args:
        principal: Who wants it.
        action: What is wanted.
        thing: What it is done to; None where that is nothing that exists, or is not known yet.

    Raises:
        NotFound: The principal may not see the thing; the words are those for one that does not exist.
        Forbidden: The role does not allow it.

    """
    if thing is not None and not principal.sees(thing.namespace):
        raise no_such(thing.kind, thing.id)
    if not may(principal.role, action):
        needed = NEEDS[action]
        raise Forbidden(
            f"{action}: this needs the role {needed}, and {principal.name} is a {principal.role}; "
            f"ask an admin for a token with that role"
        )
    if action is not Action.CHANGE or thing is None or is_at_least(principal.role, Role.OPERATOR):
        return
    if not thing.created_by or thing.created_by != principal.name:
        raise Forbidden(
            f"{action}: {thing.kind} {thing.id} was created by {thing.created_by or 'somebody else'}, and "
            f"{principal.name} is a {principal.role}, who changes only what they created; this needs the "
            f"role {Role.OPERATOR}"
        )
