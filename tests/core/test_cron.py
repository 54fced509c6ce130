"""Cron texts: their grammar, and their times against a reference that looks at each minute."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from propeller.core import cron

S = 1_000_000_000
MINUTE = timedelta(minutes=1)


def at(text: str) -> int:
    """Give a time in UTC as ns."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * S


def shown(ns: int) -> str:
    return datetime.fromtimestamp(ns // S, UTC).strftime("%Y-%m-%d %H:%M")


def times(text: str, zone: str, start: str, count: int) -> list[str]:
    parsed, now, found = cron.parse(text, zone), at(start), []
    for _ in range(count):
        now = parsed.next_after(now)
        found.append(shown(now))
    return found


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ("* * * * *", "2026-11-29 12:31", "2026-11-29 12:32"),
        ("*/15 * * * *", "2026-11-29 12:45", "2026-11-29 13:00"),
        ("5/20 * * * *", "2026-11-29 12:45", "2026-11-29 13:05"),
        ("0 22-2 * * *", "2026-11-29 22:00", "2026-11-29 23:00"),
        ("0 5-5 * * *", "2026-11-30 05:00", "2026-12-01 05:00"),
        ("0 2 * * MON-fri", "2026-11-30 02:00", "2026-12-01 02:00"),
        ("0 0 ? JAN *", "2027-01-01 00:00", "2027-01-02 00:00"),
        ("0 0 * * 7", "2026-12-06 00:00", "2026-12-13 00:00"),
        ("0 0 * * 0", "2026-12-06 00:00", "2026-12-13 00:00"),
        ("0 0 13 * FRI", "2026-12-04 00:00", "2026-12-11 00:00"),
        ("0 0 1-31 * FRI", "2026-11-30 00:00", "2026-12-01 00:00"),
        ("0 0 */1 * FRI", "2026-12-04 00:00", "2026-12-11 00:00"),
        ("0 0 29 2 *", "2028-02-29 00:00", "2032-02-29 00:00"),
        ("0 0 30 2 MON", "2027-02-01 00:00", "2027-02-08 00:00"),
        ("@hourly", "2026-11-29 13:00", "2026-11-29 14:00"),
        ("@daily", "2026-11-30 00:00", "2026-12-01 00:00"),
        ("@midnight", "2026-11-30 00:00", "2026-12-01 00:00"),
        ("@weekly", "2026-12-06 00:00", "2026-12-13 00:00"),
        ("@Monthly", "2026-12-01 00:00", "2027-01-01 00:00"),
        ("@yearly", "2027-01-01 00:00", "2028-01-01 00:00"),
        ("@annually", "2027-01-01 00:00", "2028-01-01 00:00"),
        ("CRON_TZ=Asia/Tokyo 0 0 * * *", "2026-11-29 15:00", "2026-11-30 15:00"),
        (" TZ=Asia/Kolkata   0 0 * * * ", "2026-11-29 18:30", "2026-11-30 18:30"),
    ],
)
def test_what_a_text_names(text, first, second):
    assert times(text, "", "2026-11-29 12:30:00", 2) == [first, second]


