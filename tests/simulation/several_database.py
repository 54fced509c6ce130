"""One database for several managers: records, who leads, and lines to it that are slow, cut and lose answers."""

from collections.abc import Callable
from typing import Any

from propeller.core.effects import Changes

from .several_checker import SeveralChecker
from .store import SimulatedStore
from .world import S, World

#: How long a lease holds by the clock of the database, and how long a manager waits for an answer.
LEASE_S = 3.0
#: The chance that a connection breaks under a request: before it has arrived, or before the answer has.
BROKEN = 0.03
LONG_DELAY = 0.03


class Database:
    """Each method is one transaction, by a clock that goes at a rate of its own."""

    def __init__(self, world: World, store: SimulatedStore, checker: SeveralChecker):
        self.store = store
        self.token = 0
        self.holder = ""
        self.commits = 0
        self._expires_at = 0.0
        #: Those who hear that the lead was given back.
        self.listeners: list[Callable[[], None]] = []
        self._world = world
        self._checker = checker
        self._rate = 1 + world.random.uniform(-0.04, 0.04)

    def _clock(self) -> float:
        return self._world.now / S * self._rate

    def take(self, holder: str) -> tuple[int, int] | None:
        """Take the lead; give the token and how many commits there were."""
        if self._expires_at >= self._clock() and self.holder != holder:
            return None
        self._take(holder)
        return self.token, self.commits

    def _take(self, holder: str) -> None:
        self.token += 1
        self.holder = holder
        self._expires_at = self._clock() + LEASE_S
        self._world.note("database", f"gives the lead to {holder} with token {self.token}")
        self._checker.taken(self.token, holder)

    def renew(self, token: int) -> bool:
        if self.is_fenced(token):
            return False
        self._expires_at = self._clock() + LEASE_S
        return True

    def release(self, token: int) -> None:
        if token == self.token:
            self._world.note("database", f"has the lead of token {token} back")
            self._expires_at, self.holder = float("-inf"), ""
            for hear in self.listeners:
                if not self._world.trouble(BROKEN, "notice lost"):
                    self._world.after(self._world.between(0.1, 20), hear)

    def is_fenced(self, token: int) -> bool:
        """Say whether writes with a token are refused."""
        return token != self.token

    def commit(self, token: int, commits: int, changes: Changes) -> str:
        """Write if the token is the newest and so many commits were made before; say what became of it."""
        if self.is_fenced(token) or (commits == self.commits and not self.holder):
            return "lost"
        if commits != self.commits:
            return "done" if commits == self.commits - 1 else "lost"
        self.write(token, changes)
        self.renew(token)
        return "done"

    def write(self, token: int, changes: Changes) -> None:
        self._checker.committing(token, changes)
        self.store.commit(changes)
        self.commits += 1
        for move in changes.transitions:
            self._world.note("database", f"has {move.state.name}, attempt {move.attempt}", move.task_id)


class Line:
    """What carries the requests of one manager to the database, in order, and their answers back."""

    def __init__(self, world: World, name: str):
        self._world = world
        self._name = name
        self.is_cut = False
        self._last_at = 0

    def cut(self, duration_ns: int) -> None:
        if self.is_cut:
            return
        self._world.note(self._name, f"has no line to the database for {duration_ns / S:.1f} s")
        self.is_cut = True

        def mend() -> None:
            self.is_cut = False

        self._world.after(duration_ns, mend)

    def ask(
        self,
        do: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[], None],
        fail_after_s: float,
    ) -> None:
        """Have something done there; exactly one of ``then`` and ``failed`` follows.

        What is given up may be done all the same, later.
        """
        world = self._world
        outcome: list[str] = []

        def give_up() -> None:
            if not outcome:
                outcome.append("failed")
                failed()

        def arrive() -> None:
            if self.is_cut or world.trouble(BROKEN / 2, "database unreachable"):
                return
            answer = do()
            if not world.trouble(BROKEN / 2, "database unreachable"):
                world.after(self._delay(), lambda: come_back(answer))

        def come_back(answer: Any) -> None:
            if not outcome and not self.is_cut:
                outcome.append("answered")
                then(answer)

        # One connection: nothing overtakes what was asked before.
        self._last_at = max(world.now + self._delay(), self._last_at + 1)
        world.after(self._last_at - world.now, arrive)
        world.after(int(fail_after_s * S), give_up)

    def _delay(self) -> int:
        world = self._world
        return (
            world.between(200, 4000) if world.trouble(LONG_DELAY, "database slow") else world.between(0.1, 5)
        )
