"""The reports that a proplet owes its manager: repeated until they are acknowledged. Pure.

The outbox on disk (``outbox``) has the same reports; it outlives the program.
"""

from collections.abc import Iterable

import msgspec

from propeller.proplet.actions import Action, Forget, Keep, Report, SendUp
from propeller.wire.fleet.from_manager import Ack
from propeller.wire.fleet.from_proplet import Results


class _Owed(msgspec.Struct):
    report: Report
    #: When it was last sent; monotonic clock, ns.
    sent_at: int


class OwedReports:
    """One report for each task at most; each method returns what must now be done."""

    def __init__(self, kept: Iterable[Report], *, resend_s: float) -> None:
        """Begin with the reports of the program before; one is repeated ``resend_s`` after it was sent."""
        self._resend_ns = int(resend_s * 1e9)
        self._reports = {report.task_id: _Owed(report, 0) for report in kept}

    def __contains__(self, task_id: str) -> bool:
        return task_id in self._reports

    def __len__(self) -> int:
        return len(self._reports)

    def attempts(self) -> list[tuple[str, int]]:
        """List the tasks whose reports are owed, and the attempt of each; 0 for a foreign manager's."""
        return [(task_id, owed.report.attempt or 0) for task_id, owed in self._reports.items()]

    def add(self, report: Report, now: int) -> Action:
        self._reports[report.task_id] = _Owed(report, now)
        return Keep(report)

    def replace(self, report: Results) -> list[Action]:
        """Owe this in place of the report on the same attempt; nothing where that is settled."""
        owed = self._reports.get(report.task_id)
        if owed is None:
            return []
        if (owed.report.attempt, owed.report.placed_at) != (report.attempt, report.placed_at):
            return []
        owed.report = report
        return [Keep(report)]

    def drop(self, task_id: str) -> list[Action]:
        """Owe a report no longer."""
        return [] if self._reports.pop(task_id, None) is None else [Forget(task_id)]

    def acknowledge(self, ack: Ack) -> list[Action]:
        actions: list[Action] = []
        for task_id, attempt in ack.ended:
            owed = self._reports.get(task_id)
            if owed is not None and owed.report.attempt == attempt:
                actions += self.drop(task_id)
        return actions

    def repeat(self, task_id: str, now: int) -> list[Action]:
        return self._sent([self._reports[task_id]], now)

    def repeat_all(self, now: int) -> list[Action]:
        return self._sent(self._reports.values(), now)

    def repeat_overdue(self, now: int) -> list[Action]:
        """Send what was not acknowledged in time again."""
        return self._sent(
            [owed for owed in self._reports.values() if now - owed.sent_at >= self._resend_ns], now
        )

    def _sent(self, reports: Iterable[_Owed], now: int) -> list[Action]:
        actions: list[Action] = []
        for owed in reports:
            owed.sent_at = now
            actions.append(SendUp(owed.report))
        return actions
