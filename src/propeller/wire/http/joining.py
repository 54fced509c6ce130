"""Join tokens in the JSON of the HTTP API."""

from typing import Annotated

import msgspec

from propeller.wire.http.schema import Time, like


class NewJoinToken(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    expires_in: Annotated[str, like("As in 1h or 2d.")] = "1h"


class JoinTokenView(msgspec.Struct, kw_only=True):
    #: What one proplet gets as ``PROPLET_JOIN_TOKEN``; it is not shown again.
    token: str
    expires_at: Time
