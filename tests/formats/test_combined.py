"""Combined lines: times to the digit, and the fast reading of a block equal to the slow one."""

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle.hostile import HOSTILE_LINES, MUTATED_LINES

from pipeline.formats import clock, numbers
from pipeline.formats.combined import read_block, read_line
from pipeline.formats.fields import EXPLAINED, FIELDS, Rejected

GOOD_TIME = "10/Oct/2000:13:55:36 -0700"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
HEAD = "192.0.2.1 - - [08/Nov/2016:10:00:00 -0500] "


@pytest.fixture(autouse=True)
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a block is, the compiled loops read it."""
    monkeypatch.setattr(numbers, "WORTH_BYTES", 0)


@given(
    moment=st.datetimes(datetime(1970, 1, 2), datetime(2099, 12, 30)),  # noqa: DTZ001 offset follows
    sign=st.sampled_from("+-"),
    offset=st.integers(0, 1400).filter(lambda n: n % 100 <= 59),
)
def test_valid_time_is_read_as_strptime_reads_it(moment: datetime, sign: str, offset: int) -> None:
    """Every valid time gives the instant that the standard library gives."""
    month = MONTHS[moment.month - 1]
    text = f"{moment:%d}/{month}/{moment:%Y:%H:%M:%S} {sign}{offset:04}"
    expected = datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()
    assert clock.read_time(text) == expected


@pytest.mark.parametrize(
    ("text", "is_valid"),
    [
        (GOOD_TIME, True),
        ("01/Jan/1970:00:00:00 +0000", True),
        ("01/Jan/1970:00:00:00 +1400", True),  # an instant of 1969, but the year is as written
        ("31/Dec/1969:23:59:59 +0000", False),
        ("31/Dec/2099:23:59:59 +0000", True),
        ("01/Jan/2100:00:00:00 +0000", False),
        ("10/Oct/2000:23:59:60 +0000", True),
        ("10/Oct/2000:23:59:61 +0000", False),
        ("10/Oct/2000:23:60:00 +0000", False),
        ("10/Oct/2000:24:00:00 +0000", False),
        ("29/Feb/2016:00:00:00 +0000", True),
        ("29/Feb/2000:00:00:00 +0000", True),
        ("29/Feb/2015:00:00:00 +0000", False),
        ("30/Feb/2016:00:00:00 +0000", False),
        ("31/Apr/2016:00:00:00 +0000", False),
        ("31/Nov/2016:00:00:00 +0000", False),
        ("31/Dec/2016:00:00:00 +0000", True),
        ("00/Oct/2000:13:55:36 -0700", False),
        ("32/Oct/2000:13:55:36 -0700", False),
        ("10/oct/2000:13:55:36 -0700", False),
        ("10/OCT/2000:13:55:36 -0700", False),
        ("10/Okt/2000:13:55:36 -0700", False),
        ("10/Zzz/2000:13:55:36 -0700", False),
        ("10/Aaa/2000:13:55:36 -0700", False),
        ("10/10/2000:13:55:36 -0700", False),
        ("10/Oct/2000:13:55:36 +1400", True),
        ("10/Oct/2000:13:55:36 -1400", True),
        ("10/Oct/2000:13:55:36 +1401", False),
        ("10/Oct/2000:13:55:36 +1359", True),
        ("10/Oct/2000:13:55:36 +0060", False),
        ("10/Oct/2000:13:55:36 -0000", True),
        ("10/Oct/2000:13:55:36 00700", False),
        ("10/Oct/2000:13:55:36 \u22120700", False),
        ("10/Oct/2000:13:55:36-0700 ", False),
        ("10/Oct/2000 13:55:36 -0700", False),
        ("10-Oct-2000:13:55:36 -0700", False),
        ("1/Oct/2000:13:55:36 -0700", False),
        (" 1/Oct/2000:13:55:36 -0700", False),
        ("10/Oct/00:13:55:36 -0700", False),
        ("10/Oct/2000:13:55:36", False),
        ("10/Oct/2000:13:55:36 -07:00", False),
        ("10/Oct/2000:13:55:36 Z", False),
        ("\uff11\uff10/Oct/2000:13:55:36 -0700", False),
        ("+1/Oct/2000:13:55:36 -0700", False),
        ("", False),
    ],
)
def test_time_is_valid_to_the_digit(text: str, is_valid: bool) -> None:
    """The same verdict alone, in a line read slowly and in a line read fast."""
    assert (clock.read_time(text) is not None) == is_valid
    line = f'192.0.2.1 - - [{text}] "GET / HTTP/1.1" 200 5'
    assert isinstance(read_line(line), dict) == is_valid
    assert len(read_block(np.array([1]), pa.array([line])).hits) == is_valid


@given(text=st.text("0123456789/:+- []OctNovFebJan\u0661", max_size=30))
@example("10/Oct/2000:13:55:36 -0700\n")
def test_any_text_is_a_time_or_not(text: str) -> None:
    """No text raises; a time has the one shape that times have."""
    if clock.read_time(text) is not None:
        assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}", text, re.ASCII)


NOT_THERE = {"duration_ms": None, "forwarded": None}
"""What the layout does not have."""


def slowly(
    lines: list[str],
) -> tuple[list[dict[str, Any]], list[tuple[int, str, Rejected]], list[int]]:
    """Read lines one by one: hits, rejects and the blank ones' numbers."""
    hits: list[dict[str, Any]] = []
    rejects: list[tuple[int, str, Rejected]] = []
    blank: list[int] = []
    for number, ended in enumerate(lines, 1):
        line = ended.removesuffix("\n").removesuffix("\r")
        if not line.strip(" \t\v\f\r"):
            blank.append(number)
            continue
        read = read_line(line)
        if isinstance(read, Rejected):
            rejects.append((number, line, read))
        else:
            moment = datetime.fromtimestamp(read["ts"] // 1_000_000, UTC)
            hits.append({"line_no": number, **read, "ts": moment, **NOT_THERE})
    return hits, rejects, blank


def assert_read_alike(lines: list[str]) -> None:
    read = read_block(np.arange(1, len(lines) + 1), pa.array(lines, pa.string()))
    assert read.hits.schema == FIELDS
    assert (read.hits.to_pylist(), read.rejects, read.blank) == slowly(lines)


def one_line(text: str) -> str:
    """A hostile line as blocks hand it on: text without newlines, odd bytes written out."""
    raw = text.replace("\n", "").encode("utf-8", "surrogateescape")
    return raw.decode("utf-8", "backslashreplace")


@settings(max_examples=100)
@given(
    lines=st.lists(HOSTILE_LINES, min_size=10, max_size=40),
    ends=st.sampled_from(("\n", "\r\n", "")),
)
def test_fast_and_slow_reading_are_equal(lines: list[str], ends: str) -> None:
    """Every line of a block, hostile or mutated, gives the same as that line read alone."""
    assert_read_alike([one_line(line) + ends for line in lines])


@settings(max_examples=60)
@given(line=MUTATED_LINES, end=st.sampled_from(("\n", "\r\n", "")))
def test_block_of_one_line_is_read_alike(line: str, end: str) -> None:
    """A block of one line, plain or not, gives what that line gives."""
    assert_read_alike([one_line(line) + end])


def test_empty_block_is_read() -> None:
    """A block without lines (all of them too long) has no hits, rejects or blanks."""
    assert_read_alike([])


TAILS = [
    "", " ", ' "', ' "-"', ' "-" ', ' "-" "', ' "-" "-"', ' "-" "a" x', ' "-" "a\\', ' "-" "a\\"',
    ' "-" "a\\\\"', ' "a\\" "b"', ' "-"  "a"', '  "-" "a"', ' "-" "a" "b"', ' "-" "a" "b" "c"',
    ' "-" a', " -", ' "a', ' "a b" "c d"', ' "a\tb" "c"', '"-" "a"', ' "-""a"', ' "" ""', ' "" "" ',
    "\r", ' "-" "a"\r', "\r\r", ' "-" "a\r', " x", '\t"-" "a"',
]  # fmt: skip
RESULTS = [
    "200 5", "200 -", "200  5", "200 5x", "20 5", "2000 5", "600 5", "099 5", "200", "200 ",
    "200 " + "9" * 18, "200 " + "9" * 19, "200 -5", "200 0x1", "200 1e3", "200 \u0661",
    "2\u06610 5", " 200 5", "200\t5", "- -", "200 --",
]  # fmt: skip
REQUESTS = [
    "GET / HTTP/1.1", "GET /", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1",
    "get / HTTP/1.1",
    "GET /?a?b HTTP/1.1", "GET /? HTTP/1.1", "GET ?a HTTP/1.1", "GET /a b HTTP/1.1", "GET HTTP/1.1",
    "GET", "-", "", "G-T / HTTP/1.1", "GET / http/1.1", "GET * HTTP/1.1", "GET http://h/ HTTP/1.1",
    "GET http://-/a?b HTTP/1.1", "GET http:///a HTTP/1.1", "GET h:443 HTTP/1.1", "GET / HTTP/",
    'GET /\\" HTTP/1.1', "GET /\\ HTTP/1.1\\", "\\", "GET /a.css?x=1 HTTP/2", "G\u00c9T / HTTP/1.1",
    "GET /\u00a0/ HTTP/1.1", "GET / HTTP/1.1 HTTP/1.1", "GET HTTP/1.1 HTTP/1.1",
]  # fmt: skip


def test_every_pairing_of_odd_parts_is_read_alike() -> None:
    """Odd requests, results and tails, each with each: fast and slow alike."""
    pairs = [(request, result, "") for request in REQUESTS for result in RESULTS]
    pairs += [(request, "200 5", tail) for request in REQUESTS for tail in TAILS]
    pairs += [("GET / HTTP/1.1", result, tail) for result in RESULTS for tail in TAILS]
    lines = [f'{HEAD}"{request}" {result}{tail}' for request, result, tail in pairs]
    assert_read_alike(lines)
    assert_read_alike([line + "\r\n" for line in lines])


@pytest.mark.parametrize(
    ("line", "reason", "column"),
    [
        ("nonsense", "client", 1),
        ('"x" - - [', "client", 1),
        ("192.0.2.1 - - 08/Nov/2016", "time", 13),
        (HEAD.replace("Nov", "Nox") + '"GET / X" 200 5', "time", 16),
        (HEAD + '"GET / X', "request", 52),
        (HEAD + '"GET / X" 99 5', "status", 52),
        (HEAD + '"GET / X" 200 x', "status", 52),
        (HEAD + '"GET / X" 200 5 -', "bytes", 59),
        (HEAD + '"GET / X" 200 5 "-" -', "referrer", 63),
    ],
)
def test_rejected_line_says_why_and_where(line: str, reason: str, column: int) -> None:
    """The reason has an explanation, and the column lies where the line fails."""
    read = read_line(line)
    assert read == Rejected(reason, column)
    assert reason in EXPLAINED


@pytest.mark.parametrize(
    "line",
    [
        HEAD + '"' + "\\" * 1_000_000,
        HEAD + '"' + '\\"' * 500_000 + '" 200 5 "' + "\\" * 999_999,
        "a " * 1_000_000,
        "a a " + " [08/Nov/2016:10:00:00 -0500]" * 100_000,
        HEAD + '"GET ' + "http://" * 200_000 + ' HTTP/1.1" 200 5',
        HEAD + '"GET ' + "a" * 1_000_000 + ' HTTP/1.1" 200 ' + "9" * 1_000_000,
        HEAD + '"' * 1_000_000,
    ],
    ids=["backslashes", "escaped", "spaces", "times", "schemes", "digits", "quotes"],
)
def test_hostile_line_costs_one_pass(line: str) -> None:
    """A megabyte made to be slow takes a second of the processor, not hours, in both ways."""
    started = process_time()
    assert_read_alike([line, line + "\n"])
    assert process_time() - started < 60


def test_offsets_of_lines_agree_with_their_zone() -> None:
    """Each line's offset is compared with the zone's at that instant, summer and winter."""
    lines = [
        '::1 - - [06/Nov/2016:01:59:59 -0400] "GET / X" 200 5',
        '::1 - - [06/Nov/2016:01:00:00 -0500] "GET / X" 200 5',
        "no time here",
        '::1 - - [01/Jul/2016:00:00:00 -0000] "GET / X" 200 5',
    ]
    offsets = clock.read_offsets(pa.array(lines))
    toronto, utc = ZoneInfo("America/Toronto"), ZoneInfo("UTC")
    assert [offset.text for offset in offsets] == ["-0400", "-0500", "-0000"]
    assert [offset.agrees_with(toronto) for offset in offsets] == [True, True, False]
    assert [offset.agrees_with(utc) for offset in offsets] == [False, False, True]


def test_without_numba_lines_are_read_alone_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pipeline.formats.compiled", None)
    numbers.load_compiled.cache_clear()
    try:
        assert_read_alike([HEAD + '"GET / HTTP/1.1" 200 5', "odd", ""])
        assert_read_alike([HEAD + '"GET / HTTP/1.1" 200 5'])
    finally:
        numbers.load_compiled.cache_clear()
    assert capsys.readouterr().err.count("numba is not installed") == 1


@pytest.mark.large
def test_where_nothing_can_be_kept_the_loops_are_compiled_each_time(tmp_path: Path) -> None:
    """In an installation that can only be read, by a user without a home."""
    no_folder = tmp_path / "file"
    no_folder.write_text("")
    asked = "import numpy as np; from pipeline.formats import kernel; print(kernel.read_day(np.frombuffer(b'09/Nov/2016', np.uint8), 0), kernel.read_day._cache.__class__.__name__)"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {
            "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
            "NUMBA_CACHE_DIR": str(no_folder / "cache"),
        },
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == "17114 NullCache\n", done.stderr
