"""One database for several managers: records, who leads, and lines to it that are slow, cut and lose answers."""

from collections.abc import Callable
from typing import Any

from propeller.core.effects import Changes
from propeller.store.lead import Held

from .several_checker import SeveralChecker
from .store import SimulatedStore
from .world import S, World

#: How long a lease holds by the clock of the database, and how long a manager waits for an answer.
LEASE_S = 3.0
#: The chance that a connection breaks under a request: before it has arrived, or before the answer has.
BROKEN = 0.03
LONG_DELAY = 0.03
#: The chance that a replica takes the place of the database soon after a lead that was given back is taken.
FAILS_OVER = 0.3


class Database:
    """Each method is one transaction, by a clock that goes at a rate of its own.

    It may fail over to a replica that has all commits and lacks the take-over after the last of them, so that
    a token is given again. That takes longer than a lease, as else two might act at once. Only a lead that was
    given back is lost so: else the leader before would still have it, and just go on.
    """

    def __init__(self, world: World, store: SimulatedStore, checker: SeveralChecker):
        self.store = store
        self.token = 0
        self.holder = ""
        self.commits = 0
        #: By which proplets know the newest leader.
        self.epoch = 0
        self._expires_at = 0.0
        self._is_away_until = 0
        #: Those who hear that the lead was given back.
        self.listeners: list[Callable[[], None]] = []
        self._world = world
        self._checker = checker
        self._rate = 1 + world.random.uniform(-0.04, 0.04)

    @property
    def is_away(self) -> bool:
        return self._world.now < self._is_away_until

    def _clock(self) -> float:
        return self._world.now / S * self._rate

    def take(self, holder: str) -> Held | None:
        """Take the lead, if it is free."""
        if self._expires_at >= self._clock() and self.holder != holder:
            return None
        self._take(holder)
        return Held(self.token, self.commits, holder)

    def _take(self, holder: str) -> None:
        if not self.holder and self._world.trouble(FAILS_OVER, "database fails over"):
            before = self.token, self.epoch, self.commits
            self._world.after(self._world.between(1, 1500), lambda: self._fail_over(*before))
        self.token += 1
        self.holder = holder
        self._expires_at = self._clock() + LEASE_S
        self._world.note("database", f"gives the lead to {holder} with token {self.token}")
        self._checker.taken(self.token, holder)

    def _fail_over(self, token: int, epoch: int, commits: int) -> None:
        """Be away for longer than a lease, and come back without what came after this token, if none committed."""
        duration_ns = self._world.between(LEASE_S * 1000, LEASE_S * 2000)
        self._is_away_until = self._world.now + duration_ns
        self._world.note("database", f"is away for {duration_ns / S:.1f} s, and comes back as a replica")
        if self.commits == commits:
            self.token, self.holder, self.epoch, self._expires_at = token, "", epoch, float("-inf")
            self._checker.forgot(token)

    def renew(self, held: Held) -> bool:
        if self.is_fenced(held):
            return False
        self._expires_at = self._clock() + LEASE_S
        return True

    def release(self, held: Held) -> None:
        if not self.is_fenced(held):
            self._world.note("database", f"has the lead of token {held.token} back")
            self._expires_at, self.holder = float("-inf"), ""
            for hear in self.listeners:
                if not self._world.trouble(BROKEN, "notice lost"):
                    self._world.after(self._world.between(0.1, 20), hear)

    def begin_epoch(self, held: Held, wall: int) -> int:
        """Give the epoch of a lead that begins; 0 if it is not the newest any more."""
        if self.is_fenced(held):
            return 0
        self.epoch = max(self.epoch + 1, wall)
        return self.epoch

    def is_fenced(self, held: Held) -> bool:
        """Say whether writes of this lead are refused: it is not the newest, or was given back."""
        return (held.token, held.holder) != (self.token, self.holder)

    def commit(self, held: Held, commits: int, changes: Changes) -> str:
        """Write if the lead is the newest and so many commits were made before; say what became of it."""
        if self.is_fenced(held):
            return "lost"
        if commits != self.commits:
            return "done" if commits == self.commits - 1 else "lost"
        self.write(held, changes)
        self.renew(held)
        return "done"

    def write(self, held: Held, changes: Changes) -> None:
        self._checker.committing(held, changes)
        self.store.commit(changes)
        self.commits += 1
        for move in changes.transitions:
            self._world.note("database", f"has {move.state.name}, attempt {move.attempt}", move.task_id)


class Line:
    """What carries the requests of one manager to the database, in order, and their answers back."""

    def __init__(self, world: World, database: Database, name: str):
        self._world = world
        self._database = database
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

    @property
    def _is_dead(self) -> bool:
        return self.is_cut or self._database.is_away

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
            if self._is_dead or world.trouble(BROKEN / 2, "database unreachable"):
                return
            answer = do()
            if not world.trouble(BROKEN / 2, "database unreachable"):
                world.after(self._delay(), lambda: come_back(answer))

        def come_back(answer: Any) -> None:
            if not outcome and not self._is_dead:
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
