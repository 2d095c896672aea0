"""JSON that is nearly JSON, and maps whose date and time of day are two fields."""

import json
from datetime import UTC, datetime
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from lake_fixtures import Site
from layout_lines import read
from structured_layouts import LINE

from pipeline.errors import SettingsError
from pipeline.formats.json_repair import make_json
from pipeline.formats.json_settings import layout_of_map, write_map
from pipeline.formats.layouts import find_layout

TEMPLATE = (
    """log_format j '{"time":"$time_iso8601","ip":"$remote_addr","request":"$request",'"""
    """'"status":"$status","size":$body_bytes_sent,"up":$upstream_response_time,'"""
    """'"upstream":"$upstream_addr","ua":"$http_user_agent"}';"""
)
MAP = write_map(
    "app",
    {"time": "time", "client": "ip", "request": "request", "status": "status", "bytes": "size",
     "agent": "ua"},
)  # fmt: skip


def read_one(layout: str, line: str) -> dict[str, Any]:
    block = read(find_layout(layout), line)
    assert (len(block.hits), block.rejects) == (1, [])
    return block.hits.to_pylist()[0]


@pytest.mark.parametrize("layout", [TEMPLATE, MAP], ids=["log_format", "map"])
@pytest.mark.parametrize(
    ("query", "agent"),
    [
        (r"\x22cheap\x22", "Mozilla/5.0"), ("1", r"Dalvik \xC3\xA3\xC2\x80"),
        ("1", r"a\x5Cb\x5C\x22"), (r"\x22,\x22ip\x22:\x226.6.6.6\x22,\x22x\x22:\x22", "a"),
        (r"\xe4", r"Gesch\xe4ft"), ("1", r"\x"), (r"\u00e", "a"), ("1", r"trailing\x5C"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "took", ["0.1", "-", "0.1, 0.2", "0.1, - : 0.2", "", " - ", "0.1,0.2", "-, -"]
)
def test_escapes_and_bare_values_of_nginx_are_read(
    layout: str, query: str, agent: str, took: str
) -> None:
    """The line is a request all the same; its values stand as nginx escapes them."""
    hit = read_one(layout, LINE % (query, took, "10.0.0.1:80, 10.0.0.2:80 : unix:/s", agent))
    assert (hit["client"], hit["path"], hit["status"]) == ("203.0.113.6", "/a", 200)
    assert (hit["query"], hit["user_agent"], hit["bytes_sent"]) == (f"q={query}", agent, 7513)


def test_bytes_that_are_no_utf_8_make_no_line_of_json_unreadable(tmp_path: Path) -> None:
    site = Site(tmp_path)
    line = (LINE % ("1", "0.1", "-", "AGENT")).encode().replace(b"AGENT", b'x\xe4 \\"y\\" \xc3\xa9')
    path = site.write("web.log", line + b"\n" + line.replace(b"\xe4", b"\\xE4") + b"\n")
    hits = [json.loads(row) for row in site.run("parse", path, "--log-format", MAP).out.split("\n")
            if row]  # fmt: skip
    assert [hit["user_agent"] for hit in hits] == [r'x\xe4 "y" é', r'x\xE4 "y" é']


@pytest.mark.parametrize(
    "line",
    [
        LINE % ("1", "0.1", "-", "a") + "x", (LINE % ("1", "0.1", "-", "a"))[:-1], "{", "{}{",
        '{"time":', '{"time":-,', '{"a":b"c":1}', '{"a" -}', "{-}", '{"a":[-]}', '{"a":"b" - }',
    ],
)  # fmt: skip
def test_what_is_no_json_even_so_is_rejected_as_it_stands(line: str) -> None:
    block = read(find_layout(MAP), line)
    assert [(text, why.reason) for _, text, why in block.rejects] == [(line, "json")]


@pytest.mark.parametrize(
    "text",
    [
        r'{"a":"x\": - ,\"ip\":\"6.6.6.6","b":-}',
        r'{"a":"x\\\":-,\"","b":0.1, 0.2}',
        '{"a":"{\\"b\\":-}","b":}',
        r'{"a":"\\","b": - }',
    ],
)
def test_a_repair_changes_no_string(text: str) -> None:
    before = json.loads(text.partition(',"b":')[0] + "}")
    assert json.loads(make_json(text))["a"] == before["a"]


@pytest.mark.parametrize(
    "filler", ['"', "\\", '":', " ", ",", '":-,"', "{", "-", '": ', "\\x", '"x": 1 , '], ids=repr
)
def test_a_repair_takes_linear_time(filler: str) -> None:
    began = process_time()
    make_json('{"a":' + filler * (1_000_000 // len(filler)) + "x")
    assert process_time() - began < 30


TWO = {"date": "day", "time": "clock", "client": "ip", "path": "p"}


@pytest.mark.parametrize(
    ("form", "day", "clock"),
    [
        ("iso", "2024-12-12", "20:54:17"), ("iso", "2024-12-12", "20:54:17.000Z"),
        ("%d/%m/%Y %H:%M:%S", "12/12/2024", "20:54:17"),
        ("%b %e, %Y %I:%M:%S %p", "Dec 12, 2024", "08:54:17 PM"),
    ],
)  # fmt: skip
def test_a_map_may_have_date_and_time_of_day_in_two_fields(form: str, day: str, clock: str) -> None:
    layout = layout_of_map("app", TWO, form)
    record = {"day": day, "clock": clock, "ip": "203.0.113.7", "p": "/a"}
    block = read(layout, json.dumps(record))
    assert block.hits["ts"].to_pylist() == [datetime(2024, 12, 12, 20, 54, 17, tzinfo=UTC)]
    for name in ("day", "clock"):
        others = {key: value for key, value in record.items() if key != name}
        assert read(layout, json.dumps(others)).directives == [1]
        wrong = read(layout, json.dumps(record | {name: "x"}))
        assert [why.reason for _, _, why in wrong.rejects] == ["time"]


def test_a_map_with_a_date_alone_asks_for_the_time() -> None:
    with pytest.raises(SettingsError, match="write where the time stands"):
        layout_of_map("app", {"date": "day", "client": "ip", "path": "p"}, "iso")


@pytest.mark.parametrize(("query", "kept"), [("?a=b", "a=b"), ("a=b?", "a=b?"), ("?", None)])
def test_a_map_takes_a_query_with_its_question_mark(query: str, kept: str | None) -> None:
    layout = layout_of_map("app", {"time": "t", "client": "ip", "path": "p", "query": "q"}, "iso")
    line = json.dumps({"t": "2024-12-12T20:54:17Z", "ip": "203.0.113.7", "p": "/a", "q": query})
    assert read(layout, line).hits["query"].to_pylist() == [kept]


@pytest.mark.parametrize(
    "moment",
    [
        {"date": "2024-12-12", "time": "20:54:17"}, {"timestamp": "1734036857"},
        {"timestamp(ms)": "1734036857000"},
    ],
)  # fmt: skip
def test_cloudfronts_json_has_its_own_time_and_who_was_named(moment: dict[str, str]) -> None:
    record = moment | {
        "x-edge-location": "SEA19-C1", "c-ip": "2001:db8::7", "cs-uri-stem": "/a%2520b",
        "sc-status": "000", "cs(User-Agent)": "a%2520b", "cs-method": "GET", "cs-uri-query": "-",
        "x-forwarded-for": "198.51.100.9", "time-taken": "0.5", "cs(Host)": "d1.cloudfront.net",
    }  # fmt: skip
    hit = read_one("cloudfront_json", json.dumps(record))
    assert hit["ts"] == datetime(2024, 12, 12, 20, 54, 17, tzinfo=UTC)
    assert (hit["client"], hit["forwarded"]) == ("2001:db8::7", "198.51.100.9")
    assert (hit["path"], hit["status"], hit["user_agent"]) == ("/a%20b", None, "a b")
    assert (hit["host"], hit["query"], hit["duration_ms"]) == (None, None, 500.0)
