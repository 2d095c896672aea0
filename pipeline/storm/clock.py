"""Local days of the simulated site, their hours, and the moments at which servers rotate logs.

Times are whole seconds since 1 November 2016, 00:00 in Toronto (``EPOCH`` in Unix time).
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

ZONE: Final = ZoneInfo("America/Toronto")
DAYS: Final = tuple(date(2016, 11, number) for number in range(1, 21))
SERVERS: Final = ("web01", "web02", "web03", "web04", "web05")
MONTHS: Final = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
EPOCH: Final = int(datetime(2016, 11, 1, tzinfo=ZONE).timestamp())
HOUR: Final = 3600


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

    The first file starts at midnight; there is no rotation after the last day (its end is infinite).
    """
    if index == 0:
        return 0
    if index == len(DAYS):
        return np.iinfo(np.int64).max
    offset = np.random.default_rng([seed, 1, server, index]).integers(-90, 240)
    return day_start(index) + int(offset)


def stamps(first: int, last: int) -> list[str]:
    """Write every second from the hour of ``first`` to that of ``last``: ``08/Nov/2016:23:59:59 -0500``."""
    minutes = [f"{second // 60:02}:{second % 60:02}" for second in range(HOUR)]
    texts: list[str] = []
    for hour in range(first // HOUR, last // HOUR + 1):
        local = _local(hour * HOUR)
        before = f"{local.day:02}/{MONTHS[local.month - 1]}/{local.year}:{local.hour:02}:"
        after = local.strftime(" %z")
        texts += [before + minute + after for minute in minutes]
    return texts


def _local(second: int) -> datetime:
    return datetime.fromtimestamp(EPOCH + second, UTC).astimezone(ZONE)
