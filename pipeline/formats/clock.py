"""Times as logs write them, checked to the digit: ``10/Oct/2000:13:55:36 -0700``.

DuckDB's ``try_strptime`` takes ``nov``, ``8/Nov`` and ``+9999``; a count that can be defended
cannot. NumPy reads a block's times in one pass over its bytes.
"""

import re
from calendar import timegm
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa

WIDTH = 27
"""Bytes of ``[10/Oct/2000:13:55:36-0700]``: the layout's time without its one space."""

IN_LINE = re.compile(r' \[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "', re.ASCII)
"""The time in its place in a line: after the user, before the request."""

_CLF = re.compile(r"(?<!\d)\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}(?!\d)", re.ASCII)
_ISO = re.compile(
    r"(?<!\d)(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,]\d+)?([+-]\d\d:?\d\d)(?!\d)", re.ASCII
)

_PARTS = re.compile(
    r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.ASCII
)

_SHAPE = b"[00/AAA/0000:00:00:00s0000]"
_DIGITS = np.array([i for i, c in enumerate(_SHAPE) if c == ord("0")])
_FIXED = np.array([i for i, c in enumerate(_SHAPE) if c not in b"0As"])
_FIXED_BYTES = np.frombuffer(_SHAPE, np.uint8)[_FIXED]
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_MONTH_KEYS = np.array([int.from_bytes(m.encode()) for m in sorted(_MONTHS)], np.int32)
_MONTH_NUMBERS = np.array([_MONTHS[m] for m in sorted(_MONTHS)], np.int64)


def read_times(text: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Seconds since 1970-01-01 UTC of each row, and whether the row is a time at all.

    Args:
        text: shape ``(n, 27)``, one time a row.

    Returns:
        ``(n,)`` seconds (meaningless where not valid) and ``(n,)`` validity. Valid means: two-digit
        fields, English month, offset within +-1400 with minutes up to 59, second up to 59 with 60
        read as 59, year 1970-2099, and a day that the month has (docs/definitions.md,
        *Hit*).
    """
    digits = text[:, _DIGITS] - np.uint8(ord("0"))
    valid = (digits <= 9).all(axis=1) & (text[:, _FIXED] == _FIXED_BYTES).all(axis=1)
    wide = digits.T.astype(np.int64)
    day, year = wide[0] * 10 + wide[1], wide[2] * 1000 + wide[3] * 100 + wide[4] * 10 + wide[5]
    hour, minute, second = (wide[i] * 10 + wide[i + 1] for i in (6, 8, 10))
    zone_hour, zone_minute = wide[12] * 10 + wide[13], wide[14] * 10 + wide[15]
    sign = text[:, 21]

    month, month_known = _read_months(text)
    valid &= month_known & ((sign == ord("+")) | (sign == ord("-")))
    valid &= (year >= 1970) & (year <= 2099) & (hour <= 23) & (minute <= 59) & (second <= 60)
    valid &= (zone_minute <= 59) & (zone_hour * 100 + zone_minute <= 1400)
    first = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    valid &= (day >= 1) & (day <= length)

    days = first.astype("datetime64[D]").astype(np.int64) + day - 1
    offset = (zone_hour * 60 + zone_minute) * 60
    local = ((days * 24 + hour) * 60 + minute) * 60 + np.minimum(second, 59)
    return local - np.where(sign == ord("-"), -offset, offset), valid


def _read_months(
    text: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    letters = text[:, 4:7].astype(np.int32)
    key = letters[:, 0] << 16 | letters[:, 1] << 8 | letters[:, 2]
    place = np.minimum(np.searchsorted(_MONTH_KEYS, key), 11)
    return _MONTH_NUMBERS[place], _MONTH_KEYS[place] == key


def read_time(text: str) -> int | None:
    """The same of one ``10/Oct/2000:13:55:36 -0700``, or ``None``: a row alone takes 50 us."""
    found = _PARTS.fullmatch(text)
    if not found or found[2] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(found[i]) for i in (1, 3, 4, 5, 6))
    zone_hour, zone_minute = int(found[8]), int(found[9])
    if not 1970 <= year <= 2099 or second > 60:
        return None
    if zone_minute > 59 or zone_hour * 100 + zone_minute > 1400:
        return None
    try:
        local = datetime(year, _MONTHS[found[2]], day, hour, minute, min(second, 59), tzinfo=UTC)
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
