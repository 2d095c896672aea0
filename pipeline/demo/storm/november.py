"""Local days of the simulated site, their hours, when servers rotate logs and when these arrive.

Times are whole seconds since 1 November 2016, 00:00 in Toronto (``EPOCH`` in Unix time).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

ZONE: Final = ZoneInfo("America/Toronto")
DAYS: Final = tuple(date(2016, 11, number) for number in range(1, 21))
SERVERS: Final = ("web01", "web02", "web03", "web04", "web05")
EPOCH: Final = int(datetime(2016, 11, 1, tzinfo=ZONE).timestamp())
HOUR: Final = 3600
LATE_DAY: Final = date(2016, 11, 8)
LATE_SERVERS: Final = ("web03", "web04", "web05")
LATE_BY: Final = 48 * HOUR
OFFSETS: Final = ("-0400", "-0500")  # the second one from STANDARD_TIME on


def day_start(index: int) -> int:
    """Second at which the local day ``DAYS[index]`` starts; ``len(DAYS)`` gives the end of all."""
    midnight = datetime.combine(DAYS[0] + timedelta(days=index), datetime.min.time(), ZONE)
    return int(midnight.timestamp()) - EPOCH


def wall_hours(index: int) -> list[int]:
    """Hour on the wall for each elapsed hour of a day: 24, or 25 with 1 twice on 6 November."""
    start = day_start(index)
    elapsed = (day_start(index + 1) - start) // HOUR
    return [_local(start + hour * HOUR).hour for hour in range(elapsed)]


def at(day: date, hour: float) -> int:
    """Second of a wall-clock hour on a day without a change of offset."""
    return day_start(DAYS.index(day)) + round(hour * HOUR)


def rotation(seed: int, server: int, index: int) -> int:
    """Second at which ``server`` starts the file of ``DAYS[index]``, within minutes of midnight.

    The first file starts at midnight; after the last day there is no rotation (it never comes).
    """
    if index == 0:
        return 0
    if index == len(DAYS):
        return np.iinfo(np.int64).max
    offset = np.random.default_rng([seed, 1, server, index]).integers(-90, 240)
    return day_start(index) + int(offset)


def arrival(seed: int, server: int, index: int) -> int:
    """Second at which the file of ``DAYS[index]`` is there: minutes after it ends.

    Those of 8 November from three servers are two days late.
    """
    end = rotation(seed, server, index + 1) if index + 1 < len(DAYS) else day_start(len(DAYS))
    delay = np.random.default_rng([seed, 8, server, index]).integers(60, 900)
    is_late = DAYS[index] == LATE_DAY and SERVERS[server] in LATE_SERVERS
    return end + int(delay) + is_late * LATE_BY


def write_hours(first: int, last: int) -> list[str]:
    """Write the hours ``first`` to ``last`` since the epoch, each as ``08/Nov/2016:23``."""
    return [_local(hour * HOUR).strftime("%d/Nov/%Y:%H") for hour in range(first, last + 1)]


def _local(second: int) -> datetime:
    return datetime.fromtimestamp(EPOCH + second, UTC).astimezone(ZONE)


STANDARD_TIME: Final = day_start(5) + 2 * HOUR  # the hour from 1 to 2 has passed once
