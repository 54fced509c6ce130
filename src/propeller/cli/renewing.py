"""Tokens of an issuer in contexts: each is renewed before it ends, by one command at a time."""

import base64
import contextlib
import fcntl
import time
from collections.abc import Iterator

import msgspec

from propeller import private
from propeller.cli.contexts import Context, contexts_file, read_contexts, write_contexts
from propeller.errors import Unauthenticated

#: A token that ends sooner is renewed, s.
_LEFT_S_MIN = 30


class _Claims(msgspec.Struct):
    exp: float


def token_of(context: Context) -> str:
    """Give the token of the context in use; one of an issuer is renewed and kept if it ends soon.

    Raises:
        Unauthenticated: The issuer does not renew it any more.
        Unreachable: The issuer does not answer.

    """
    if not context.refresh_token or not _ends_soon(context.token):
        return context.token
    # Most issuers take a refresh token once: of two commands, one waits and finds what the other got.
    with _locked():
        contexts = read_contexts()
        name = contexts.in_use()
        kept = contexts.named(name)
        if not _ends_soon(kept.token):
            return kept.token
        contexts.contexts[name] = renewed = _renewed(kept)
        write_contexts(contexts)
    return renewed.token


def _renewed(context: Context) -> Context:
    from propeller.client.device import Device  # noqa: PLC0415  loaded where needed
    from propeller.client.errors import ApiError  # noqa: PLC0415

    with Device(context.issuer, context.client_id) as device:
        try:
            granted = device.renewed(context.refresh_token)
        except ApiError as error:
            raise Unauthenticated(f"{error.message}; sign in again: propeller login --oidc") from error
    return msgspec.structs.replace(context, token=granted.id_token, refresh_token=granted.refresh_token)


def _ends_soon(token: str) -> bool:
    """Read when a token ends; who checks its signature is the manager."""
    part = token.split(".")[1] if token.count(".") == 2 else ""
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)), type=_Claims)
    except (ValueError, msgspec.MsgspecError):
        return True
    return claims.exp - time.time() < _LEFT_S_MIN


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    path = contexts_file().with_suffix(".lock")
    private.make_file(path)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
