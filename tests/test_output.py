"""Output: rows as table, CSV and JSON, and nothing that steers a terminal."""

import csv
import io
import json
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.output import escape, print_rows

MOMENT = datetime(2016, 11, 9, 4, 59, 59, tzinfo=UTC)
EVIL = "\x1b[31m\x07\u202e\u200f\x9b2J\r\n\ufeff"


def is_steering(char: str) -> bool:
    """Tell whether a character is a control, reorders text, or is no character at all."""
    marks = "\u200b\u200c\u200d\u200e\u200f\u061c\ufeff"
    return (
        unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(char)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        or char in marks
    )


@given(text=st.text(st.characters()))
def test_escaped_text_steers_no_terminal(text: str) -> None:
    """No control, bidirectional or zero-width mark is left; plain text stays as it is."""
    shown = escape(text)
    assert not any(is_steering(char) for char in shown)
    shown.encode()
    if text.isascii() and text.isprintable():
        assert shown == text


def test_each_steering_character_is_written_out() -> None:
    r"""A steering character becomes \xhh or \uhhhh; letters of any script are themselves."""
    for char in map(chr, (*range(0x3000), 0xFEFF, 0xD800, 0xDFFF)):
        if is_steering(char):
            code = ord(char)
            assert escape(char) == (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
        elif char.isprintable():
            assert escape(char) == char


def test_json_is_a_list_of_objects(capsys: pytest.CaptureFixture[str]) -> None:
    """Each row is an object by column name; nulls, days and instants keep their meaning."""
    print_rows(["day", "at", "n", "x", "is", "none", "text"], [[date(2016, 11, 8), MOMENT, 5, 0.5, True, None, EVIL]], "json")  # noqa: E501  # fmt: skip
    out = capsys.readouterr().out
    assert out.isascii()
    assert "\x1b" not in out
    assert json.loads(out) == [
        {
            "day": "2016-11-08",
            "at": "2016-11-09T04:59:59+00:00",
            "n": 5,
            "x": 0.5,
            "is": True,
            "none": None,
            "text": EVIL,
        }
    ]
    print_rows(["a"], [], "json")
    assert json.loads(capsys.readouterr().out) == []


ODD_VALUES = [
    Decimal("1.50"), timedelta(days=1), b"\x1b[31m", [date(2016, 11, 8)], {"at": MOMENT},
    MOMENT.time(), float("nan"), float("inf"), 2**70, [EVIL], (1, None),
]  # fmt: skip


@pytest.mark.parametrize("form", ["table", "csv", "json"])
@pytest.mark.parametrize("value", ODD_VALUES, ids=repr)
def test_whatever_duckdb_returns_is_printed(
    value: Any, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Decimals, intervals, bytes, lists and structs are printed in every form, safely."""
    print_rows(["v"], [[value]], form)
    out = capsys.readouterr().out
    assert not any(is_steering(char) for char in out.replace("\n", ""))
    if form == "json":
        assert list(json.loads(out, parse_constant=pytest.fail)[0]) == ["v"]


def test_csv_is_read_back(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has a header line, empty nulls, and quotes where they are needed."""
    print_rows(["day", "text", "n"], [[date(2016, 11, 8), 'a,"b"', None], [MOMENT, "NA", 1234567]], "csv")  # noqa: E501  # fmt: skip
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows == [
        ["day", "text", "n"],
        ["2016-11-08", 'a,"b"', ""],
        ["2016-11-09T04:59:59+00:00", "NA", "1234567"],
    ]


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_values_and_column_names_steer_no_terminal(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text from a log line is harmless in every form, be it a value or a column's name."""
    print_rows([EVIL, "b"], [[EVIL, [EVIL]], [None, 1]], form)
    out = capsys.readouterr().out
    assert not any(is_steering(char) for char in out.replace("\n", ""))
    assert len(out.splitlines()) < 20


def test_piped_table_keeps_whole_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """A table that is not on a terminal has one line a row, however wide."""
    print_rows(["long", "n"], [["x" * 900, 1], ["y", 2]])
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "x" * 900 in line and line.rstrip().endswith("1")]


def test_table_shows_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets of a log line are text, never colours or links of the table's library."""
    print_rows(["[b]name[/b]"], [["[red]text[/red] [link=http://x]y[/link] :smile:"]])
    out = capsys.readouterr().out
    assert "[red]text[/red] [link=http://x]y[/link] :smile:" in out
    assert "[b]name[/b]" in out
