"""Times as Apache writes them, checked to the digit: ``10/Oct/2000:13:55:36 -0700``.

``strptime`` takes ``nov``, ``8/Nov`` and ``+9999``; a count that can be defended cannot.
"""

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

IN_LINE = re.compile(r' \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "', re.ASCII)
"""The time in its place in a line: after the user, before the request."""

_CLF = re.compile(r"(?<!\d)\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}(?!\d)", re.ASCII)
_ISO = re.compile(
    r"(?<!\d)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?([+-]\d\d:?\d\d)(?!\d)", re.ASCII
)

_PARTS = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name: number for number, name in enumerate(_MONTHS, 1)}
_MOST_OFFSET = 1400


def read_time(text: str) -> int | None:
    """Seconds since 1970 UTC of one ``10/Oct/2000:13:55:36 -0700``, or ``None``.

    It is a time with two-digit fields, an English month, an offset within +-1400 with minutes up to
    59, a second up to 59 with 60 read as 59, a year from 1970 to 2099, and a day that the month has
    (docs/definitions.md, *time*).
    """
    found = _PARTS.fullmatch(text)
    if not found or found[2] not in _MONTH:
        return None
    day, year, hour, minute, second = (int(found[i]) for i in (1, 3, 4, 5, 6))
    zone_hour, zone_minute = int(found[8]), int(found[9])
    if not 1970 <= year <= 2099 or second > 60:
        return None
    if zone_minute > 59 or zone_hour * 100 + zone_minute > _MOST_OFFSET:
        return None
    try:
        local = datetime(year, _MONTH[found[2]], day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    offset = (zone_hour * 60 + zone_minute) * 60
    return timegm(local.timetuple()) + (offset if found[7] == "-" else -offset)


@dataclass(frozen=True, slots=True)
class Offset:
    """A line's instant, and the offset from UTC that it was written with."""

    seconds: int
    text: str

    @property
    def is_utc(self) -> bool:
        """Whether it is none."""
        return self.text in ("+0000", "-0000")

    def agrees_with(self, zone: ZoneInfo) -> bool:
        """Whether ``zone`` has this offset at that instant."""
        offset = datetime.fromtimestamp(self.seconds, zone).strftime("%z")
        return offset == self.text.replace("-0000", "+0000")


def read_offsets(lines: pa.Array) -> list[Offset]:
    """The instants and offsets of those of ``lines`` that hold a time with an offset.

    Apache's time wins over one as ISO 8601 has it, which may be that of what carries the line. A
    ``Z`` says nothing of where a server is: what writes JSON writes it everywhere.
    """
    return [found for line in lines.to_pylist() if (found := _read_offset(line))]


def _read_offset(line: str) -> Offset | None:
    if time := _CLF.search(line):
        seconds = read_time(time[0])
        return None if seconds is None else Offset(seconds, time[0][-5:])
    if not (time := _ISO.search(line)):
        return None
    try:
        moment = datetime.fromisoformat(f"{time[1]}{time[2]}")
    except ValueError:
        return None
    return Offset(round(moment.timestamp()), time[2].replace(":", ""))
