"""Checks the law of boots: a message of an old boot does not displace the one that was heard of just now."""

from collections.abc import Sequence

from propeller.core.effects import Changes
from propeller.core.events import PropletLost, PropletOffline, PropletSeen
from propeller.manager.engine import Input

from .world import LawBroken, S, World

#: Well under the time after which a silent proplet is given up.
BOOT_FRESH_NS = 4 * S
#: Under the time after which one that said good-bye is given up.
LEFT_NS = 9 * S // 10


class BootsChecker:
    def __init__(self, world: World):
        self._world = world
        #: The boots of each proplet that this manager took for the running one, the newest last.
        self._boots: dict[str, list[int]] = {}
        #: When it last heard of a boot that it had not given up since.
        self._heard: dict[tuple[str, int], int] = {}
        #: When it last heard that a boot goes, and nothing of it since.
        self._left: dict[tuple[str, int], int] = {}

    def manager_started(self) -> None:
        self._boots.clear()
        self._heard.clear()
        self._left.clear()

    def turn_began(self, inputs: Sequence[Input]) -> None:
        for item in inputs:
            if isinstance(item, PropletLost):
                newest = self._boots.get(item.proplet_id, [0])[-1]
                if item.boot in (0, newest):
                    self._heard.pop((item.proplet_id, newest), None)
            elif isinstance(item, PropletOffline):
                newest = self._boots.get(item.proplet_id, [0])[-1]
                if item.boot in (0, newest):
                    self._left.setdefault((item.proplet_id, newest), self._world.now)
            elif isinstance(item, PropletSeen) and self._boots.get(item.proplet_id, [0])[-1] == item.boot:
                self._heard[item.proplet_id, item.boot] = self._world.now
                self._left.pop((item.proplet_id, item.boot), None)

    def committed(self, changes: Changes) -> None:
        for proplet in changes.deleted_proplets:
            self._boots.pop(proplet.id, None)
        for proplet in changes.proplets:
            boots = self._boots.setdefault(proplet.id, [proplet.boot])
            if boots[-1] != proplet.boot:
                last_heard = self._heard.get((proplet.id, boots[-1]), 0)
                left = self._left.pop((proplet.id, boots[-1]), self._world.now)
                is_fresh = self._world.now - last_heard < BOOT_FRESH_NS and self._world.now - left < LEFT_NS
                self._heard[proplet.id, proplet.boot] = self._world.now
                # One that lost its disk numbers itself too low: a late message of before may displace it.
                if proplet.boot in boots and proplet.boot < boots[-1] and is_fresh:
                    raise LawBroken("stale-boot", f"{proplet.id} is {proplet.boot} again, after {boots[-1]}")
                boots.append(proplet.boot)
