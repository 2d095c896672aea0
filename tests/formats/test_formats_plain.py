"""Plain lines: the fast way gives what the whole regular expression gives, and is taken."""

from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.formats import combined, numbers
from pipeline.formats.automaton import automaton_of
from pipeline.formats.azure import FRONT_DOOR
from pipeline.formats.envoy import ENVOY, ISTIO
from pipeline.formats.fields import ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.layouts import find_layout, list_layouts
from pipeline.formats.numbers import load_compiled
from pipeline.formats.pattern import Pattern
from pipeline.formats.reader import Reader, read_parts
from pipeline.formats.times import TimeFormat
from pipeline.lake.database import connect_reader

INSERTED = ('"', '" "', " ", ":", "\t", "\\", "-", "x", '\\"', "::1", " [", ",", " ,", ";", "é", "")
TWICE = (0.2, 0.5, 0.8)
"""From where in a line what follows is there twice."""


def patterns() -> dict[str, tuple[Any, str]]:
    """Each layout of requests that is one regular expression, with a line of it."""
    found = {}
    for layout in list_layouts():
        if isinstance(layout, HeaderLayout):
            header = pa.array(layout.example.split("\n"))
            _, pattern = layout.sections(header, None)
            found[layout.name] = pattern, header[-1].as_py().replace('(""X"")', "(X)")
        elif isinstance(layout, Pattern) and layout.fields != ("request", "time"):
            found[layout.name] = layout, layout.example
    return found


REQUEST = '[10/Oct/2024:13:55:36 +0200] "GET /a?b=c HTTP/1.1" 200 2326'
FORMATS = {
    '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b': f"203.0.113.9, 10.0.0.1 192.0.2.1 - - {REQUEST}",
    '%{X-Forwarded-For}i %l %u %t "%r" %>s %b': f"203.0.113.9 - ann {REQUEST}",
    '%h %{X-Forwarded-For}i %l %u %t "%r" %>s %b': f"192.0.2.1 203.0.113.9 - - {REQUEST}",
    '$http_x_forwarded_for - $remote_user [$time_local] "$request" $status $body_bytes_sent': (
        f"203.0.113.9, 10.0.0.1 - ann {REQUEST}"
    ),
    '%h %t "%r" %>s %b %{X-Forwarded-For}i ': f"192.0.2.1 {REQUEST} 203.0.113.9, 10.0.0.1 ",
    "$remote_addr:$remote_port\t[$time_local]\t$request\t$host:$server_port\t$http_x": (
        "192.0.2.1:4444\t[10/Oct/2024:13:55:36 +0200]\tGET /a HTTP/1.1\tb.example:443\t-"
    ),
    '$remote_addr [$time_local] "$request_method $request_uri $server_protocol" $status': (
        f"192.0.2.1 {REQUEST.removesuffix(' 2326')}"
    ),
    '%h %^[%d:%t %^] "%r" %s %b "%R" "%u"': f'192.0.2.1 - - {REQUEST} "-" "curl/8"',
}
"""Format strings of Apache, nginx and GoAccess, each with a line."""
PATTERNS = patterns() | {form: (find_layout(form), line) for form, line in FORMATS.items()}


def read(layout: Any, *lines: str, zone: ZoneInfo | None = None) -> ReadBlock:
    with connect_reader() as connection:
        reader = Reader(layout, zone)
        parts = reader.cut(np.arange(1, len(lines) + 1), pa.array(lines, pa.string()))
        return read_parts(connection, parts)


@pytest.mark.parametrize("name", PATTERNS)
def test_plain_lines_and_the_whole_take_the_same(name: str) -> None:
    """Of a line with something put in, left out or doubled, wherever that is."""
    pattern, example = PATTERNS[name]
    places = range(len(example) + 1)
    lines = [example[:at] + text + example[at:] for at in places for text in INSERTED]
    lines += [example[:at] + text + example[at + 1 :] for at in places for text in INSERTED]
    lines += [example + example[int(len(example) * share) :] for share in TWICE]
    texts, automaton, compiled = pa.array(lines), automaton_of(pattern.plain_regex), load_compiled()
    assert automaton, "without it a layout is several times slower"
    assert compiled
    whole = pc.extract_regex(texts, pattern=f"(?s){pattern.regex}")
    parts, is_plain = compiled.split(texts, automaton)
    is_found = pa.array(is_plain)
    assert pc.sum(is_found).as_py() > 100
    assert not pc.any(pc.and_not(is_found, whole.is_valid())).as_py()
    for field in pattern.fields:
        assert pc.struct_field(whole, field).filter(is_found).equals(parts[field].filter(is_found))


