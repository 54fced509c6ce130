"""The starts that wait for their modules, and the modules that are here. Pure."""

from propeller.proplet.actions import Fetch
from propeller.proplet.held import Held
from propeller.proplet.signers import wants_image_signed
from propeller.proplet.starts import source_of
from propeller.signing.images import SignedImage


class AwaitedModules:
    """Which modules are on the disk, and who waits for which other ones, by their source."""

    def __init__(self) -> None:
        self._here: set[str] = set()
        self._waiting: dict[str, list[Held]] = {}

    def is_here(self, held: Held) -> bool:
        """Say whether the module is on the disk; of an image nobody knows which one it names now."""
        return source_of(held.start) in self._here

    def wait(self, held: Held) -> list[Fetch]:
        """Let a start wait for its module, which is to be fetched if it is the first."""
        source = source_of(held.start)
        waiting = self._waiting.setdefault(source, [])
        waiting.append(held)
        return [_fetch(source, waiting)] if len(waiting) == 1 else []

    def wait_no_more(self, held: Held) -> None:
        self._waiting[source_of(held.start)].remove(held)

    def arrived(self, source: str, digest: str, image: SignedImage | None) -> tuple[list[Held], list[Fetch]]:
        """Give the starts that need wait no more, and what is still to be fetched.

        Without ``image`` the fetch began for starts that ask for no signatures; others wait for the next one.
        """
        self._here.add(f"sha256:{digest}")
        waiting = self._waiting.pop(source, [])
        is_enough = [image is not None or not wants_image_signed(held.start) for held in waiting]
        still = [held for held, enough in zip(waiting, is_enough, strict=True) if not enough]
        if still:
            self._waiting[source] = still
        ready = [held for held, enough in zip(waiting, is_enough, strict=True) if enough]
        return ready, [_fetch(source, still)] if still else []

    def missing(self, source: str) -> list[Held]:
        """Give the starts that wait for this in vain."""
        return self._waiting.pop(source, [])

    def gone(self, digest: str) -> None:
        """Note that a module is not on the disk any more."""
        self._here.discard(f"sha256:{digest}")

    def clear(self) -> None:
        """Let nobody wait any more."""
        self._waiting.clear()

    def fetches(self) -> list[Fetch]:
        """List all that is to be fetched."""
        return [_fetch(source, waiting) for source, waiting in self._waiting.items() if waiting]


def _fetch(source: str, waiting: list[Held]) -> Fetch:
    return Fetch(source, any(wants_image_signed(held.start) for held in waiting))
