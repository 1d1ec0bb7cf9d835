"""`schedule` in build.yaml: when a product is built, tested and published again without anybody asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hanse.names import nearest

WORDS = ("cron", "zone", "after")
AFTER_INPUTS = "inputs"

Bad = Callable[[str, str, str], None]  # key, what is wrong, how to mend it
_EXAMPLE = 'write schedule: "0 6 * * *", or {cron: "0 6 * * *", zone: Europe/Berlin}, or {after: inputs}'
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Schedule:
    """At the times of `cron` (five fields) by the clocks of `zone`, and after each publication of an input."""

    cron: str | None = None
    zone: str = "UTC"
    after_inputs: bool = False

    def next(self, after: datetime) -> datetime | None:
        """The first time after `after`, in UTC; None where there is none.

        When clocks go forward, a time that is left out comes right after; when they go back, one that is there twice
        comes once. Times by the minute or the hour (`*`) follow the time that really passes.
        """
        if self.cron is None:
            return None
        from zoneinfo import ZoneInfo

        from cronsim import CronSim

        found = next(CronSim(self.cron, after.astimezone(ZoneInfo(self.zone))), None)
        return None if found is None else found.astimezone(UTC)


def schedule(tree: Any, bad: Bad = lambda _key, _message, _mend: None) -> Schedule | None:
    """What a `schedule` says; `bad` hears of each word or value that is none. None: nothing runs by itself."""
    if tree is None:
        return None
    if isinstance(tree, str):
        return Schedule(tree.strip()) if _runs(tree, "", bad) else None
    if not isinstance(tree, Mapping):
        bad("", "schedule is a text of five fields, or a mapping", _EXAMPLE)
        return None
    from zoneinfo import available_timezones

    cron, zone, after = tree.get("cron"), tree.get("zone", "UTC"), tree.get("after")
    if cron is None and after is None:
        bad("", "schedule says no time", _EXAMPLE)
    if after not in (None, AFTER_INPUTS):
        bad("after", f"{str(after)[:40]!r} is nothing that a run can follow", "write after: inputs")
    if "zone" in tree and not _is_zone(zone):
        near = nearest(str(zone)[:60], available_timezones(), 1) or ["Europe/Berlin"]
        bad("zone", f"{str(zone)[:60]!r} is no time zone", f"write zone: {near[0]}, or another of the tz database")
        zone = "UTC"
    if cron is not None and not _runs(cron, "cron", bad):
        cron = None
    if cron is None and after != AFTER_INPUTS:
        return None
    return Schedule(cron.strip() if cron else None, zone, after == AFTER_INPUTS)


def _runs(cron: Any, key: str, bad: Bad) -> bool:
    """Whether `cron` is five fields that some time fits."""
    from cronsim import CronSim, CronSimError

    if not isinstance(cron, str) or len(cron) > _LONGEST or len(cron.split()) != 5:
        bad(key, "a time is a text of five fields: minute, hour, day, month, weekday", 'write cron: "0 6 * * *"')
        return False
    try:
        if next(CronSim(cron, datetime(2024, 1, 1, tzinfo=UTC)), None) is not None:
            return True
        bad(key, f"no day ever fits {cron.strip()!r}", "mend day or month")
    except CronSimError as error:
        field = str(error).removeprefix("Bad ")
        bad(key, f"{cron.strip()!r} is no time: its {field} is out of range or no number", "mend that field")
    return False


def _is_zone(name: Any) -> bool:
    from zoneinfo import ZoneInfo

    if not isinstance(name, str) or len(name) > _LONGEST:
        return False
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # not in the database, or no name at all
        return False
    return True
