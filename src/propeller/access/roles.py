"""Roles, the actions that requests are, and the one table that says which role may do which."""

from collections.abc import Iterable, Mapping
from enum import StrEnum


class Role(StrEnum):
    """What somebody may do; each role may do what those before it may."""

    VIEWER = "viewer"
    SUBMITTER = "submitter"
    OPERATOR = "operator"
    ADMIN = "admin"


class Action(StrEnum):
    """A kind of request; each endpoint of the API is one."""

    #: For all, also those who did not say who they are: health, the files of the page, signing in.
    OPEN = "open"
    #: See what is in a namespace.
    READ = "read"
    #: See proplets, and figures of the whole installation.
    SEE_FLEET = "see_fleet"
    #: Create tasks, workflows, jobs and schedules in a namespace.
    SUBMIT = "submit"
    #: Start, stop, update, delete or invoke what exists; a submitter only what it created.
    CHANGE = "change"
    #: Take proplets out of service and back, and forget them.
    OPERATE = "operate"
    #: Set and delete secrets.
    SECRETS = "secrets"
    #: Tokens, policy, the record of who did what.
    ADMINISTER = "administer"


#: The role from which on an action is allowed; None where nobody needs one.
NEEDS: Mapping[Action, Role | None] = {
    Action.OPEN: None,
    Action.READ: Role.VIEWER,
    Action.SEE_FLEET: Role.VIEWER,
    Action.SUBMIT: Role.SUBMITTER,
    Action.CHANGE: Role.SUBMITTER,
    Action.OPERATE: Role.OPERATOR,
    Action.SECRETS: Role.ADMIN,
    Action.ADMINISTER: Role.ADMIN,
}

_RANK = {role: rank for rank, role in enumerate(Role)}


def may(role: Role, action: Action) -> bool:
    """Say whether a role is enough for an action, whatever it is done to."""
    needed = NEEDS[action]
    return needed is None or is_at_least(role, needed)


def is_at_least(role: Role, needed: Role) -> bool:
    """Say whether a role may do all that another may."""
    return _RANK[role] >= _RANK[needed]


def highest(roles: Iterable[Role]) -> Role | None:
    """Give the one of these roles that may do most; None if there is none."""
    return max(roles, key=_RANK.__getitem__, default=None)
