"""The decision whether this manager may serve its channel: two that do would stop each other's work.

A manager that connects asks who is there, and serves when nobody has shown itself for a while. One that
finds another alive refuses to start. Who is on the channel stays, and who comes, or comes back, goes: so a
manager that was cut off for a while gives way to the one that took its place, but to none that never served.
Where two find each other without one of them having come, as after a broker was in two parts, the one stays
that has served for longer.

Pure: announcements and the time come in, announcements go out. The broker keeps the last one that anybody has
made, and says of a manager whose connection broke that it is ``gone``.

Managers that share a database have one id, and a lease in the database says which of them leads
(``leadership``). Each takes the others for itself at an earlier or a later time, and waits for none of them.

Two programs with one identity at the broker throw each other out. Then the newer one hears no answer; but it
sees, each time that it comes back, that the other one has been there meanwhile.
"""

import msgspec

from propeller.core.times import Moment
from propeller.wire.fleet.from_manager import Announcement

_RIVALS_MAX = 100


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Durations, s."""

    #: How often a manager says that it is here: a program that lost one announcement hears the next.
    here_every: float = 10.0
    #: How long to wait if no other was found: another may be connecting just now.
    quiet: float = 1.0
    #: How long to wait if another was here and did not say that it left: it may be starting again.
    rival: float = 10.0
    #: How long to wait if the broker does not even return our own announcement.
    deaf: float = 5.0


class Rival(msgspec.Struct):
    """Another manager, or another program with our id."""

    word: Announcement
    #: The newest sign that its program runs: its epoch, and when that was by its clock.
    sign: tuple[int, int]
    has_left: bool = False


class Standing:
    """Decides by what is announced; each method returns what to announce to all."""

    def __init__(
        self,
        manager_id: str,
        epoch: int,
        where: str,
        times: Times | None = None,
        *,
        is_leased: bool = False,
    ) -> None:
        """Begin.

        Args:
            manager_id: Its id, which it keeps.
            epoch: Has to be larger than at any start of this manager before.
            where: Its place, for people.
            times: Durations.
            is_leased: True if a lease says which of the managers with this id is there.

        """
        self.id = manager_id
        self._is_leased = is_leased
        #: Raised above all epochs on the channel when we begin to serve: clocks may be set back.
        self.epoch = epoch
        self.is_serving = False
        #: The live manager because of which this one never serves.
        self.other: Announcement | None = None
        #: Whether the broker returned our question: otherwise we would not hear others either.
        self.is_heard = False
        self._where = where
        self._times = times or Times()
        self._epoch_min = epoch
        self._since = 0
        self._said_at = 0
        #: When the last question was asked, by our clock and by the monotonic one; 0 while not connected.
        self._asked_at = self._asked_ticks = 0
        #: The announcement that the broker had kept.
        self._kept: Announcement | None = None
        #: The id of its manager.
        self._served_last = ""
        self._rivals: dict[str, Rival] = {}
        #: The signs of others when we first looked.
        self._baseline: dict[str, tuple[int, int]] | None = None
        self._here_ticks = 0

    @property
    def by(self) -> tuple[str, int]:
        return self.id, self.epoch

    def will(self, now: int) -> Announcement:
        """Give the message that the broker publishes if the connection that begins now breaks."""
        return self._say("gone", now)

    def connected(self, moment: Moment) -> list[Announcement]:
        """Ask who is here."""
        question = self._say("asks", moment.now)
        self._asked_at, self._asked_ticks = question.at, moment.ticks
        self.is_heard = False
        self._kept = None
        return [question]

    def disconnected(self) -> None:
        self._asked_at = 0
        if self.is_serving:
            self.is_serving = False
            self._baseline = None

    def left(self, now: int) -> list[Announcement]:
        """Say good-bye, if somebody else has not taken over; from then on say and heed nothing."""
        was_serving, self.is_serving = self.is_serving, False
        self._asked_at = 0
        return [self._say("left", now)] if was_serving else []

    def heard(self, said: Announcement, moment: Moment) -> list[Announcement]:
        """Take in an announcement, which may be our own."""
        if not self._asked_at or self.other is not None:
            return []
        if (said.manager_id, said.epoch) == self.by:
            return self._heard_ourselves(said, moment)
        if said.manager_id == self.id:
            if self._is_leased:
                return self._heard_of_ours(said, moment)
            self._epoch_min = max(self._epoch_min, said.epoch + 1)
        is_news = self._note(said)
        if said.answers == self._asked_at:
            return self._met(said, moment)
        if not self.is_heard:
            self._kept = said
            return []
        if said.status == "asks":
            return self._met_asking(said, moment)
        if self.is_serving and said.status != "here":
            return [self._here(moment)]  # for the broker has kept its word in place of ours
        return self._met(said, moment) if is_news and said.status != "left" else []

    def time_passed(self, moment: Moment) -> list[Announcement]:
        if not self._asked_at or self.other is not None:
            return []
        if self.is_serving:
            if moment.ticks - self._here_ticks >= self._times.here_every * 1e9:
                return [self._here(moment)]
        elif moment.ticks - self._asked_ticks >= self._patience_s() * 1e9:
            return self._serve(moment)
        return []

    # -- others ----------------------------------------------------------------------------------------------

    def _heard_ourselves(self, said: Announcement, moment: Moment) -> list[Announcement]:
        """Take in our own announcement: all that the broker had kept has come before it."""
        if self.is_heard:
            return []
        if (said.status, said.at) != ("asks", self._asked_at):
            self._kept = said
            return []
        self.is_heard = True
        self._served_last = self._kept.manager_id if self._kept else ""
        signs = {name: rival.sign for name, rival in self._rivals.items()}
        # A sign that is the first we see of somebody may be old: a broker that comes back remembers what was.
        before = self._baseline = signs | (self._baseline or {})
        for name, rival in self._rivals.items():
            if rival.sign > before[name] and not rival.has_left and not self._stays_before(rival.word):
                self.other = rival.word
                return []
        return [] if self._patience_s() else self._serve(moment)

    def _heard_of_ours(self, said: Announcement, moment: Moment) -> list[Announcement]:
        """Take in the word of a manager that shares our database: it led before us, or does so after us."""
        if not self.is_heard:
            self._kept = said
        elif self.is_serving and said.epoch < self.epoch and said.status != "asks":
            return [self._here(moment)]  # for the broker has kept its word in place of ours
        return []

    def _note(self, said: Announcement) -> bool:
        """Remember what another said; tell whether it is a new sign of its life."""
        known = self._rivals.get(said.manager_id)
        sign = said.epoch, said.at
        has_left = said.status == "left"
        if known is None:
            if len(self._rivals) >= _RIVALS_MAX:
                self._rivals.clear()
            self._rivals[said.manager_id] = Rival(said, sign, has_left)
            return said.status != "gone"
        if sign <= known.sign:
            return False
        known.word, known.sign, known.has_left = said, sign, has_left
        return True

    def _met_asking(self, said: Announcement, moment: Moment) -> list[Announcement]:
        if self.is_serving:
            return [self._here(moment, said.at)]
        # Who has served is only coming back, and who served last is starting again.
        ours = not self._since, self._served_last != self.id, self._asked_at, *self.by
        theirs = (
            not said.since,
            self._served_last != said.manager_id,
            said.at,
            said.manager_id,
            said.epoch,
        )
        if ours < theirs:
            return [self._said("asks", self._asked_at)]  # it may not have heard that
        self.other = said
        return []

    def _met(self, said: Announcement, moment: Moment) -> list[Announcement]:
        """Another is alive; decide who goes, in a way in which it decides the same."""
        if self._stays_before(said):
            return [self._here(moment)] if self.is_serving else []
        if said.status == "here" and said.answers != self._asked_at:
            # It may have said so long ago, and be gone since: see whether it answers.
            question = self._say("asks", moment.now)
            self._asked_at, self._asked_ticks = question.at, moment.ticks
            return [question]
        self.is_serving, self.other = False, said
        return []

    def _stays_before(self, said: Announcement) -> bool:
        """Say whether it is the other that goes: it never served and we did, or we have for longer."""
        if not said.since:
            return bool(self._since)
        return self.is_serving and (self._since, *self.by) < (said.since, said.manager_id, said.epoch)

    # -- ourselves -------------------------------------------------------------------------------------------

    def _patience_s(self) -> float:
        """The wait from the question on before this manager serves."""
        if not self.is_heard:
            return self._times.deaf
        if self._kept is not None and self._kept.status == "left":
            return 0.0
        if self._kept is not None and (self._kept.manager_id, self._kept.epoch) == self.by and self._since:
            return 0.0  # nobody has been here since
        if self._is_leased and self._kept is not None and self._kept.manager_id == self.id:
            return 0.0  # likewise, and who was here before us does not lead any more
        others = [one for name, one in self._rivals.items() if name != self.id and not one.has_left]
        return self._times.rival if others else self._times.quiet

    def _serve(self, moment: Moment) -> list[Announcement]:
        self.is_serving = True
        self._baseline = None
        self.epoch = self._epoch_min
        self._since = self._since or moment.now
        here = self._here(moment)
        self._asked_at = here.at  # an answer to what we asked came too late
        return [here]

    def _here(self, moment: Moment, answers: int = 0) -> Announcement:
        self._here_ticks = moment.ticks
        return msgspec.structs.replace(self._say("here", moment.now), answers=answers)

    def _say(self, status: str, now: int) -> Announcement:
        self._said_at = max(now, self._said_at + 1)
        return self._said(status, self._said_at)

    def _said(self, status: str, at: int) -> Announcement:
        return msgspec.convert(
            {
                "manager_id": self.id,
                "epoch": self.epoch,
                "status": status,
                "at": at,
                "since": self._since,
                "where": self._where,
            },
            Announcement,
        )
