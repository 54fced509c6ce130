"""Who has signed the module that a start wants run, where the start says which keys count."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from propeller.errors import Invalid
from propeller.signing.images import SignedImage
from propeller.wire.fleet.from_manager import Start

if TYPE_CHECKING:
    from propeller.signing.signers import Signers


class Judgement(NamedTuple):
    """What was found of the signatures of a module."""

    #: The name of the key that has signed it; ``""`` for none, or if nobody asked.
    signer: str = ""
    #: Why it may not run; ``""`` if it may.
    refusal: str = ""


def wants_image_signed(start: Start) -> bool:
    """Say whether the signatures that a registry has of an image are to be looked at."""
    image = start.image_url or ""
    return bool(
        start.keys and image and not start.module and not image.lower().startswith(("http://", "https://"))
    )


class ModuleSigners:
    """Finds signers; the keys of the last start are remembered, which are mostly those of the next."""

    def __init__(self) -> None:
        self._texts: Mapping[str, str] = {}
        self._signers: Signers | None = None

    def judge(self, start: Start, digest: str, image: SignedImage | None) -> Judgement:
        """Look for the signer of a module.

        Args:
            start: Wants it run.
            digest: SHA-256 of what is on the disk, in hex.
            image: The image that it came from, with its signatures; None if it came from none.

        """
        if not start.keys:
            return Judgement()
        try:
            signers = self._signers_of(start.keys)
        except Invalid as error:
            return Judgement(refusal=f"signature: {error}, so nobody can say who has signed the module")
        signer = signers.signer_of(digest, start.signature) if start.signature else ""
        if not signer and image is not None:
            signer = signers.signer_of_image(image)
        if signer:
            return Judgement(signer)
        names, module = ", ".join(start.keys), f"the module sha256:{digest}"
        what = (
            f"image {start.image_url}, nor {module} in it" if image is not None and image.digest else module
        )
        return Judgement(
            refusal=f"signature: none of the keys that count ({names}) has signed {what}; sign it with one "
            "of them"
        )

    def _signers_of(self, texts: Mapping[str, str]) -> "Signers":
        if self._signers is None or texts != self._texts:
            from propeller.signing.signers import Signers  # noqa: PLC0415  it loads cryptography

            self._signers, self._texts = Signers.of_texts(texts), texts
        return self._signers