@pytest.mark.parametrize("name", PATTERNS)
def test_an_example_is_plain(name: str) -> None:
    pattern, example = PATTERNS[name]
    automaton, compiled = automaton_of(pattern.plain_regex), load_compiled()
    assert automaton
    assert compiled
    assert compiled.split(pa.array([example]), automaton)[1].tolist() == [True]


@pytest.mark.parametrize("layout", [ENVOY, ISTIO], ids=["envoy", "istio"])
def test_an_agent_may_hold_what_follows_it(layout: Pattern) -> None:
    """The agent ends at the last place where it can, also where that is one of many."""
    for agent in ('a" "b" "c', 'a" "b" "c" "d', '" "' * 5, '" "' * 50):
        line = layout.example.replace("Mozilla/5.0", agent)
        assert read(layout, line).hits["user_agent"].to_pylist() == [agent]


def test_lines_with_an_escaped_quote_are_not_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Combined and common ones are read a block at a time, as fast as there are many."""
    monkeypatch.setattr(combined, "read_line", None)
    monkeypatch.setattr(numbers, "WORTH_BYTES", 0)
    head = r'192.0.2.1 - - [08/Nov/2016:10:00:00 -0500] "GET /\"a HTTP/1.1" 200 5'
    hits = read(combined_layout(), head + "\r\n", rf'{head} "-" "a\\ \"b\""' + "\n").hits
    assert hits["path"].to_pylist() == [r"/\"a", r"/\"a"]
    assert hits["referrer"].to_pylist() == [None, None]
    assert hits["user_agent"].to_pylist() == [None, r"a\\ \"b\""]


def combined_layout() -> Any:
    return list_layouts()[0]


def test_a_date_that_is_none_does_not_stop_a_file_with_a_zone() -> None:
    """Its line is rejected, and those beside it are read."""
    pattern, example = PATTERNS["iis"]
    odd = example.replace("2016-11-08", "9999-99-99")
    block = read(pattern, example, odd, zone=ZoneInfo("America/Toronto"))
    assert [number for number, _, _ in block.rejects] == [2]
    assert block.hits["line_no"].to_pylist() == [1]


@given(
    texts=st.lists(
        st.tuples(
            st.sampled_from(("1969", "1970", "2024", "2099", "2100", "9999")),
            st.integers(0, 13), st.integers(0, 32), st.integers(0, 25), st.integers(0, 61),
            st.sampled_from(("", ".5", ".123456", ".123456789", ".999999999", ".")),
        ), min_size=1, max_size=3,
    )
)  # fmt: skip
def test_utc_times_are_read_as_those_with_an_offset(texts: list[tuple[Any, ...]]) -> None:
    """Arrow reads the one, and the other is checked field by field."""
    stems = [f"{y}-{m:02}-{d:02}T{h:02}:{s:02}:{s:02}{rest}" for y, m, d, h, s, rest in texts]
    one, is_one = TimeFormat("iso").read(pa.array([f"{stem}Z" for stem in stems]))
    other, is_other = TimeFormat("iso").read(pa.array([f"{stem}+00:00" for stem in stems]))
    assert is_one.tolist() == is_other.tolist()
    assert one.filter(pa.array(is_one)).equals(other.filter(pa.array(is_one)))


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("https://h.example:443/a", "h.example"), ("HTTPS://h.example:443/a", "h.example"),
        ("http://h.example:80/a", "h.example"), ("https://[2001:db8::1]:443/a", "[2001:db8::1]"),
        ("https://h.example:80/a", "h.example:80"), ("http://h.example:443/a", "h.example:443"),
        ("https://h.example:4430/a", "h.example:4430"), ("https://h.example/a:443/", "h.example"),
    ],
)  # fmt: skip
def test_a_scheme_s_own_port_is_taken_off(uri: str, host: str) -> None:
    """Only that, and only where it is the port; the host is the target's where it has one."""
    line = FRONT_DOOR.example.replace("https://www.example.com:443/english/?lang=en", uri)
    assert read(FRONT_DOOR, line).hits["host"].to_pylist() == [host]
