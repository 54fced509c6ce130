"""The part of ``Client`` that is about secrets; no answer has a value."""

from abc import ABC, abstractmethod
from typing import Any
from urllib.parse import quote


class Secrets(ABC):
    """Requests about secrets; ``namespace`` ``""`` is that of the sender, or ``default``."""

    @abstractmethod
    def request(self, method: str, path: str, *, query: Any = None, **body: Any) -> Any:
        """Send a request and return the JSON of the answer."""

    def secrets(self, *, namespace: str = "") -> Any:
        """Return the secrets of a namespace, or of all that one sees."""
        return self.request("GET", "/secrets", query=_in(namespace))

    def set_secret(self, name: str, value: str, *, namespace: str = "") -> Any:
        """Set the next version of a secret; return it without its value."""
        return self.request("PUT", _path(name), query=_in(namespace), json={"value": value})

    def secret(self, name: str, *, namespace: str = "", offset: int = 0, limit: int = 100) -> Any:
        """Return the versions of a secret, and a page of its uses."""
        query = {"offset": str(offset), "limit": str(limit), **_in(namespace)}
        return self.request("GET", _path(name), query=query)

    def delete_secret(self, name: str, *, namespace: str = "") -> None:
        self.request("DELETE", _path(name), query=_in(namespace))

    def rekey_secrets(self) -> Any:
        """Have all secrets encrypted with a new key; return how many there are, and the key's name."""
        return self.request("POST", "/secret-keys")


def _path(name: str) -> str:
    return f"/secrets/{quote(name, safe='')}"


def _in(namespace: str) -> dict[str, str]:
    return {"namespace": namespace} if namespace else {}
