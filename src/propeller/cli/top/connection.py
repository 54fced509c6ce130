"""Whether the manager answers, and since when it does not."""

from dataclasses import dataclass

from propeller.cli import formatting

_WHY_CHARS = 200


@dataclass
class Connection:
    """What is known of the way to the manager; times are seconds of one clock."""

    #: None while it answers.
    away_since: float | None = None
    why: str = ""
    has_answered: bool = False

    @property
    def is_standing(self) -> bool:
        return self.has_answered and self.away_since is None

    def answered(self) -> None:
        self.away_since, self.why, self.has_answered = None, "", True

    def broke(self, why: str, now: float) -> None:
        """Take in that no answer came; the first time counts."""
        self.why = formatting.one_line(why, _WHY_CHARS)
        if self.away_since is None:
            self.away_since = now

    def said(self, now: float) -> str:
        """Say in a sentence or two what a reader has to know; ``""`` while all is well."""
        if self.away_since is None:
            return "" if self.has_answered else "asking the manager …"
        since = formatting.duration(round(now - self.away_since)) if now - self.away_since >= 1 else "now"
        shown = f"{'for ' if since != 'now' else ''}{since}"
        kept = (
            "what is shown is older" if self.has_answered else "is it running? start one with: propeller up"
        )
        return f"not connected {shown}: {self.why}; {kept}; it is tried again"
