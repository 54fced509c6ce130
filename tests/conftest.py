"""What the end of a run says besides: how long each folder took, how many tests were skipped, and why."""

from collections import Counter, defaultdict
from pathlib import PurePath

#: A folder that takes less is not worth a line.
SHOWN_S_MIN = 1.0


def pytest_terminal_summary(terminalreporter):
    _show_times(terminalreporter)
    _show_skips(terminalreporter)


def _show_times(terminalreporter):
    seconds = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                seconds[str(PurePath(report.location[0]).parent)] += report.duration
    for folder, took in sorted(seconds.items(), key=lambda item: -item[1]):
        if took >= SHOWN_S_MIN:
            terminalreporter.write_line(f"{took:6.0f} s  {folder}")


def _show_skips(terminalreporter):
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in reports)
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_line(f"{count} skipped because {reason}")
