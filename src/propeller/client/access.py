"""The part of ``Client`` that is about who one is, and who else may use the manager."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

from propeller.client import shapes


class Access(ABC):
    """Requests about tokens; a manager that only knows the contract has none of them."""

    @abstractmethod
    def request(self, method: str, path: str, *, query: Any = None, **body: Any) -> Any:
        """Send a request and return the JSON of the answer."""

    def whoami(self) -> shapes.Principal:
        """Return who the manager takes the client for, and what it may do."""
        return cast("shapes.Principal", self.request("GET", "/session"))

    def issuer(self) -> shapes.Issuer:
        """Return at which issuer people sign in."""
        return cast("shapes.Issuer", self.request("GET", "/session/oidc"))

    def create_token(
        self, name: str, role: str, *, namespaces: Sequence[str] | None = None, expires_in: str = ""
    ) -> shapes.CreatedToken:
        """Create a token; the answer has its text, which is not shown again."""
        body: dict[str, Any] = {"name": name, "role": role}
        if namespaces is not None:
            body["namespaces"] = list(namespaces)
        if expires_in:
            body["expires_in"] = expires_in
        return cast("shapes.CreatedToken", self.request("POST", "/tokens", json=body))

    def tokens(self, *, offset: int = 0, limit: int = 100) -> shapes.TokenPage:
        query = {"offset": str(offset), "limit": str(limit)}
        return cast("shapes.TokenPage", self.request("GET", "/tokens", query=query))

    def revoke_token(self, token_id: str) -> None:
        self.request("DELETE", f"/tokens/{quote(token_id, safe='')}")
