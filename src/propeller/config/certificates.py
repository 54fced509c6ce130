"""A small certificate authority, and the certificates that it signs: text in PEM form, no files and no clock.

A program has its certificate and its key in one text, so that a file of it is replaced as a whole. All keys
are ECDSA on P-256, which every part of a fleet takes. The authority is renewed with the key that it has, so
what it has signed stays good, and so does a copy of it from before.
"""

import datetime as dt
import ipaddress
import re

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = dt.timedelta(days=3650)
LIFE = dt.timedelta(days=397)
#: What ends sooner is renewed.
SOON = dt.timedelta(days=30)
#: Clocks differ: a certificate is good from so long before it was made.
_BACK = dt.timedelta(hours=1)
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)
#: What the common name of a certificate has at most.
_NAME_CHARS_MAX = 64


class Authority(msgspec.Struct, frozen=True):
    """Who signs: a certificate that others believe, and the key to it, both in PEM form."""

    cert: str
    key: str


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a certificate is about."""

    #: The common name, which a broker may take for the user name.
    name: str
    #: Names and addresses at which it is served; empty for one who only connects.
    hosts: tuple[str, ...] = ()
    #: A name in the form of a URI; empty for none.
    uri: str = ""


def new_authority(name: str, now: dt.datetime) -> Authority:
    """Make an authority with a new key."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Authority(_self_signed(_named(name), key, now), _key_text(key))


def renewed_authority(authority: Authority, now: dt.datetime) -> Authority:
    """Give an authority a certificate that ends later, for the key that it has."""
    return Authority(_self_signed(_read(authority.cert).subject, _key_of(authority), now), authority.key)


def check_authority(authority: Authority) -> None:
    """Raise ``ValueError`` if the certificate or the key can't be read, or they do not belong together."""
    if _read(authority.cert).public_key() != _key_of(authority).public_key():
        raise ValueError("the key is not that of the certificate")


def issue(authority: Authority, subject: Subject, now: dt.datetime, *, life: dt.timedelta = LIFE) -> str:
    """Sign a certificate for a new key; give the key and the certificate.

    Raises:
        ValueError: The subject has a name that no certificate can have.

    """
    issuer, signer = _read(authority.cert), _key_of(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [*([ExtendedKeyUsageOID.SERVER_AUTH] if subject.hosts else []), ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = _builder(_named(subject.name), issuer.subject, key.public_key(), now, life)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(_authority_id(signer), critical=False)
    )
    names = [
        *map(_host, subject.hosts),
        *([x509.UniformResourceIdentifier(subject.uri)] if subject.uri else []),
    ]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return _key_text(key) + _text(builder.sign(signer, hashes.SHA256()))


def subject_of(text: str) -> Subject:
    """Read whom the certificate in a text is about, so that it can be signed anew; raise ``ValueError``."""
    found = _read(text)
    hosts, uris = list[str](), list[str]()
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        hosts += names.get_values_for_type(x509.DNSName)
        hosts += map(str, names.get_values_for_type(x509.IPAddress))
        uris += names.get_values_for_type(x509.UniformResourceIdentifier)
    except x509.ExtensionNotFound:
        pass
    (name,) = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Subject(name=str(name.value), hosts=tuple(hosts), uri="".join(uris[:1]))


def ends_soon(text: str, now: dt.datetime) -> bool:
    """Say whether the certificate in a text is to be renewed; raise ``ValueError`` if there is none."""
    return _read(text).not_valid_after_utc - now < SOON


def is_signed_by(text: str, authority: Authority) -> bool:
    """Say whether an authority has signed a certificate; raise ``ValueError`` if the text has none."""
    found = _read(text)
    try:
        found.verify_directly_issued_by(_read(authority.cert))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read(text: str) -> x509.Certificate:
    found = _CERTIFICATE.search(text)
    if found is None:
        raise ValueError("there is no certificate in it")
    return x509.load_pem_x509_certificate(found[0].encode())


def _key_of(authority: Authority) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(authority.key.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is none on an elliptic curve")  # noqa: TRY004
    return key


def _self_signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime) -> str:
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
    builder = (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _text(builder.sign(key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: dt.datetime,
    life: dt.timedelta,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(now - _BACK).not_valid_after(now + life)


def _named(name: str) -> x509.Name:
    if not 0 < len(name) <= _NAME_CHARS_MAX:
        raise ValueError(f"{name!r} has to have 1 to {_NAME_CHARS_MAX} characters to stand in a certificate")
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name.encode("idna").decode())


def _authority_id(signer: ec.EllipticCurvePrivateKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _text(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_text(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
