"""Who has signed: the keys that count, asked for modules and images."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Self

from propeller.errors import Invalid
from propeller.signing import images
from propeller.signing.images import SignedImage
from propeller.signing.keys import PublicKey, of_text
from propeller.signing.signatures import read

_KEPT = 1000


class Signers:
    """The public keys that count, by name; signatures that were checked last are remembered."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.name: key for key in keys}
        #: By name, as ``PublicKey.text`` has each.
        self.texts: Mapping[str, str] = {name: key.text for name, key in self._keys.items()}
        self._known: OrderedDict[tuple[str, str], str] = OrderedDict()

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> Self:
        """Make them of ``texts``; raise ``Invalid`` if one is no key."""
        return cls(of_text(name, text) for name, text in texts.items())

    @property
    def names(self) -> list[str]:
        return list(self._keys)

    def signer_of(self, digest: str, signature: str) -> str:
        """Name the key that has signed a module; ``""`` if none of these has.

        Args:
            digest: SHA-256 of the module, in hex.
            signature: Its text, which may be anything.

        """
        asked = digest, signature
        found = self._known.get(asked)
        if found is None:
            found = self._known[asked] = self._signer_of(digest, signature)
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return found

    def _signer_of(self, digest: str, signature: str) -> str:
        try:
            made = read(signature)
        except Invalid:
            return ""
        return next((name for name, key in self._keys.items() if made.is_by(key, digest)), "")

    def signer_of_image(self, image: SignedImage) -> str:
        """Name the key that has signed an image; ``""`` if none of these has."""
        for one in image.signatures:
            for name, key in self._keys.items():
                if images.is_by(key, image, one):
                    return name
        return ""
