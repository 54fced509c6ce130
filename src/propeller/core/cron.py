"""Reads cron texts, and says when they come next.

A text has five fields: minute, hour, day of month, month, day of week. A field is a list of values, ranges
and steps, with names of months and days (``MON-FRI``); ``?`` is ``*``. If both fields of days are restricted,
a day that either names will do. ``@daily`` and its kin stand for five fields. ``CRON_TZ=Europe/Paris`` in
front names the zone.

On days when a zone's clock is put forward or back, the rule is that of Vixie's cron:

- If the hour begins with ``*``, the schedule goes by the time that passes: local times that the clock skips
  never come, and those that come twice are met twice.
- Otherwise it goes by the clock on the wall: a local time that is skipped comes at the moment of the change,
  and one that comes twice is met once, the first time.

Times are ns since the Unix epoch, at whole seconds. The data of a zone is read when it is first named, from
the machine's files or else from the package ``tzdata``.
"""

import difflib
import re
from bisect import bisect_left, bisect_right
from calendar import monthrange
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import msgspec

#: Times beyond it don't fit into 64 bits as ns.
_LAST_YEAR = 2261
_S = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT_CHARS_MAX = 256

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
_PREFIX = re.compile(r"(?:CRON_TZ|TZ)=(\S*)\s*(.*)", re.DOTALL | re.ASCII)
_TERM = re.compile(
    r"(?:(?P<all>[*?])|(?P<low>[0-9]{1,4}|[A-Z]{3})(?:-(?P<high>[0-9]{1,4}|[A-Z]{3}))?)"
    r"(?:/(?P<step>[0-9]{1,4}))?",
    re.IGNORECASE,
)


class _Field(msgspec.Struct, frozen=True):
    """What one of the five fields may say."""

    name: str
    low: int
    high: int
    names: list[str] = []
    #: What the first of the names stands for.
    first: int = 0

    @property
    def grammar(self) -> str:
        named = f" or {self.names[0]}-{self.names[-1]}" if self.names else ""
        return f"write {self.low}-{self.high}{named}, a range (2-4), a list (2,4), * or a step (*/2)"


_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of week", 0, 7, _WEEKDAYS),
)


