"""IIS's own log: fifteen values between commas, and a comma at the end.

Times are the server's local ones. Dates are written as Windows is set up: mostly month, day and
year, of two digits or four.
Source: Microsoft, *IIS Log File Format* (IIS 6.0) and *IIS Log File Formats* (SDK).
"""

import re
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats.error_logs import or_no_hit
from pipeline.formats.escapes import decode_each
from pipeline.formats.pattern import SHAPES, Pattern, Segment, literal
from pipeline.formats.times import TimeFormat

_DATE = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d\d)", re.ASCII)
_YEAR_FIRST = re.compile(r"(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})", re.ASCII)
_FIRST_YEAR = 69
"""From here on two digits are of the twentieth century, as POSIX has it."""
_BETWEEN = literal(", ")
_NUMBER = Segment(r", \d+, ")


def _write_iso(text: str, *, is_day_first: bool) -> str:
    if found := _YEAR_FIRST.fullmatch(text):
        year, month, day = map(int, found.groups())
    elif found := _DATE.fullmatch(text):
        month, day, year = map(int, found.groups())
        month, day = (day, month) if is_day_first else (month, day)
        if len(found[3]) == 2:
            year += 1900 if year >= _FIRST_YEAR else 2000
    else:
        return text
    return f"{year}-{month:02}-{day:02}"


def _write_clock(texts: pa.StringArray) -> pa.StringArray:
    return pc.utf8_lpad(texts, 8, "0")


def _make(name: str, date: str, *, is_day_first: bool) -> Pattern:
    return Pattern(
        name,
        (
            Segment("[^ ,]+", "client"), Segment(", [^,]*, "), Segment(r"[\d/.-]+", "date"),
            _BETWEEN, Segment(r"\d{1,2}:\d\d:\d\d", "clock"),
            Segment(r", W3SVC\d*, [^,]*, [^,]*, "), Segment(r"\d+", "duration_ms"), _NUMBER,
            Segment(SHAPES["bytes"], "bytes"), _BETWEEN, Segment(SHAPES["status"], "status"),
            _NUMBER, Segment("[^,]*", "method"), _BETWEEN, Segment(".*", "path", "[^,]*"),
            _BETWEEN, Segment("[^ ]+?", "query", "[^ ,]+"), Segment(",?[ \t]*", plain=","),
        ),
        TimeFormat("iso"),
        f"203.0.113.7, -, {date}, 7:55:20, W3SVC2, SALES1, 192.0.2.1, 46, 163, 5120, 200, 0, GET,"
        " /english/, lang=en,",
        not_hits=or_no_hit("[^ ,]+, [^,]*, [^,]*, [^,]*, [A-Z]+SVC[0-9]*, "),
        decoders={
            "date": partial(decode_each, partial(_write_iso, is_day_first=is_day_first)),
            "clock": _write_clock,
        },
    )  # fmt: skip


LAYOUTS = (
    _make("iis_native", "11/08/16", is_day_first=False),
    _make("iis_native_day_first", "08.11.2016", is_day_first=True),
)
"""A visit to its FTP or mail service is no request."""
