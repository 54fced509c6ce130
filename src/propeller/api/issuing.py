"""What signing in at an issuer takes, told apart from how it is done, which loads much."""

from typing import Protocol, runtime_checkable

import msgspec

from propeller.access.principal import Principal
from propeller.access.sign_in import SignIn


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """By which clients of the issuer people sign in."""

    #: The client of the page; ``""`` for none, and its secret; ``""`` for a public client.
    page: str = ""
    secret: str = ""
    #: The client of the command line; ``""`` for none.
    cli: str = ""
    scopes: tuple[str, ...] = ("openid",)

    def __repr__(self) -> str:
        return f"Clients(page={self.page!r}, …)"


@runtime_checkable
class Issuing(Protocol):
    """A way to know people that sends them to an issuer, and takes them in when they come back."""

    clients: Clients

    async def close(self) -> None:
        """End what is under way."""

    @property
    def name(self) -> str:
        """The issuer, as its tokens name it."""

    async def address(self, sign_in: SignIn) -> str:
        """Give the address at the issuer that a browser begins at; raise ``Unavailable``."""

    async def signed_in(self, sign_in: SignIn, code: str) -> Principal:
        """Say who has signed in, by the code that the browser brought back.

        Raises:
            Unauthenticated: The issuer refuses the code, or what it says is wrong.
            Forbidden: Who that is has no role here.
            Unavailable: The issuer does not answer.

        """
