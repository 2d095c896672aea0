"""Output: rows as table, CSV and JSON, and nothing that steers a terminal."""

import csv
import io
import json
import sys
import unicodedata
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lake_fixtures import Site, make_line
from typer.testing import CliRunner

from pipeline.cli.main import app, start
from pipeline.cli.output import print_rows
from pipeline.text import escape, write_days, write_number_of

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


FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "-", '=cmd|"/c calc"!A1', "\t=1", "\r=1", "\n=1", "\uff1d1+1",
    "\uff0b1", "\uff0d1", "\uff20x", "=", '="a,b"',
]  # fmt: skip
PLAIN = ["", "a=1", " =1", "'=1", "/-x", "1-1", "\\x41", "(=1)", "NA", "\u2212 5"]


def csv_cells(capsys: pytest.CaptureFixture[str]) -> list[list[str]]:
    """Return what was printed, as a spreadsheet reads it."""
    return list(csv.reader(io.StringIO(capsys.readouterr().out)))


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("wrap", [str, str.encode], ids=["text", "bytes"])
def test_no_text_in_csv_is_a_formula(
    text: str, wrap: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """An apostrophe stands before it, in names of columns too; `raw_cells` leaves it out."""
    print_rows([text, "n"], [[wrap(text), -1]], "csv")
    head, row = csv_cells(capsys)
    assert row == [f"'{escape(text)}", "-1"]
    assert head == [f"'{escape(text)}", "n"]
    print_rows([text], [[wrap(text)]], "csv", raw_cells=True)
    assert csv_cells(capsys) == [[escape(text)], [escape(text)]]


@pytest.mark.parametrize("text", PLAIN)
def test_other_texts_in_csv_are_themselves(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Only the first character makes a formula."""
    print_rows(["a", "b"], [[text, "x"]], "csv")
    assert csv_cells(capsys)[1] == [text, "x"]


@pytest.mark.parametrize("value", [-1, -0.5, Decimal("-1.50"), -(2**70), True, date(2016, 11, 8)])
def test_numbers_in_csv_stay_numbers(value: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """A minus sign of a number is one."""
    print_rows(["n"], [[value]], "csv")
    print_rows(["n"], [[value]], "csv", raw_cells=True)
    inert, raw = capsys.readouterr().out.split("n\n")[1:]
    assert inert == raw
    assert not inert.startswith(("'", '"'))


def test_formulas_are_texts_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON and the table show a text as it is."""
    print_rows(["a"], [["=1+1"]], "json")
    assert json.loads(capsys.readouterr().out) == [{"a": "=1+1"}]
    print_rows(["a"], [["=1+1"]])
    assert "\n=1+1" in "\n".join(map(str.strip, capsys.readouterr().out.splitlines()))


FORMS = ("daily", "hourly", "expected", "surges", "sql", "status", "history", "now", "figure",
         "ingest", "build", "geo list", "geo lookup", "formats", "compare", "verify", "replay",
         "retention", "why")  # fmt: skip


@pytest.mark.parametrize("command", FORMS)
def test_every_command_that_prints_rows_takes_raw(command: str) -> None:
    """Wherever CSV can be asked for, so can texts as they are."""
    said = CliRunner().invoke(app, [*command.split(), "--help"], env={"COLUMNS": "200"}).stdout
    assert "--format" in said
    assert "--raw" in said


def test_a_visitor_s_formula_is_inert_in_the_answer(tmp_path: Any) -> None:
    """What a log line brings into CSV is text; --raw gives it to who wants it."""
    site = Site(tmp_path)
    site.ingest(site.write("web.log", make_line(agent="=HYPERLINK(1)", request="GET /=a HTTP/1.1")))
    asked = ("sql", "--format", "csv", "SELECT user_agent, path, -5 AS n FROM hits")
    assert site.run(*asked).out == "user_agent,path,n\n'=HYPERLINK(1),/=a,-5\n"
    assert site.run(*asked, "--raw").out == "user_agent,path,n\n=HYPERLINK(1),/=a,-5\n"


def test_one_is_singular_and_every_other_number_is_not() -> None:
    assert write_number_of(1, "day") == "1 day"
    assert write_number_of(0, "day") == "0 days"
    assert write_number_of(1200, "country", "countries") == "1,200 countries"
    assert write_days([]) == "0 days"
    assert write_days(["2016-11-08"], ": ") == "1 day: 2016-11-08 to 2016-11-08"


@pytest.mark.parametrize(("is_terminal", "verbose"), [(True, False), (True, True), (False, False)])
def test_a_terminal_shows_warnings_as_sentences(is_terminal: bool, verbose: bool) -> None:
    """A file, and who asks for each step, have the time and the part of the program, too."""
    stream = mock.Mock(isatty=lambda: is_terminal)
    with mock.patch.object(sys, "stderr", stream), mock.patch("logging.basicConfig") as configured:
        start(version=False, verbose=verbose)
    is_plain = configured.call_args.kwargs["format"] == "%(message)s"
    assert is_plain is (is_terminal and not verbose)


def test_a_table_has_a_row_a_line_numbers_at_the_right_and_wide_characters_two_wide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_rows(["path", "hits"], [("/\u65e5\u672c", 1200), ("/index", None), ("/\x1b[1m", 7)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.rstrip() for line in lines] == [
        "",
        " path        hits",
        " " + "\u2500" * 16,
        " /\u65e5\u672c      1,200",
        " /index",
        " /\\x1b[1m       7",
        "",
    ]
