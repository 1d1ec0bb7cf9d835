"""Schedules: the times that five fields name, through two years of clock changes, and what is wrong with a text."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hanse.spec.schedule import Schedule, schedule

BERLIN = ZoneInfo("Europe/Berlin")
START, END = datetime(2025, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
DAYS = (END - START).days


def times(when: Schedule) -> Iterator[datetime]:
    at = when.next(START - timedelta(seconds=1))
    while at is not None and at < END:
        assert at.tzinfo is UTC
        yield at
        at = when.next(at)


def test_a_time_of_the_night_comes_once_a_day_through_both_clock_changes() -> None:
    local = [at.astimezone(BERLIN) for at in times(Schedule("30 2 * * *", "Europe/Berlin"))]
    assert len(local) == len({at.date() for at in local}) == DAYS
    other = {at.date(): at.time().isoformat() for at in local if (at.hour, at.minute) != (2, 30)}
    # 02:30 is left out on these days: it comes as soon as the clocks have moved
    assert other == {date(2025, 3, 30): "03:00:00", date(2026, 3, 29): "03:00:00"}
    # 02:30 is there twice on these days: the first one counts
    back = [at.utcoffset() for at in local if at.date() in (date(2025, 10, 26), date(2026, 10, 25))]
    assert back == [timedelta(hours=2)] * 2


def test_minutes_follow_the_time_that_really_passes() -> None:
    found = list(times(Schedule("*/15 * * * *", "Europe/Berlin")))
    assert len(found) == DAYS * 96
    assert {after - before for before, after in itertools.pairwise(found)} == {timedelta(minutes=15)}


def test_without_a_zone_clocks_are_those_of_utc() -> None:
    assert {at.hour for at in times(Schedule("0 6 * * *"))} == {6}


def test_only_inputs_have_no_times() -> None:
    assert Schedule(after_inputs=True).next(START) is None


def test_the_ways_to_write_a_schedule() -> None:
    assert schedule(None) is None
    assert schedule("0 6 * * *") == Schedule("0 6 * * *")
    assert schedule({"cron": "0 6 * * MON-FRI", "zone": "Asia/Tokyo"}) == Schedule("0 6 * * MON-FRI", "Asia/Tokyo")
    assert schedule({"after": "inputs"}) == Schedule(after_inputs=True)


@pytest.mark.parametrize(
    ("tree", "key", "told"),
    [
        ("at night", "", "five fields"),
        ("0 25 * * *", "", "hour is out of range"),
        ("0 0 30 2 *", "", "day-of-month"),
        ("* * * * * *", "", "five fields"),
        ("0 6 * * *" + " " * 500, "", "five fields"),
        ({"cron": "61 * * * *"}, "cron", "minute"),
        ({"cron": 6}, "cron", "five fields"),
        ({"cron": "0 6 * * *", "zone": "Europe/Berln"}, "zone", "no time zone"),
        ({"cron": "0 6 * * *", "zone": "../../etc/passwd"}, "zone", "no time zone"),
        ({"zone": "Europe/Berlin"}, "", "no time"),
        ({"after": "lunch"}, "after", "nothing that a run can follow"),
        (["0 6 * * *"], "", "a mapping"),
    ],
)
def test_what_is_no_schedule_is_told(tree: object, key: str, told: str) -> None:
    found: list[tuple[str, str, str]] = []
    schedule(tree, lambda *one: found.append(one))
    assert (found[0][0], told in found[0][1]) == (key, True), found
    assert found[0][2]


def test_a_misspelt_zone_is_told_with_the_nearest() -> None:
    found: list[tuple[str, str, str]] = []
    schedule({"cron": "0 6 * * *", "zone": "Europe/Berln"}, lambda *one: found.append(one))
    assert "zone: Europe/Berlin" in found[0][2]