class Cron(msgspec.Struct, frozen=True):
    """The times that a text names, in a zone; ``parse`` makes it."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    #: Days of the month.
    days: tuple[int, ...]
    months: tuple[int, ...]
    #: Days of the week, Monday is 0.
    weekdays: frozenset[int]
    #: Which field of days rules: ``any``, ``month``, ``week``, or ``either``.
    ruling: str
    #: The hour begins with ``*``.
    is_by_elapsed_time: bool
    zone: ZoneInfo

    def next_after(self, ns: int) -> int:
        """Give the first time after another; 0 if there is none before the year 2262."""
        # A second that has begun is over: 12:00:00.5 is after 12:00:00.
        second = ns // _S
        local = self._local(second)
        first_pass = (
            local if self.is_by_elapsed_time and not local.fold and self._comes_twice(local) else None
        )
        for wall in self._walk(local.replace(tzinfo=None, fold=0)):
            for found in self._seconds_of(wall):
                if found > second:
                    break
            else:
                continue
            if first_pass is not None:
                found = min(found, self._in_second_pass(first_pass) or found)
            return found * _S
        return 0

    def _local(self, second: int) -> datetime:
        return (_EPOCH + timedelta(seconds=second)).astimezone(self.zone)

    def _seconds_of(self, wall: datetime) -> tuple[int, ...]:
        """Give the times (s) that a local time stands for: one, or by the time that passes none or two."""
        aware = wall.replace(tzinfo=self.zone)
        first, last = _second(aware), _second(aware.replace(fold=1))
        if first == last:
            return (first,)
        if first > last:  # skipped: read by the offset before the change, it lies after the change
            return () if self.is_by_elapsed_time else (self._change(last, first),)
        return (first, last) if self.is_by_elapsed_time else (first,)

    def _comes_twice(self, local: datetime) -> bool:
        return local.utcoffset() != local.replace(fold=1).utcoffset()

    def _in_second_pass(self, local: datetime) -> int | None:
        """Give the first time (s) after the clock is put back, of the hour that a local time is in."""
        change = self._change(_second(local), _second(local.replace(fold=1)))
        again = self._local(change).replace(tzinfo=None, fold=0)
        for wall in self._walk(again - timedelta(minutes=1)):
            found = _second(wall.replace(tzinfo=self.zone, fold=1))
            if found >= change:
                return found
        return None

    def _change(self, before: int, after: int) -> int:
        """Give the first time (s) that has another offset than ``before`` has; ``after`` has another."""
        offset = self._local(before).utcoffset()
        while after - before > 1:
            middle = (before + after) // 2
            if self._local(middle).utcoffset() == offset:
                before = middle
            else:
                after = middle
        return after

    def _walk(self, after: datetime) -> Iterator[datetime]:
        """Give the local times that match and are after another, in order."""
        today = (after.year, after.month, after.day)
        for year, month, day in self._dates(*today):
            hours, first = self.hours, after.hour
            is_today = (year, month, day) == today
            for hour in hours[bisect_left(hours, first) :] if is_today else hours:
                minutes = self.minutes
                if is_today and hour == first:
                    minutes = minutes[bisect_right(minutes, after.minute) :]
                for minute in minutes:
                    yield datetime(year, month, day, hour, minute)  # noqa: DTZ001 - a local time

    def _dates(self, year: int, month: int, day: int) -> Iterator[tuple[int, int, int]]:
        """Give the days that match, from a day on."""
        while year <= _LAST_YEAR:
            for this in self.months[bisect_left(self.months, month) :]:
                weekday, length = monthrange(year, this)
                for date in self._days_of(weekday, length):
                    if this > month or date >= day:
                        yield year, this, date
            year, month, day = year + 1, 1, 1

    def _days_of(self, weekday: int, length: int) -> Iterator[int]:
        """Give the days that match of a month that begins on a day of the week."""
        ruling = self.ruling
        for date in self.days if ruling == "month" else range(1, length + 1):
            if date > length:
                return
            if (
                ruling in ("any", "month")
                or (weekday + date - 1) % 7 in self.weekdays
                or (ruling == "either" and date in self.days)
            ):
                yield date


def _second(aware: datetime) -> int:
    between = aware - _EPOCH
    return between.days * 86_400 + between.seconds


@lru_cache(maxsize=4096)
def parse(text: str, timezone: str = "") -> Cron:
    """Read a cron text.

    Args:
        text: Five fields, or ``@daily`` and its kin; ``CRON_TZ=ZONE`` may stand in front.
        timezone: Name of the zone, such as ``Europe/Paris``; UTC if there is none here or in the text.

    Raises:
        ValueError: The text is no cron, its times never come, or there is no such zone. The message says what
            to write, and begins with the name of the field: ``schedule`` or ``timezone``.

    """
    if len(text) > _TEXT_CHARS_MAX:
        raise ValueError(f"schedule: it is longer than {_TEXT_CHARS_MAX} characters; shorten it")
    body, where = text.strip(), "timezone"
    if prefixed := _PREFIX.fullmatch(body):
        name, body = prefixed[1], prefixed[2]
        if timezone not in ("", name):
            raise ValueError(f'timezone: it is "{timezone}", but schedule begins with {name}; name one zone')
        timezone, where = name, "schedule"
    zone = _zone(timezone, where) if timezone or where == "schedule" else ZoneInfo("UTC")
    if body.startswith("@"):
        if body.lower() not in _MACROS:
            raise _no_cron(f'"{body}" is unknown; there are {", ".join(sorted(_MACROS))}')
        body = _MACROS[body.lower()]
    terms = body.split()
    if len(terms) != len(_FIELDS):
        raise _no_cron(
            f'"{text}" has {len(terms)} fields; a cron text has five: '
            "minute, hour, day of month, month, day of week (0 2 * * MON)"
        )
    minutes, hours, days, months, weekdays = (
        _values(field, term) for field, term in zip(_FIELDS, terms, strict=True)
    )
    any_date, any_weekday = _is_open(terms[2]), _is_open(terms[4])
    if any_weekday and not any_date:
        longest = max(monthrange(2024, month)[1] for month in months)
        if min(days) > longest:
            raise _no_cron(
                f'"{text}" never comes: no month that it names has a day {min(days)}; '
                "name another day of month, or another month"
            )
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset((day - 1) % 7 for day in weekdays),
        ruling=_RULING[any_date, any_weekday],
        is_by_elapsed_time=terms[1][0] in "*?",
        zone=zone,
    )


#: By whether the day of month is left open, and the day of week.
_RULING = {(True, True): "any", (False, True): "month", (True, False): "week", (False, False): "either"}


def _is_open(field: str) -> bool:
    """Say whether a field of days restricts nothing by its form; ``1-31`` restricts, and names all."""
    return any(term in ("*", "?", "*/1", "?/1") for term in field.split(","))


def _values(field: _Field, text: str) -> tuple[int, ...]:
    """Read one field; give its values in order.

    The library reads ranges, names and steps. It is asked term by term, since it knows more than cron does
    (``L``, ``W``, ``#``, ``H``, ``R``), and takes ``5-5`` for all values.
    """
    from croniter import CroniterError, croniter  # noqa: PLC0415 - 50 ms and 6 MB for who has schedules

    found: set[int] = set()
    place = _FIELDS.index(field)
    for term in text.split(","):
        read = _TERM.fullmatch(term)
        if read is None:
            raise _no_cron(f'"{term}" is no {field.name}; {field.grammar}')
        for value in (read["low"], read["high"]):
            if value and value.isdigit() and not field.low <= int(value) <= field.high:
                raise _no_cron(f'"{term}": there is no {field.name} {value}; {field.grammar}')
        plain = term.replace("?", "*")
        if read["high"] and read["high"].upper() == read["low"].upper():
            plain = read["low"]
        line = ["*"] * len(_FIELDS)
        line[place] = plain
        try:
            values = croniter.expand(" ".join(line))[0][place]
        except CroniterError as error:
            raise _no_cron(f'"{term}" is no {field.name}; {field.grammar}') from error
        high = 6 if field.high == 7 else field.high
        found.update(range(field.low, high + 1) if values == ["*"] else map(int, values))
    return tuple(sorted(found))


def _no_cron(message: str) -> ValueError:
    """Make an error that begins as the contract has it (``http-api``, section 3.1)."""
    return ValueError(f"schedule: invalid cron expression: {message}")


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        near = difflib.get_close_matches(name[:64], sorted(available_timezones()), n=1)
        hint = f"did you mean {near[0]}?" if near else "write a name such as UTC or Europe/Paris"
        raise ValueError(f'{where}: there is no zone "{name[:64]}"; {hint}') from error
