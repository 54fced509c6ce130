"""The module policy: which modules tasks may run.

A module is *pinned* if its bytes can be no others: it was uploaded, or its image is named by digest. It is
*signed* if a key that the manager knows has signed it. Of an uploaded module that is known here. Of an image
or a module at a web address only a proplet knows it, which has fetched it: its start says which keys count.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from propeller.core.model import Spec

_PINNED = re.compile(r"(?!https?://).+@sha256:[0-9a-f]{64}", re.IGNORECASE)


class ModuleRule(StrEnum):
    ANY = "any"
    PINNED = "pinned"
    SIGNED = "signed"


class Keys(Protocol):
    """The public keys that count."""

    #: By name, as starts have them.
    texts: Mapping[str, str]

    def signer_of(self, digest: str, signature: str) -> str:
        """Name the key that has signed the module with this SHA-256, in hex; ``""`` if none of them has."""


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """The module policy, and the keys that count."""

    rule: ModuleRule = ModuleRule.ANY
    keys: Keys | None = None

    def signer_of(self, spec: Spec) -> str:
        """Name the key that has signed the module of a task; ``""`` for none, or none that is known here."""
        if self.keys is None or spec.module is None or not spec.signature:
            return ""
        return self.keys.signer_of(spec.module.digest, spec.signature)

    def names_keys(self, spec: Spec) -> bool:
        """Say whether the proplet of a task has to check who has signed its module.

        That is also so for a signature that comes with an image: nobody has checked it yet.
        """
        return self.rule is ModuleRule.SIGNED or bool(spec.signature and spec.module is None)

    def misgiven(self, spec: Spec) -> str:
        """Say what is wrong with a signature that comes with a module; ``""`` if nothing is."""
        if not spec.signature:
            return ""
        if self.keys is None:
            return _NO_KEYS
        if spec.module is not None and not self.signer_of(spec):
            return (
                f"signature: none of the keys that this manager knows ({self._names}) has made it for the "
                f"module sha256:{spec.module.digest}; sign that module with one of them"
            )
        return ""

    def refusal(self, spec: Spec) -> str:
        """Say why a task may not run its module, as far as that is known here; ``""`` if it may."""
        if self.rule is ModuleRule.ANY or (spec.module is None and not spec.image_url):
            return ""
        if self.rule is ModuleRule.PINNED:
            return "" if spec.module is not None or _PINNED.fullmatch(spec.image_url) else _NOT_PINNED
        if spec.module is not None:
            is_signed = bool(self.signer_of(spec))
            what = f"the module sha256:{spec.module.digest} has no signature"
        else:
            is_signed = bool(spec.signature) or not spec.image_url.lower().startswith(("http://", "https://"))
            what = "a module at a web address comes without signatures, and the task has none"
        if is_signed:
            return ""
        return (
            f"signature: the module policy of this manager is signed, and {what} by one of its keys "
            f"({self._names}); sign the module with one (propeller sign), and send the signature along"
        )

    @property
    def _names(self) -> str:
        return ", ".join(self.keys.texts) if self.keys is not None else "none"


NO_TRUST = Trust()
_NO_KEYS = (
    "signature: this manager knows no keys to check it with; set MANAGER_MODULE_KEYS there, or leave it out"
)
_NOT_PINNED = (
    "image_url: the module policy of this manager is pinned, and the module is not; name its image by "
    "digest, as …@sha256:…, or upload the module"
)
