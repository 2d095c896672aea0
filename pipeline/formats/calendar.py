"""Dates and times of day in many notations, written as ISO 8601 has them.

A date is read only where its notation says what its parts are: the year has four digits and comes
first, or the month has a name. ``03/04/2016`` may be one of two days, and is none without a format.
"""

import re
from datetime import datetime

from pipeline.formats.times import expand

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
DATE = (
    r"\d{4}[-/.]\d\d[-/.]\d\d|\d{1,2}[-/. ][A-Z][a-z][a-z][-/. ]\d{4}"
    r"|[A-Z][a-z][a-z][-/ ]\d{1,2},?[-/ ]\d{4}|\d{8}"
)
CLOCK = r"\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?: ?[AaPp][Mm])?|\d{6}"
"""What they look like, for RE2 and for Python."""
_DATE = re.compile(
    r"(?P<y>\d{4})[-/.]?(?P<m>\d\d)[-/.]?(?P<d>\d\d)"
    r"|(?P<d2>\d{1,2})[-/. ](?P<m2>[A-Z][a-z]{2})[-/. ](?P<y2>\d{4})"
    r"|(?P<m3>[A-Z][a-z]{2})[-/ ](?P<d3>\d{1,2}),?[-/ ](?P<y3>\d{4})",
    re.ASCII,
)
_CLOCK = re.compile(
    r"(?P<h>\d{1,2}):?(?P<m>\d\d)(?::?(?P<s>\d\d))?(?:[.,](?P<f>\d{1,9}))? ?(?P<half>[AaPp][Mm])?",
    re.ASCII,
)
_FRACTION = re.compile(r"[.,](\d{1,9})", re.ASCII)
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$", re.ASCII)
_NOON = 12


def write_date(text: str, *, form: str | None = None) -> str:
    """Write a date as ``2016-11-08``, as an strftime format says where there is one.

    What is none stays as it is.
    """
    if form:
        read = _strptime(text, form)
        return f"{read:%Y-%m-%d}" if read else text
    found = _DATE.fullmatch(text)
    if found is None:
        return text
    if found["y"]:
        return "-".join(found.group("y", "m", "d"))
    year, name = found["y2"] or found["y3"], found["m2"] or found["m3"]
    month = _MONTHS.index(name) + 1 if name in _MONTHS else 0
    return f"{year}-{month:02}-{int(found['d2'] or found['d3']):02}"


def write_clock(text: str, *, form: str | None = None) -> str:
    """Write a time of day as ``20:30:00``, with its fraction; the same of ``form``."""
    if form:
        read = _strptime(text, form)
        return f"{read:%H:%M:%S.%f}" if read else text
    found = _CLOCK.fullmatch(text)
    if found is None:
        return text
    hour = int(found["h"])
    if found["half"]:
        if not 1 <= hour <= _NOON:
            return text
        hour = hour % _NOON + _NOON * (found["half"].lower() == "pm")
    fraction = f".{found['f']}" if found["f"] else ""
    return f"{hour:02}:{found['m']}:{found['s'] or '00'}{fraction}"


def write_moment(
    text: str, *, date: str, between: str, clock: str, forms: tuple[str | None, str | None]
) -> str:
    """Write a date, a time of day and what follows: a fraction, an offset, or something else.

    Args:
        text: all of it.
        date: what the date looks like, as a regular expression.
        between: what stands between the two.
        clock: what the time of day looks like.
        forms: the strftime formats of both, where there are some.
    """
    found = re.match(rf"({date}){re.escape(between)}({clock})", text, re.ASCII)
    if found is None:
        return text
    behind = text[found.end() :]
    if forms[1] and "%z" in forms[1]:
        read = _strptime(found[1] + "\0" + found[2], f"{forms[0] or '%Y-%m-%d'}\0{forms[1]}")
        return read.isoformat(" ") if read else text
    told = write_clock(found[2], form=forms[1])
    fraction, offset = _FRACTION.match(behind), _OFFSET.search(behind)
    more = f".{fraction[1]}" if fraction and "." not in told else ""
    return f"{write_date(found[1], form=forms[0])} {told}{more}{offset[0] if offset else ''}"


def _strptime(text: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(text, expand(form).replace("%e", "%d"))  # noqa: DTZ007 the zone comes later
    except ValueError:
        return None
