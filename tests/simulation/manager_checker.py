"""Checks the law of one manager: no other ends what the first has given a proplet to run, while the first lives."""

from propeller.wire.fleet.from_manager import Announcement, FromManager

from .world import LawBroken, S, World

#: A proplet that heard the first one this lately knows that it lives.
FRESH_NS = 4 * S


class ManagerChecker:
    def __init__(self, world: World):
        self._world = world
        #: When each proplet heard the first manager last, unless it heard since that it is gone.
        self._heard: dict[str, int] = {}
        #: Another had the right to speak at some time; what it said then may come late.
        self._second_has_served = False

    def program_began(self, proplet_id: str) -> None:
        self._heard.pop(proplet_id, None)

    def announced(self, proplet_id: str, said: Announcement) -> None:
        if said.manager_id != "first":
            self._second_has_served |= said.status == "here"
        elif said.status == "here":
            self._heard[proplet_id] = self._world.now
        elif said.status == "gone":
            self._heard.pop(proplet_id, None)

    def obeyed(self, proplet_id: str, message: FromManager) -> None:
        who = message.by[0] if isinstance(message.by, tuple) else ""
        heard = self._heard.get(proplet_id)
        if heard is None:
            return
        if who == "first":
            self._heard[proplet_id] = self._world.now
        elif not (who and self._second_has_served) and self._world.now - heard < FRESH_NS:
            ago = (self._world.now - heard) / S
            text = f"{proplet_id} obeys another manager, and has heard the first {ago:.1f} s ago"
            raise LawBroken("one-manager", text, getattr(message, "id", ""))
