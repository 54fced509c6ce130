"""The certificates that a client trusts."""

import ssl
from pathlib import Path

from propeller.errors import Invalid


def tls_context(*, is_tls: bool, verification: bool, ca_cert: Path | None) -> ssl.SSLContext:
    """Make what the connections of a client share.

    Args:
        is_tls: Whether the manager's address is ``https``; otherwise no certificates need to be read.
        verification: Whether the manager has to show a certificate for its name.
        ca_cert: Who may have signed it, in PEM form, in place of those whom the system trusts.

    Raises:
        Invalid: The file can't be used.

    """
    if not is_tls:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=ca_cert)
    except OSError as error:  # TLS errors are among them
        raise Invalid(f"CA certificate {ca_cert} can't be used: {error}; give a file in PEM form") from error
    if not verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def distrust(error: BaseException) -> str:
    """Say why a certificate was not believed; ``""`` where the error is another."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause.verify_message if cause is not None else ""
