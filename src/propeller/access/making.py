"""How tokens and sessions are made, and which somebody may make."""

import re
from collections.abc import Iterable

from propeller.access.principal import Principal
from propeller.access.roles import Role, is_at_least
from propeller.access.tokens import ID_BYTES, SECRET_BYTES, Kind, Token, digest_of, new_id, text_of
from propeller.errors import Forbidden, Invalid

#: How many random bytes a token or a session takes.
RANDOM_BYTES = ID_BYTES + SECRET_BYTES
#: The longest that a session of the page lasts.
SESSION_NS = 12 * 3600 * 10**9

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


def new_token(
    by: Principal,
    *,
    name: str,
    role: str,
    namespaces: Iterable[str] | None,
    now: int,
    expires_at: int,
    random: bytes,
) -> tuple[Token, str]:
    """Make a token, and the text that is shown once.

    Args:
        by: Who makes it; without ``namespaces``, it is for theirs.
        name: Who its bearer is.
        role: The word for it.
        namespaces: Those that its bearer sees; None for those of ``by``.
        now: The moment, ns since 1970.
        expires_at: The same; 0 for never.
        random: ``RANDOM_BYTES`` of them.

    Raises:
        Invalid: A field is wrong; the message names it.
        Forbidden: It would let its bearer do what ``by`` may not.

    """
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"name: {name[:100]!r} is none; it has 1 to 64 letters, digits and . _ @ - and begins with a "
            "letter or a digit"
        )
    if role not in list(Role):
        raise Invalid(f"role: {role[:100]!r} is unknown; use {', '.join(Role)}")
    given = by.namespaces if namespaces is None else frozenset(namespaces)
    for namespace in sorted(given or ()):
        if not _NAMESPACE.fullmatch(namespace):
            raise Invalid(
                f"namespaces: {namespace[:100]!r} is none; it has 1 to 63 lower case letters, digits and -"
            )
    if given is not None and not given:
        raise Invalid("namespaces: there are none, so it would be of no use; leave it out for all")
    if not is_at_least(by.role, Role(role)) or not is_within(by, given):
        raise Forbidden(
            f"administer: {by.name} may not make a token for more than they may do themselves: "
            f"{by.role}, in {_shown(by.namespaces)}"
        )
    token_id = new_id(random)
    text = text_of(Kind.TOKEN, token_id, random[ID_BYTES:])
    token = Token(
        id=token_id,
        name=name,
        role=Role(role),
        namespaces=given,
        digest=digest_of(text.split("_", 2)[2]),
        created_by=by.name,
        created_at=now,
        expires_at=expires_at,
    )
    return token, text


def new_session(of: Principal, now: int, random: bytes) -> tuple[Token, str]:
    """Make a session of the page for somebody who is known, and the text of its cookie.

    It ends with the token that they are known by, if they are.
    """
    session_id = new_id(random)
    text = text_of(Kind.SESSION, session_id, random[ID_BYTES:])
    session = Token(
        id=session_id,
        kind=Kind.SESSION,
        parent=of.key if of.how == Kind.TOKEN else "",
        name=of.name,
        role=of.role,
        namespaces=of.namespaces,
        digest=digest_of(text.split("_", 2)[2]),
        created_by=of.name,
        created_at=now,
        expires_at=min(now + SESSION_NS, of.expires_at or now + SESSION_NS),
    )
    return session, text


def is_within(principal: Principal, namespaces: frozenset[str] | None) -> bool:
    """Say whether these namespaces are all theirs; None stands for all that there are."""
    if principal.namespaces is None:
        return True
    return namespaces is not None and namespaces <= principal.namespaces


def _shown(namespaces: frozenset[str] | None) -> str:
    return "all namespaces" if namespaces is None else ", ".join(sorted(namespaces))
