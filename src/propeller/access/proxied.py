"""Whom a proxy before the manager has let in, by the headers that it sets."""

from propeller.access.principal import Principal
from propeller.access.roles import Role, highest
from propeller.errors import Forbidden, Unauthenticated

_NAME_CHARS_MAX = 256


def principal_of_proxy(user: str, roles: str, namespaces: str | None) -> Principal:
    """Say who a request is of.

    Args:
        user: ``X-User-Id``.
        roles: ``X-Roles``, with commas between them; words that are no roles of ours do not count.
        namespaces: ``X-Namespaces`` likewise; None for all.

    Raises:
        Unauthenticated: The name is none, or two run together, as where a proxy adds its own to its client's.
        Forbidden: There is no role among the roles.

    """
    if not user or len(user) > _NAME_CHARS_MAX or "," in user or not user.isprintable():
        raise Unauthenticated(f"X-User-Id: {user[:80]!r} is no name of one user")
    given = _listed(roles)
    role = highest(Role(word) for word in given if word in _ROLES)
    if role is None:
        raise Forbidden(
            f"{user} has no role here: X-Roles has {', '.join(given)[:200] or 'none'}, and it has to have "
            f"one of {', '.join(Role)}"
        )
    seen = None if namespaces is None else frozenset(_listed(namespaces))
    return Principal(name=user, role=role, namespaces=seen, how="proxy")


_ROLES = frozenset(Role)


def _listed(text: str) -> list[str]:
    return [word for part in text.split(",") if (word := part.strip())]
