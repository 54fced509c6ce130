"""The certificates that a client trusts, and its own."""

import ssl
from pathlib import Path
from typing import NamedTuple

from propeller.errors import Invalid


class Trust(NamedTuple):
    """Whom a client of an ``https`` manager believes, and how it shows itself."""

    #: Whether the manager has to show a certificate for its name.
    verification: bool
    #: Who may have signed it, in PEM form, in place of those whom the system trusts.
    ca_cert: Path | None
    #: The client's own certificate; None for none.
    cert: Path | None
    #: The key of that certificate; None if it is in the same file.
    key: Path | None


def tls_context(trust: Trust | None) -> ssl.SSLContext:
    """Make what the connections of a client share; without trust, no certificates need to be read.

    Raises:
        Invalid: A file can't be used.

    """
    if trust is None:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=trust.ca_cert)
    except OSError as error:  # TLS errors are among them
        raise Invalid(
            f"CA certificate {trust.ca_cert} can't be used: {error}; give a file in PEM form"
        ) from error
    if trust.cert is not None:
        try:
            context.load_cert_chain(trust.cert, trust.key)
        except OSError as error:
            raise Invalid(
                f"client certificate {trust.cert} with the key in {trust.key or 'the same file'} can't be "
                f"used: {error}; give both in PEM form"
            ) from error
    elif trust.key is not None:
        raise Invalid(f"client key {trust.key}: there is no certificate for it; give --client-cert, too")
    if not trust.verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def distrust(error: BaseException) -> str:
    """Say why a certificate was not believed; ``""`` where the error is another."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause.verify_message if cause is not None else ""
