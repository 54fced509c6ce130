"""Signing in at an issuer of OpenID Connect without a browser of one's own: by a code for any other device.

Source: RFC 8628; RFC 6749, 6; OpenID Connect Discovery 1.0, 4.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
import msgspec

from propeller.client.address import is_loopback
from propeller.client.errors import ApiError, Unreachable, not_reached
from propeller.errors import Invalid, TimedOut, Unavailable

_ANSWER_S_MAX = 10.0
_ANSWER_BYTES_MAX = 1024 * 1024
#: How often it is asked whether somebody has entered the code, s, unless the issuer says; and how much longer
#: when it finds that too often.
_EVERY_S = 5
_SLOWER_S = 5
_DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"


class Code(msgspec.Struct, kw_only=True):
    """What somebody has to enter, and where."""

    device_code: str
    user_code: str
    verification_uri: str
    #: The same with the code in it; ``""`` if the issuer has none.
    verification_uri_complete: str = ""
    #: How long it may take, s.
    expires_in: int
    interval: int = _EVERY_S


class Granted(msgspec.Struct, kw_only=True):
    """What the issuer gives in the end."""

    #: Shown to the manager.
    id_token: str
    #: Gives another one later; ``""`` if the issuer gives none.
    refresh_token: str = ""


class Device:
    """Asks one issuer for tokens, as one client without a secret."""

    def __init__(self, issuer: str, client_id: str, *, trusted: ssl.SSLContext | None = None) -> None:
        """Make it; nothing is sent yet.

        Args:
            issuer: Its address, as the manager names it.
            client_id: The client, as the manager names it.
            trusted: What its certificate is checked with; None for the system's.

        Raises:
            Invalid: Others could read what is sent there.

        """
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
            raise Invalid(
                f"the issuer {issuer[:200]!r} is not https, so anybody on the way could sign in as you"
            )
        self.issuer = issuer
        self._client_id = client_id
        self._http = httpx.Client(verify=trusted or ssl.create_default_context(), timeout=_ANSWER_S_MAX)
        self._known: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def code(self, scopes: list[str]) -> Code:
        """Ask for a code.

        Raises:
            Unavailable: The issuer has no such thing.
            ApiError: It refuses.
            Unreachable: It does not answer.

        """
        form = {"client_id": self._client_id, "scope": " ".join(scopes)}
        status, answer = self._post("device_authorization_endpoint", form)
        if status != 200:
            raise self._refusal(status, answer)
        try:
            return msgspec.convert(answer, Code)
        except msgspec.ValidationError as error:
            raise Unavailable(f"the issuer {self.issuer} sends no code: {error}") from error

    def granted(self, code: Code, wait: Callable[[float], None] = time.sleep) -> Granted:
        """Wait until somebody has entered the code, and give what comes of it.

        Raises:
            TimedOut: Nobody did in time.
            ApiError: Somebody refused, or the issuer does.
            Unreachable: It does not answer.

        """
        form = {"grant_type": _DEVICE_CODE, "device_code": code.device_code, "client_id": self._client_id}
        left_s, every_s = float(code.expires_in), float(code.interval)
        while left_s > 0:
            wait(every_s)
            left_s -= every_s
            status, answer = self._post("token_endpoint", form)
            if status == 200:
                return self._granted(answer)
            match answer.get("error"):
                case "authorization_pending":
                    continue
                case "slow_down":
                    every_s += _SLOWER_S
                case "expired_token":
                    break
                case _:
                    raise self._refusal(status, answer)
        raise TimedOut(f"nobody entered the code {code.user_code} in time; sign in again")

    def renewed(self, refresh_token: str) -> Granted:
        """Get another token, without anybody; raise as ``granted`` does."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": self._client_id}
        status, answer = self._post("token_endpoint", form)
        if status != 200:
            raise self._refusal(status, answer)
        granted = self._granted(answer)
        # Some issuers let the old one go on to count.
        return msgspec.structs.replace(granted, refresh_token=granted.refresh_token or refresh_token)

    def _granted(self, answer: Mapping[str, Any]) -> Granted:
        try:
            return msgspec.convert(answer, Granted)
        except msgspec.ValidationError as error:
            raise Unavailable(f"the issuer {self.issuer} does not say who signed in: {error}") from error

    def _post(self, endpoint: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        if not self._known:
            status, self._known = self._read(
                "GET", f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            )
            if status != 200 or self._known.get("issuer") != self.issuer:
                raise Unavailable(f"{self.issuer} is no issuer of OpenID Connect, or calls itself otherwise")
        address = self._known.get(endpoint)
        if not isinstance(address, str):
            raise Unavailable(f"the issuer {self.issuer} has no {endpoint}; use a token of the manager")
        if urlsplit(address).scheme not in ("https", urlsplit(self.issuer).scheme):
            raise Unavailable(f"the issuer {self.issuer} names {address[:200]!r}, which is not https")
        return self._read("POST", address, form)

    def _read(
        self, method: str, address: str, form: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        try:
            with self._http.stream(method, address, data=form) as response:
                body = b""
                for piece in response.iter_bytes():
                    body += piece
                    if len(body) > _ANSWER_BYTES_MAX:
                        raise Unavailable(
                            f"the issuer {self.issuer} sends more than {_ANSWER_BYTES_MAX} bytes"
                        )
        except httpx.TimeoutException as error:
            raise Unreachable(self.issuer, "it took too long") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise not_reached(self.issuer, error) from error
        try:
            found = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.MsgspecError, ValueError) as error:
            raise Unavailable(
                f"the issuer {self.issuer} answers {response.status_code} and no JSON"
            ) from error
        return response.status_code, found

    def _refusal(self, status: int, answer: Mapping[str, Any]) -> ApiError:
        told = answer.get("error_description") or answer.get("error") or f"it answers {status}"
        return ApiError(status, f"the issuer {self.issuer} refuses it: {str(told)[:200]}")
