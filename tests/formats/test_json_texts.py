"""JSON lines that are written alike say what DuckDB's reader says of each, whatever is in them."""

import json
import random
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest

from pipeline.formats import json_texts
from pipeline.formats.json_lines import JsonLayout, pointer_of
from pipeline.formats.json_texts import read_texts
from pipeline.formats.layouts import list_layouts
from pipeline.formats.numbers import load_compiled
from pipeline.lake.database import connect

LAYOUTS = {one.name: one for one in list_layouts() if isinstance(one, JsonLayout)}
VALUES = (
    "null", "true", "false", "0", "-0", "7", "-12", "1.50", "0.0000001", "1e3", "1E-2", "1e999",
    "01", "1.", "123456789012345678901234", "NaN", '""', '"a"', '"\\u00e9"', '"\\ud800"', '"a\\"b"',
    '"\\/"',
    '"a\tb"', '"a\x01b"', '"é"', '"-"', "[]", "[1]", '["a","b"]', '["a", "b"]', '["a\\n"]', "{}",
    '{"a":1}', '[["a"]]', "", '"', "'a'",
)  # fmt: skip
"""In a value's place."""
INSERTED = (*' \t\r\n\x0b\x0c,:{}[]"\\/0e', "\ufeff", "é", "//", "\x00")


@pytest.fixture(autouse=True)
def few_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_texts, "_LEAST_LINES", 1)


def compare(lines: Sequence[str], pointers: Sequence[str]) -> int:
    """Read lines by shapes, and by DuckDB alone; returns how many had none."""
    block, connection = pa.array(lines, pa.string()), connect(threads=1)
    asked = json_texts._ask
    left = []

    def ask(connection: Any, lines: pa.StringArray, pointers: Sequence[str]) -> Any:
        left.append(0 if pointers[0] == "/0" else len(lines))  # or numbers to be written anew
        return asked(connection, lines, pointers)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_texts, "_ask", ask)
        compiled = load_compiled()
        read = json_texts._read(connection, block, pointers, compiled, json_texts._MOST_SHAPES)
    by_duckdb = asked(connection, block, pointers)
    assert read[0].tolist() == by_duckdb[0].tolist()
    for pointer in pointers:
        assert read[1][pointer].to_pylist() == by_duckdb[1][pointer].to_pylist(), pointer
    return sum(left)


def spoil(line: str, pick: random.Random) -> str:
    """Change something in a line: a value, a character, how it is cut off, its spaces."""
    tokens = [*json_texts._TOKEN.finditer(line)]
    values = [one for one in tokens if one.lastgroup != "sign"]
    kind = pick.randrange(6)
    if kind == 0:
        return line
    if kind <= 3:
        its = pick.choice(values)
        group = its.lastgroup or 0
        return line[: its.start(group)] + pick.choice(VALUES) + line[its.end(group) :]
    at = pick.randrange(len(line) + 1)
    if kind == 4:
        return line[:at] + pick.choice(INSERTED) + line[at:]
    return line[:at] + line[at + 1 :]


@pytest.mark.parametrize("name", LAYOUTS)
def test_lines_that_are_nearly_alike_are_read_as_duckdb_reads_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 1,000 lines a sixth are whole; each of the others was changed once or twice."""
    monkeypatch.setattr(json_texts, "_LEAST_ALIKE", 1)
    layout, pick = LAYOUTS[name], random.Random(name)
    asked = [place for its in layout.places.values() for place in its]
    pointers = [*map(pointer_of, dict.fromkeys((*asked, *layout.marks, *layout.only)))]
    lines = [layout.example + pick.choice(("", "\n", "\r\n")) for _ in range(1000)]
    lines = [spoil(line, pick) for line in lines]
    lines = [spoil(line, pick) if n % 3 == 0 else line for n, line in enumerate(lines)]
    assert 300 < compare(lines, pointers) < 800


def test_every_place_of_a_line_is_found() -> None:
    """Names with slashes, tildes, spaces and digits; lists in lists; what is not there."""
    record = {
        "a/b": "1", "~c": {"0": ["x", {"": 2.5}], "d e": True}, "f": [[], ["g"]], "h": None,
        "i": ["j", "k"], "l": 10, "m": [],
    }  # fmt: skip
    pointers = [
        "/a~1b", "/~0c/0/0", "/~0c/0/1/", "/~0c/d e", "/f/1/0", "/h", "/i", "/l", "/m", "/nowhere",
        "/f/2",
    ]  # fmt: skip
    spaced = [one for one in pointers if one not in ("/i", "/m")]  # a list is written without
    for separators, asked in (((",", ":"), pointers), ((" , ", " : "), spaced)):
        records = (record | {"a/b": str(n)} for n in range(50))
        assert compare([json.dumps(one, separators=separators) for one in records], asked) == 0


@pytest.mark.parametrize("line", [
    '{"a": 1, "a": 2}', '{"\\u0061": 1, "a": 2}', '{"a": {"b": 1}}', '{"a": NaN}', "[]", '{"a"',
    '{"a": ' + "[" * 5000 + "]" * 5000 + "}", '{"b": "' + "x" * 5000 + '", "a": 1}',
    '{"é": 1, "a": 1}', '{"a": "b\\n"}', '{"b": "\\u0041", "a": 1}', '{"a": [1]}',
    '{"a": ["b", "c"]}', "1", "",
])  # fmt: skip
def test_what_has_no_shape_is_duckdbs(line: str) -> None:
    """A name twice or in escapes, what is asked for as JSON, what is no object, or too long."""
    assert compare([line] * 20, ["/a", "/c"]) == 20


def test_a_list_of_which_a_text_is_asked_for_too_has_no_shape() -> None:
    assert compare(['{"a":["b"]}'] * 20, ["/a", "/a/0"]) == 20


def test_lines_of_several_kinds_take_turns() -> None:
    """The commonest are read at once, then those of the rest, the others by DuckDB."""
    kinds = ('{"a":"%d"}', '{"b":"x","a":"%d"}', '{"a":"%d","c":1.5}', '{"a":"%d","d":[2]}', "%d")
    lines = [kinds[n % 5 if n % 2 else 0] % n for n in range(20_000)]
    assert compare(lines, ["/a", "/b", "/c"]) == 4000
    is_object, texts = read_texts(connect(threads=1), pa.array(lines), ["/a"])
    assert is_object.sum() == len(lines) - sum(line.isdigit() for line in lines)
    assert texts["/a"][1].as_py() == "1"
