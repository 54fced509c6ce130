"""The certificate that a server shows: read anew when its files change, and watched as its end comes near.

Connections that are open go on with the certificate that they began with. Files that can't be used change
nothing: the server goes on showing what it has, and its log says why.
"""

import datetime as dt
import logging
import ssl
from pathlib import Path
from typing import Any, NoReturn

from propeller.config.settings import HttpSettings
from propeller.errors import BadCertificate

_log = logging.getLogger(__name__)

#: From so long before its end on, s, a certificate is warned of.
WARNED_S = 14 * 86_400
#: How often, s.
_WARN_EVERY_S = 86_400
_DEMANDS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}

#: What tells that a file is another than before.
_Stamp = tuple[int, int, int]


class Certificate:
    """The certificate of one server, with its key, and the CAs of its clients."""

    def __init__(self, http: HttpSettings) -> None:
        """Read the files.

        Raises:
            BadCertificate: One can't be used.

        """
        self._http = http
        self._files = [file for file in (http.server_cert, http.server_key, http.client_ca) if file]
        self._stamps = self._seen = self._look_at_files()
        #: What the server is given, for as long as it runs; it hands each connection on to the newest.
        self.context = self._newest = self._read()
        self.context.sni_callback = self._choose
        self.ends_at = end_of(self._cert)
        self._warned_at = 0.0

    @property
    def _cert(self) -> Path:
        assert self._http.server_cert is not None
        return self._http.server_cert

    def look(self, now: float) -> None:
        """Read the files anew if they have changed, and warn of the end; to be called about once a second.

        Args:
            now: Unix time, s.

        """
        found = self._look_at_files()
        # Two files are written one after the other: what still changes is not read yet.
        if found != self._stamps and found == self._seen:
            self.read_again()
        self._seen = found
        if self.ends_at - now < WARNED_S and now - self._warned_at >= _WARN_EVERY_S:
            self._warned_at = now
            _warn(self._cert, self.ends_at, now)

    def read_again(self) -> None:
        """Read the files anew; what can't be used changes nothing."""
        self._stamps = self._look_at_files()
        try:
            newest, ends_at = self._read(), end_of(self._cert)
        except BadCertificate as error:
            _log.warning("%s; the API goes on with the certificate that it has", error)
            return
        self._newest, self.ends_at, self._warned_at = newest, ends_at, 0.0
        _log.info("the API has read its certificate anew; it is good until %s", _shown(ends_at))

    def _look_at_files(self) -> list[_Stamp | None]:
        return [_stamp(file) for file in self._files]

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest

    def _read(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        key = self._http.server_key
        try:
            context.load_cert_chain(self._cert, key, password=_refuse_password)
        except (OSError, ValueError) as error:  # TLS errors are among them
            raise BadCertificate(
                f"http_server_cert: {self._cert} with the key {key} can't be used: {_reason(error)}; give "
                "both in PEM form, the key without a password"
            ) from error
        authority = self._http.client_ca
        context.verify_mode = _DEMANDS[self._http.client_auth]
        if authority is not None:
            try:
                context.load_verify_locations(authority)
            except (OSError, ValueError) as error:
                raise BadCertificate(
                    f"http_server_ca_certs: {authority} can't be used: {_reason(error)}; give the CAs of "
                    "clients in PEM form"
                ) from error
            # A resumed session would not look at the certificate again.
            context.num_tickets = 0
            context.options |= ssl.OP_NO_TICKET
        return context


def end_of(file: Path) -> float:
    """Give the moment, in Unix time, s, until which the first certificate in a PEM file is good.

    Raises:
        BadCertificate: There is none.

    """
    from cryptography import x509  # noqa: PLC0415  who serves no HTTPS needs none of it

    try:
        return x509.load_pem_x509_certificate(file.read_bytes()).not_valid_after_utc.timestamp()
    except (OSError, ValueError) as error:
        raise BadCertificate(f"http_server_cert: {file} can't be read: {error}") from error


def tls_of(connection: ssl.SSLObject, certificate: Certificate | None) -> dict[object, object]:
    """Describe a connection as ASGI's TLS extension does; ``server_cert`` is None, as nobody needs it.

    Besides that, ``client_name`` is the name that a client's certificate has, its URI or else its common
    name, and ``""`` where there is none; ``…_ends_at`` are Unix times, s.
    """
    found: dict[str, Any] = connection.getpeercert() or {}
    chain = [ssl.DER_cert_to_PEM_cert(der)] if (der := connection.getpeercert(binary_form=True)) else []
    named = [(key, value) for part in found.get("subject", ()) for key, value in part]
    uris = [value for kind, value in found.get("subjectAltName", ()) if kind == "URI"]
    common = [value for key, value in named if key == "commonName"]
    version = connection.version()
    return {
        "server_cert": None,
        "client_cert_chain": chain,
        "client_cert_name": ",".join(f"{key}={value}" for key, value in reversed(named)) or None,
        "client_cert_error": None,
        "tls_version": {"TLSv1.2": 0x0303, "TLSv1.3": 0x0304}.get(version or ""),
        "cipher_suite": None,
        "client_name": (*uris, *common, "")[0],
        "client_cert_ends_at": ssl.cert_time_to_seconds(found["notAfter"]) if found else None,
        "server_cert_ends_at": certificate.ends_at if certificate else None,
    }


def _stamp(file: Path) -> _Stamp | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _warn(file: Path, ends_at: float, now: float) -> None:
    if ends_at <= now:
        _log.error("the certificate %s ended at %s: clients refuse it; renew it", file, _shown(ends_at))
    else:
        days = int((ends_at - now) // 86_400)
        _log.warning("the certificate %s ends in %d days, at %s; renew it", file, days, _shown(ends_at))


def _shown(moment: float) -> str:
    return f"{dt.datetime.fromtimestamp(moment, dt.UTC):%Y-%m-%d %H:%M} UTC"


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)


def _refuse_password() -> NoReturn:
    raise ValueError("the key is encrypted")
