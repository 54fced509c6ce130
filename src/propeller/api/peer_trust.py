"""Whom a manager believes that it is another manager, and how it shows itself to that one."""

import ssl
from pathlib import Path
from typing import NamedTuple


class OwnCertificate(NamedTuple):
    """The files of the certificate of this manager, in PEM form."""

    cert: Path
    key: Path


class Trust:
    """Gives the context of new connections to managers; it is made anew when the certificate has changed."""

    def __init__(self, own: OwnCertificate | None) -> None:
        """Believe what the system trusts, and the certificate that this manager shows, if it has one."""
        self._own = own
        self._read_at = self._changed_at()
        self._context = self._read()

    def __call__(self) -> ssl.SSLContext:
        changed_at = self._changed_at()
        if changed_at != self._read_at:
            try:
                self._context, self._read_at = self._read(), changed_at
            except OSError:  # TLS errors are among them; who serves the API by these files says what is wrong
                return self._context
        return self._context

    def _changed_at(self) -> list[int]:
        return [file.stat().st_mtime_ns if file.exists() else 0 for file in self._own or ()]

    def _read(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._own is not None:
            context.load_verify_locations(self._own.cert)
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the file may have no root
            # Managers may ask each other for certificates, as they ask their clients.
            context.load_cert_chain(self._own.cert, self._own.key)
        return context
