"""Image references: ``[registry[:port]/]repository[:tag][@sha256:…]``, read as other tools read them.

Without a registry Docker Hub is meant, and there a name without a slash is one of ``library/``. Where a tag
and a digest are given, the digest counts.
"""

import re

import msgspec

from propeller.errors import ModuleUnavailable

_HUB = "docker.io"
_HUB_NAMES = {_HUB, "index.docker.io", "registry-1.docker.io"}
_HUB_API = "registry-1.docker.io"
_DEFAULT_TAG = "latest"
#: Some tools write it in front of a reference.
_SCHEME = "oci://"

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::[0-9]{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_PART}(?:/{_PART})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

_REPOSITORY_CHARS_MAX = 255
_REFERENCE_CHARS_MAX = 1024


class Reference(msgspec.Struct, frozen=True):
    """One image, in full."""

    #: ``host[:port]`` as people write it.
    registry: str
    repository: str
    #: Empty if a digest stands in its place.
    tag: str
    #: ``sha256:<hex>`` of the manifest, or empty.
    digest: str

    @property
    def api_host(self) -> str:
        """The host at which the registry answers."""
        return api_host(self.registry)

    @property
    def version(self) -> str:
        """The tag or digest to ask the registry for."""
        return self.digest or self.tag

    def __str__(self) -> str:
        mark = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{self.registry}/{self.repository}{mark}"


def parse_reference(text: str) -> Reference:
    """Read an image reference, also one that begins with ``oci://``.

    Raises:
        ModuleUnavailable: It is none; the text says which part of it is wrong.

    """
    text = text.removeprefix(_SCHEME)
    if not text or len(text) > _REFERENCE_CHARS_MAX:
        raise ModuleUnavailable(
            f"an image reference has 1 to {_REFERENCE_CHARS_MAX} characters, this one {len(text)}"
        )
    if _DIGEST.fullmatch(text):
        raise _wrong(text, "it is the digest of a module and does not say where that is")
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise _wrong(text, f"{digest!r} is not a digest; those are sha256: and 64 hexadecimal digits")
    registry, path = _split_registry(name)
    if not _HOST.fullmatch(registry):
        raise _wrong(text, f"{registry!r} is not a host")
    # A colon in front of the last slash belongs to a port.
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise _wrong(text, f"{tag!r} is not a tag")
    if registry == _HUB and repository and "/" not in repository:
        repository = f"library/{repository}"
    if not _REPOSITORY.fullmatch(repository) or len(repository) > _REPOSITORY_CHARS_MAX:
        raise _wrong(
            text, f"{repository!r} is not a repository; those are of lower-case letters, digits and . _ - /"
        )
    return Reference(registry, repository, "" if at else tag or _DEFAULT_TAG, digest)


def api_host(registry: str) -> str:
    """Map the names of Docker Hub to the host that serves it; other names, in lower case, stay."""
    name = registry.lower()
    return _HUB_API if name in _HUB_NAMES else name


def _split_registry(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    if slash and (any(mark in first for mark in ".:") or first == "localhost" or first != first.lower()):
        return (_HUB if first in _HUB_NAMES else first), rest
    return _HUB, name


def _wrong(text: str, why: str) -> ModuleUnavailable:
    return ModuleUnavailable(f"{text!r} is not an image reference: {why}")