@pytest.mark.parametrize(
    ("text", "zone", "message"),
    [
        (
            "61 * * * *",
            "",
            'schedule: invalid cron expression: "61": there is no minute 61; write 0-59, a range (2-4), a list',
        ),
        ("0 24 * * *", "", 'schedule: invalid cron expression: "24": there is no hour 24; write 0-23'),
        (
            "0 0 0-5 * *",
            "",
            'schedule: invalid cron expression: "0-5": there is no day of month 0; write 1-31',
        ),
        (
            "0 0 * 13 *",
            "",
            'schedule: invalid cron expression: "13": there is no month 13; write 1-12 or JAN-DEC',
        ),
        (
            "0 0 * * 8",
            "",
            'schedule: invalid cron expression: "8": there is no day of week 8; write 0-7 or SUN-SAT',
        ),
        ("0 0 * * JAN", "", 'schedule: invalid cron expression: "JAN" is no day of week'),
        ("MON * * * *", "", 'schedule: invalid cron expression: "MON" is no minute'),
        ("*/0 * * * *", "", 'schedule: invalid cron expression: "*/0" is no minute'),
        ("1,,2 * * * *", "", 'schedule: invalid cron expression: "" is no minute'),
        ("0 0 L * *", "", 'schedule: invalid cron expression: "L" is no day of month'),
        ("0 0 15W * *", "", 'schedule: invalid cron expression: "15W" is no day of month'),
        ("0 0 * * 5#2", "", 'schedule: invalid cron expression: "5#2" is no day of week'),
        ("0 0 * * L5", "", 'schedule: invalid cron expression: "L5" is no day of week'),
        ("H * * * *", "", 'schedule: invalid cron expression: "H" is no minute'),
        ("R * * * *", "", 'schedule: invalid cron expression: "R" is no minute'),
        ("* * * *", "", "has 4 fields; a cron text has five"),
        ("* * * * * *", "", "has 6 fields; a cron text has five"),
        ("whenever", "", "has 1 fields; a cron text has five"),
        (
            "@reboot",
            "",
            'schedule: invalid cron expression: "@reboot" is unknown; there are @annually, @daily',
        ),
        ("0 0 30 2 *", "", "never comes: no month that it names has a day 30; name another day of month"),
        ("0 0 31 4,6,9,11 ?", "", "never comes"),
        ("0 0 * * *", "Europe/Pari", 'timezone: there is no zone "Europe/Pari"; did you mean Europe/Paris?'),
        ("0 0 * * *", "America", 'timezone: there is no zone "America"'),
        ("0 0 * * *", "../../etc/passwd", 'timezone: there is no zone "../../etc/passwd"'),
        ("TZ=Mars 0 0 * * *", "", 'schedule: there is no zone "Mars"'),
        ("TZ= 0 0 * * *", "", 'schedule: there is no zone ""'),
        ("TZ=Asia/Tokyo 0 0 * * *", "UTC", "schedule begins with Asia/Tokyo; name one zone"),
        ("* " * 200, "", "schedule: it is longer than 256 characters"),
    ],
)
def test_what_is_no_cron_text(text, zone, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        cron.parse(text, zone)


def test_a_time_that_has_begun_is_over():
    every = cron.parse("* * * * *")
    assert every.next_after(at("2026-11-29 12:30:00") - 1) == at("2026-11-29 12:30:00")
    assert every.next_after(at("2026-11-29 12:30:00")) == at("2026-11-29 12:31:00")
    assert every.next_after(at("2026-11-29 12:30:00") + 1) == at("2026-11-29 12:31:00")


def test_there_is_an_end_of_time():
    assert cron.parse("0 0 29 2 *").next_after(at("2260-03-01 00:00:00")) == 0


def test_the_days_on_which_the_clock_is_set():
    """Paris goes from 2:00 to 3:00 on 29 March 2026 (1:00 UTC), and back on 25 October (1:00 UTC)."""
    assert times("30 2 * * *", "Europe/Paris", "2026-03-28 12:00", 2) == [
        "2026-03-29 01:00",
        "2026-03-30 00:30",
    ]
    assert times("30 2 * * *", "Europe/Paris", "2026-10-24 12:00", 2) == [
        "2026-10-25 00:30",
        "2026-10-26 01:30",
    ]
    assert times("30 * * * *", "Europe/Paris", "2026-03-29 00:00", 2) == [
        "2026-03-29 00:30",
        "2026-03-29 01:30",
    ]
    assert times("30 */2 * * *", "Europe/Paris", "2026-10-25 00:00", 3) == [
        "2026-10-25 00:30",
        "2026-10-25 01:30",
        "2026-10-25 03:30",
    ]


# -- against a reference -----------------------------------------------------------------------------------

#: Zones with the UTC day before days of interest: clocks set by an hour and by half an hour, in both
#: directions, an offset of 45 minutes, a day that a zone skipped, midnight skipped, and a leap day.
DAYS = [
    ("Europe/Paris", "2026-03-28"),
    ("Europe/Paris", "2026-10-24"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-04"),
    ("Australia/Lord_Howe", "2026-10-03"),
    ("Asia/Kathmandu", "2026-05-01"),
    ("Pacific/Apia", "2011-12-29"),
    ("America/Sao_Paulo", "2018-11-03"),
    ("Antarctica/Troll", "2026-03-28"),
    ("Antarctica/Troll", "2026-10-24"),
    ("UTC", "2028-02-28"),
]
HOURS = 60


def a_field(low: int, high: int):
    """Give texts of a field, each with the values that it names."""
    values = st.integers(low, high)
    one = values.map(lambda value: (str(value), {value}))
    ordered = st.tuples(values, values).map(sorted)
    ranged = ordered.map(lambda r: (f"{r[0]}-{r[1]}", set(range(r[0], r[1] + 1))))
    stepped = st.tuples(ordered, st.integers(1, 9)).map(
        lambda drawn: (
            f"{drawn[0][0]}-{drawn[0][1]}/{drawn[1]}",
            set(range(drawn[0][0], drawn[0][1] + 1, drawn[1])),
        )
    )
    starred = st.integers(2, 7).map(lambda step: (f"*/{step}", set(range(low, high + 1, step))))
    everything = st.sampled_from(["*", "?"]).map(lambda star: (star, set(range(low, high + 1))))
    return st.one_of(
        everything,
        starred,
        st.lists(st.one_of(one, ranged, stepped), min_size=1, max_size=3).map(
            lambda parts: (",".join(text for text, _ in parts), set().union(*(named for _, named in parts)))
        ),
    )


def reference(fields, zone: ZoneInfo, start: datetime) -> list[datetime]:
    """Look at each minute of ``HOURS`` from a time in UTC on."""
    minutes, hours, days, _, weekdays = (named for _, named in fields)
    texts = [text for text, _ in fields]
    any_day, any_weekday = texts[2] in "*?", texts[4] in "*?"

    def matches(local: datetime) -> bool:
        by_date, by_weekday = local.day in days, local.isoweekday() % 7 in weekdays
        day = by_date and by_weekday if any_day or any_weekday else by_date or by_weekday
        return local.minute in minutes and local.hour in hours and day

    found = []
    line = [start + MINUTE * number for number in range(HOURS * 60)]
    for before, now in pairwise(line):
        local, last = now.astimezone(zone), before.astimezone(zone)
        wall, last_wall = local.replace(tzinfo=None), last.replace(tzinfo=None)
        if texts[1][0] in "*?":
            meets = matches(local)
        else:
            skipped = []
            while last_wall + MINUTE < wall:
                last_wall += MINUTE
                skipped.append(last_wall)
            meets = (matches(local) and not local.fold) or any(map(matches, skipped))
        if meets:
            found.append(now)
    return found


EVERY_DAY = (("*", set(range(1, 32))), ("*", set(range(1, 13))), ("*", set(range(7))))


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(DAYS),
    st.tuples(a_field(0, 59), a_field(0, 23), a_field(1, 31), st.just(EVERY_DAY[1]), a_field(0, 6)),
)
@example(DAYS[0], (("*", set(range(60))), ("2", {2}), *EVERY_DAY))
@example(DAYS[1], (("*", set(range(60))), ("2", {2}), *EVERY_DAY))
@example(DAYS[1], (("*/7", set(range(0, 60, 7))), ("*", set(range(24))), *EVERY_DAY))
@example(DAYS[4], (("*/7", set(range(0, 60, 7))), ("*", set(range(24))), *EVERY_DAY))
@example(DAYS[4], (("45", {45}), ("1", {1}), *EVERY_DAY))
@example(DAYS[5], (("15", {15}), ("2", {2}), *EVERY_DAY))
@example(DAYS[7], (("15", {15}), ("2", {2}), *EVERY_DAY))
def test_the_same_times_as_a_reference_that_looks_at_each_minute(day, fields):
    zone, start = ZoneInfo(day[0]), datetime.fromisoformat(day[1]).replace(tzinfo=UTC)
    parsed = cron.parse(" ".join(text for text, _ in fields), day[0])
    now, end, found = int(start.timestamp()) * S, start + timedelta(hours=HOURS), []
    while (now := parsed.next_after(now)) and (moment := datetime.fromtimestamp(now / S, UTC)) < end:
        found.append(moment)
    assert found == reference(fields, zone, start)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(DAYS), st.integers(0, HOURS * 3600 * S), st.sampled_from(["*", "*/3", "1-2", "2"]))
def test_the_next_time_is_the_same_from_wherever_one_asks(day, offset, hour):
    """No time lies between a moment and its next time, whatever the second that one asks at."""
    parsed = cron.parse(f"*/10 {hour} * * *", day[0])
    start = at(f"{day[1]} 00:00:00")
    now, asked = start, start + offset
    while (now := parsed.next_after(now)) <= asked:
        pass
    assert parsed.next_after(asked) == now
