"""Key brokers, which give the keys of encrypted images to a proplet inside a TEE.

There are many kinds, so a broker is what an installed package offers under the entry points named
``propeller.key_brokers``: the name is the scheme of ``PROPLET_KBS_URI``, the object is a ``Connect``.
"""

import importlib.metadata
from typing import Protocol

from propeller.errors import Invalid

GROUP = "propeller.key_brokers"
_REFUSAL = "TEE runtime not available"


class KeyBroker(Protocol):
    async def key(self, resource_path: str, evidence: bytes) -> bytes:
        """Ask for a key.

        Args:
            resource_path: The task's ``kbs_resource_path``, as in ``default/key/k1``.
            evidence: What the TEE attests of itself, in its own format.

        Raises:
            PermissionError: The broker does not give it; the text says why.
            OSError: The broker can't be reached.

        """


class Connect(Protocol):
    def __call__(self, uri: str) -> KeyBroker:
        """Make the broker at this address, without asking it for anything.

        Raises:
            ValueError: The address means nothing; the text says why.

        """


def broker_at(uri: str) -> KeyBroker:
    """Make the broker at this address, with the package that speaks its scheme.

    Raises:
        Invalid: There is no such package, or it does not take the address; the text says what to do.

    """
    scheme, found, _ = uri.partition("://")
    if not found:
        raise Invalid("PROPLET_KBS_URI: it names no scheme; write it like https://kbs.example:8080")
    packages = list(importlib.metadata.entry_points(group=GROUP, name=scheme))
    if not packages:
        raise Invalid(
            f"PROPLET_KBS_URI: no package for the key brokers of {scheme}:// is installed; install one with "
            f"an entry point {scheme} in the group {GROUP}"
        )
    try:
        connect: Connect = packages[0].load()
        return connect(uri)
    except Exception as error:  # it is somebody else's, and must not end the proplet
        raise Invalid(
            f"PROPLET_KBS_URI: the key broker {packages[0].value} can't be used: {error}"
        ) from error


def refusal_of_encrypted(tee: str, kbs_uri: str) -> str:
    """Say why this proplet can't run encrypted workloads, and what to do.

    Args:
        tee: As ``found_tee`` names it.
        kbs_uri: Where the key broker is; ``""`` for none.

    """
    if not tee:
        return (
            f"{_REFUSAL}: the machine of this proplet is no TDX or SEV-SNP guest and no SGX enclave; "
            "run the task on a proplet inside one, or set encrypted to false and give an image that is not"
        )
    if not kbs_uri:
        return f"{_REFUSAL}: the proplet is in a TEE ({tee}) and knows no key broker; set PROPLET_KBS_URI"
    try:
        broker_at(kbs_uri)
    except Invalid as invalid:
        return f"{_REFUSAL}: {invalid}"
    return (
        f"{_REFUSAL}: the proplet is in a TEE ({tee}) and has a key broker, but this version has nothing to "
        "decrypt the layers of an image with; set encrypted to false and give an image that is not"
    )
