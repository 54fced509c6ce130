"""What ran in an attempt, for whoever asks later where its result comes from."""

from typing import Annotated

import msgspec

from propeller.core.sandbox import Grants

_Words = Annotated[str, msgspec.Meta(max_length=200)]


class Ran(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a proplet says that it has run. Stored."""

    #: SHA-256 of the module, in hex.
    digest: Annotated[str, msgspec.Meta(max_length=64)]
    #: The engine that ran it, with its version.
    runtime: _Words = ""
    #: The version of Propeller there.
    version: _Words = ""
    #: The name of the key that has signed the module, or its image; ``""`` for none that is known.
    signer: _Words = ""
    #: What of the machine it was given; None for nothing but what all have.
    grants: Grants | None = None
    #: ``Spec.revision`` of the task that ran; the manager sets it.
    revision: int = 0
