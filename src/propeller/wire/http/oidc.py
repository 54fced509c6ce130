"""Signing in at an issuer of OpenID Connect, in the JSON of the HTTP API."""

from typing import Annotated

import msgspec

from propeller.wire.http.schema import like


class IssuerView(msgspec.Struct, kw_only=True):
    """Where people sign in, and as which client."""

    issuer: Annotated[str, like("The issuer, as its tokens name it.")]
    has_page: Annotated[bool, like("Whether people sign in there from the page.")]
    cli_client_id: Annotated[str, like("The client of the command line; empty for none.")]
    scopes: Annotated[list[str], like("What is asked for.", title="Scopes")]
