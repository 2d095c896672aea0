"""Layouts named by headers, and of JSON: every field of an example, and what hostile lines do."""

import json
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structured_layouts import LAYOUTS, read, read_hits

from pipeline.errors import SettingsError
from pipeline.formats.json_settings import compile_json_template, layout_of_map
from pipeline.lake.database import connect

TS = datetime(2016, 11, 8, 20, 30, tzinfo=UTC)
HIT: dict[str, Any] = {
    "ts": TS, "client": "203.0.113.7", "host": "www.example.com", "method": "GET",
    "path": "/english/", "query": "lang=en", "protocol": None, "status": 200, "bytes_sent": 5120,
    "referrer": "https://example.org/", "user_agent": "Mozilla/5.0 (X11; Linux)",
    "duration_ms": None, "forwarded": None,
}  # fmt: skip
"""What most examples say; below is what each says otherwise."""
MICROS = {"ts": TS.replace(microsecond=123_456)}
EXAMPLES: dict[str, dict[str, Any]] = {
    "iis": {
        "host": None, "path": "/english/index.asp", "bytes_sent": None, "duration_ms": 46.0,
        "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    },
    "iis_advanced": {
        "ts": TS.replace(microsecond=123_000), "host": None, "path": "/english/index.asp",
        "duration_ms": 46.0, "user_agent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    },
    "cloudfront": {
        "path": "/english/a%20b.html", "protocol": "HTTP/2.0", "duration_ms": 46.0,
    },
    "cloudfront_rtmp": {
        "host": "example.cloudfront.net", "method": None, "path": "/cfx/st", "query": "key=value",
        "status": None, "referrer": "https://example.org/player.swf",
        "user_agent": "LNX 10,0,32,18",
    },
    "incapsula": {"protocol": "HTTP/1.1", "forwarded": "198.51.100.9"},
    "shoutcast": {
        "host": None, "method": None, "path": "/stream", "query": "title=Unknown",
        "referrer": None, "user_agent": "Example Player/1.0", "duration_ms": 46_000.0,
    },
    "w3c": {
        "host": None, "referrer": None, "user_agent": 'Mozilla/5.0 ("X")', "duration_ms": 46.0,
    },
    "zeek": {**MICROS, "protocol": "HTTP/1.1", "forwarded": "198.51.100.9"},
    "bro": MICROS,
    "google_storage": {
        **MICROS, "host": "storage.googleapis.com", "path": "/example-bucket/english/a.html",
        "user_agent": 'Mozilla/5.0 ("X")', "duration_ms": 46.0,
    },
    "google_load_balancer": {**MICROS, "duration_ms": 46.0},
    "azure_front_door": {**MICROS, "protocol": "HTTP/2.0", "duration_ms": 46.0},
    "azure_gateway": {"protocol": "HTTP/1.1", "referrer": None, "duration_ms": 46.0},
    "azure_gateway_v1": {
        "protocol": "HTTP/1.1", "referrer": None, "duration_ms": 46.0, "query": None,
    },
    "cloudflare": {**MICROS, "protocol": "HTTP/2"},
    "fastly_json": {"protocol": "HTTP/2"},
    "cloudfront_json": {
        "protocol": "HTTP/2.0", "duration_ms": 46.0, "forwarded": "198.51.100.9",
    },
    "akamai": {"ts": TS.replace(microsecond=123_000), "forwarded": "198.51.100.9"},
    "caddy": {**MICROS, "protocol": "HTTP/2.0", "duration_ms": 46.0, "forwarded": "198.51.100.9"},
    "traefik_json": {
        **MICROS, "protocol": "HTTP/2.0", "duration_ms": 46.0, "forwarded": "198.51.100.9",
    },
    "traefik": {"host": None, "protocol": "HTTP/2.0", "duration_ms": 46.0},
}  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    opened = connect(threads=1)
    yield opened
    opened.close()


def hits_of(connection, name: str, *lines: str, zone: ZoneInfo | None = None) -> list[dict]:
    return read_hits(connection, LAYOUTS[name], list(lines), zone)


def kinds_of(connection, name: str, *lines: str) -> list[str]:
    """What each line became: ``hit``, ``blank``, ``directive``, or why it is rejected."""
    kinds = {}
    for part in read(connection, LAYOUTS[name], [list(lines)]):
        kinds |= dict.fromkeys(part.hits["line_no"].to_pylist(), "hit")
        kinds |= dict.fromkeys(part.blank, "blank") | dict.fromkeys(part.directives, "directive")
        kinds |= {number: why.reason for number, _, why in part.rejects}
    return [kinds[number] for number in sorted(kinds)]


def test_every_layout_has_an_example_that_a_person_read() -> None:
    assert EXAMPLES.keys() == LAYOUTS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_example_is_read_into_the_fields_a_person_expects(connection, name, end) -> None:
    """Also with the line ends of Unix and of Windows."""
    lines = [line + end for line in LAYOUTS[name].example.split("\n")]
    (hit,) = hits_of(connection, name, *lines)
    assert hit == {"line_no": len(lines), **HIT, **EXAMPLES[name]}


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_other_layout_with_an_order_of_its_own_reads_the_example(connection, name) -> None:
    """A line without a header is read in one layout; a header's dialect is one, and the draft's."""
    lines = LAYOUTS[name].example.split("\n")
    readers = {
        other for other in LAYOUTS if "hit" in kinds_of(connection, other, *lines)
    }  # fmt: skip
    needs_header = name in ("incapsula", "iis_advanced")
    assert readers == ({name, "w3c"} if needs_header else {name})


HOSTILE = [
    "[" * 1_000_000,
    '{"a":' * 200_000,
    '"' * 100_001,
    '{"unclosed',
    "{}", "[]", "null", '"text"', "{", "\x00", "\ufffd",
    '{"ts":NaN,"request":{"method":"GET","uri":"/"},"status":Infinity}',
    '{"ts":1e999,"request":{"method":"GET","uri":"/"},"status":1e999}',
    '{"ClientIP":"192.0.2.1","EdgeStartTimestamp":9999999999999999999999,"EdgeResponseStatus":2}',
    '{"cliIP":"192.0.2.1","reqTimeSec":"-1","reqPath":"/","statusCode":true}',
    '{"ClientHost":[],"DownstreamStatus":{},"StartUTC":"2016-11-08T25:00:00Z"}',
    '{"ts":"\\ud800","request":{"method":"GET","uri":"/"}}',
    "2016-11-08 20:30:00 192.0.2.1 GET / - 80 - 203.0.113.7 - - 200 0 0",
    "2016-02-30 20:30:00 192.0.2.1 GET / - 80 - 203.0.113.7 - - 200 0 0 1",
    "2016-11-08 20:30:00 192.0.2.1 GET / - 80 - 203.0.113.7 - - 999 0 0 1",
    "\t" * 100_000,
    '"1478637000123456","203.0.113.7","1","","GET","/unclosed',
    '"' + '","' * 16 + '"',
    "," * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_hostile_lines_are_rejected_and_the_lines_beside_them_are_read(connection, name) -> None:
    """Nothing of them becomes a hit, nothing is lost, and an error of none ends the block."""
    example = LAYOUTS[name].example.split("\n")
    kinds = kinds_of(connection, name, *example, *HOSTILE, "", " \t", example[-1])
    assert kinds[len(example) - 1] == kinds[-1] == "hit"
    assert kinds[-3:-1] == ["blank", "blank"]
    assert "hit" not in kinds[len(example) : -3]


@pytest.mark.parametrize("name", LAYOUTS)
@settings(max_examples=8)
@given(data=st.data())
def test_damaged_example_becomes_one_thing(connection, name, data) -> None:
    """Lines cut off or with characters put in are a hit, rejected, blank or known to be none."""
    *header, line = LAYOUTS[name].example.split("\n")
    put_in = st.text(st.sampled_from('"\\\t ,{}[]-#\x00\u00e9%+0'), max_size=4)
    damage = st.tuples(st.integers(0, len(line)), st.integers(0, 5), put_in)
    damaged = [
        line[:at] + inserted + line[at + lost :]
        for at, lost, inserted in data.draw(st.lists(damage, min_size=5, max_size=5))
    ]
    assert len(kinds_of(connection, name, *header, *damaged)) == len(header) + 5


# Header, separator, what a name's value is; the fields that a hit needs.
HEADERS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "iis": (
        ("#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n"
        "#Date: 2016-11-08 20:00:00\n#Fields: {}"), " ", "date time c-ip sc-status",
        {
            "date": "2016-11-08", "time": "20:30:00", "s-sitename": "W3SVC1", "s-ip": "192.0.2.1",
            "s-computername": "WEB1", "cs-method": "GET", "cs-uri-stem": "/english/",
            "cs-uri-query": "lang=en", "s-port": "443", "cs-username": "-",
            "c-ip": "203.0.113.7", "cs-version": "HTTP/1.1", "cs(Cookie)": "a=b;+c=d",
            "cs(User-Agent)": "Mozilla/5.0+(X11;+Linux)", "cs(Referer)": "https://example.org/",
            "cs-host": "www.example.com", "sc-status": "200", "sc-substatus": "0",
            "sc-win32-status": "0", "sc-bytes": "5120", "cs-bytes": "314", "time-taken": "46",
        },
    ),
    "w3c": (
        "#Version: 1.0\n#Fields: {}", "\t", "date time c-ip sc-status",
        {
            "date": "2016-11-08", "time": "20:30:00", "cs-method": "GET", "s-comment": '"a b"',
            "cs-uri-stem": "/english/", "cs-uri-query": "lang=en", "c-ip": "203.0.113.7",
            "cs-version": "HTTP/1.1", "cs(User-Agent)": '"Mozilla/5.0 (X11; Linux)"',
            "cs(Referer)": '"https://example.org/"', "cs-host": "www.example.com",
            "sc-status": "200", "sc-bytes": "5120", "time-taken": "0.046", "x-cached": "1",
        },
    ),
    "cloudfront": (
        "#Version: 1.0\n#Fields: {}", "\t", "date time c-ip sc-status x-edge-location",
        {
            "date": "2016-11-08", "time": "20:30:00", "x-edge-location": "YUL62-C1",
            "cs-method": "GET", "cs(Host)": "d1.cloudfront.net", "cs-uri-stem": "/english/",
            "cs-uri-query": "lang=en", "c-ip": "203.0.113.7", "cs-protocol": "https",
            "cs-protocol-version": "HTTP/1.1", "cs(User-Agent)": "Mozilla/5.0%20(X11;%20Linux)",
            "cs(Referer)": "https://example.org/", "x-host-header": "www.example.com",
            "sc-status": "200", "sc-bytes": "5120", "time-taken": "0.046", "fle-status": "-",
        },
    ),
    "zeek": (
        "#separator \\x09\n#unset_field\t-\n#path\thttp\n#fields\t{}", "\t",
        "ts id.orig_h method status_code",
        {
            "ts": "1478637000.000000", "uid": "C1", "id.orig_h": "203.0.113.7",
            "trans_depth": "1", "method": "GET", "host": "www.example.com",
            "uri": "/english/?lang=en", "referrer": "https://example.org/", "version": "1.1",
            "user_agent": "Mozilla/5.0 (X11; Linux)", "response_body_len": "5120",
            "status_code": "200", "tags": "(empty)", "origin": "-",
        },
    ),
    "google_storage": (
        "{}", ",", "time_micros c_ip cs_method sc_status",
        {
            "time_micros": "1478637000000000", "c_ip": "203.0.113.7", "cs_method": "GET",
            "cs_uri": "/english/?lang=en", "sc_status": "200", "sc_bytes": "5120",
            "time_taken_micros": "46000", "cs_host": "www.example.com",
            "cs_referer": "https://example.org/", "cs_user_agent": "Mozilla/5.0 (X11; Linux)",
            "cs_object": 'a ""quoted"", name',
        },
    ),
}  # fmt: skip
FIELDS_OF = {
    "cs-method": "method", "cs_method": "method", "cs-uri-stem": "path", "uri": "path",
    "cs_uri": "path", "cs-uri-query": "query", "version": "protocol", "cs-version": "protocol",
    "cs-protocol-version": "protocol", "sc-status": "status", "status_code": "status",
    "sc_status": "status", "sc-bytes": "bytes_sent", "response_body_len": "bytes_sent",
    "sc_bytes": "bytes_sent", "cs(Referer)": "referrer", "referrer": "referrer",
    "cs_referer": "referrer", "cs(User-Agent)": "user_agent", "user_agent": "user_agent",
    "cs_user_agent": "user_agent", "time-taken": "duration_ms", "cs-host": "host",
    "time_taken_micros": "duration_ms", "x-host-header": "host", "host": "host",
    "cs_host": "host", "method": "method",
}  # fmt: skip
EXPECTED = HIT | {"protocol": "HTTP/1.1", "duration_ms": 46.0}


@st.composite
def ordered_headers(draw) -> tuple[str, list[str], dict[str, Any]]:
    """A layout, a file of one record with some of its fields in some order, and the hit."""
    name = draw(st.sampled_from(sorted(HEADERS)))
    header, separator, needed, values = HEADERS[name]
    others = [one for one in values if one not in needed.split()]
    kept = draw(st.lists(st.sampled_from(others), unique=True))
    names = draw(st.permutations([*needed.split(), *kept]))
    if name == "iis" and not {"s-sitename", "sc-substatus"} & set(names):
        names = [*names, "sc-win32-status"] if "sc-win32-status" not in names else names
    quote = '"' if name == "google_storage" else ""
    between = separator if name in ("zeek", "google_storage") else " "
    text = header.format(between.join(f"{quote}{one}{quote}" for one in names))
    if not text.startswith(("#", '"time_micros"')):
        names.sort(key=lambda one: one != "time_micros")
        text = header.format(between.join(f"{quote}{one}{quote}" for one in names))
    line = separator.join(f"{quote}{values[one]}{quote}" for one in names)
    there = {FIELDS_OF[one] for one in names if one in FIELDS_OF} | {"ts", "client"}
    if "uri" in names or "cs_uri" in names:
        there.add("query")
    expected = {field: value if field in there else None for field, value in EXPECTED.items()}
    return name, [*text.split("\n"), line], expected


@pytest.mark.large
@settings(max_examples=300)
@given(made=ordered_headers())
def test_every_order_of_a_header_is_read(connection, made) -> None:
    name, lines, expected = made
    (hit,) = hits_of(connection, name, *lines)
    assert hit == {"line_no": len(lines), **expected}


IIS_FILE = [
    "#Software: Microsoft Internet Information Services 8.5",
    "#Version: 1.0",
    "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-win32-status time-taken",
    "2016-11-08 20:30:00 203.0.113.7 GET /a 200 0 46",
    "#Software: Microsoft Internet Information Services 8.5",
    "#Fields: c-ip cs-uri-stem time date sc-status time-taken",
    "203.0.113.8 /b 20:31:00 2016-11-08 404 47",
    "#Fields: date time cs-uri-stem",
    "2016-11-08 20:32:00 /no-client",
    "",
    "#Software: Microsoft HTTP API 2.0",
    "#Fields: date time c-ip cs-uri-stem sc-status",
    "2016-11-08 20:33:00 203.0.113.9 /c 500",
]


@pytest.mark.parametrize("size", range(1, len(IIS_FILE) + 1))
def test_header_holds_until_the_next_one_however_the_file_is_cut(connection, size) -> None:
    """Also one that names no client: its lines are rejected, and none read by the default."""
    blocks = [IIS_FILE[at : at + size] for at in range(0, len(IIS_FILE), size)]
    parts = read(connection, LAYOUTS["w3c"], blocks)
    hits = [hit for part in parts for hit in part.hits.to_pylist()]
    assert [(hit["client"], hit["path"], hit["status"]) for hit in hits] == [
        ("203.0.113.7", "/a", 200), ("203.0.113.8", "/b", 404), ("203.0.113.9", "/c", 500),
    ]  # fmt: skip
    assert [(n, why.reason) for part in parts for n, _, why in part.rejects] == [(9, "header")]


def test_time_taken_is_in_the_units_of_the_software(connection) -> None:
    """IIS's milliseconds, by #Software: or by fields of its own; the draft's seconds."""
    fields, line = (
        "#Fields: date time c-ip cs-uri-stem time-taken",
        "2016-11-08 20:30:00 203.0.113.7 /a 46",
    )
    iis = "#Software: Microsoft Internet Information Services 6.0"
    other = "#Software: Example Proxy 1.0"
    durations = [
        hits_of(connection, "w3c", *lines)[0]["duration_ms"]
        for lines in (
            [iis, fields, line],
            [fields + " sc-substatus", line + " 0"],
            [other, fields, line],
            [fields, line],
        )
    ]
    assert durations == [46.0, 46.0, 46_000.0, 46_000.0]


@pytest.mark.large
def test_many_headers_in_a_row_cost_no_more_than_their_number(connection) -> None:
    """Each looks back a few lines at most: eight times as many take no thirty times as long."""
    took = []
    for count in (250, 2_000):
        lines = ["#Fields: date time c-ip cs-uri-stem"] * count
        started = time.process_time()
        assert set(kinds_of(connection, "iis", *lines)) == {"directive"}
        took.append(time.process_time() - started)
    assert took[1] < 30 * took[0]


@pytest.mark.parametrize("name", ["iis", "w3c"])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_fields_alone_change_no_product(connection, name, size) -> None:
    """IIS writes a header anew when its fields change; only #Software: names another product."""
    fields = "date time c-ip cs-uri-stem cs(User-Agent) time-taken"
    line = "2016-11-08 20:30:00 203.0.113.7 /a A+B 46"
    lines = [f"#Fields: {fields} sc-substatus", f"{line} 0", f"#Fields: {fields}", line]
    blocks = [lines[at : at + size] for at in range(0, 4, size)]
    parts = read(connection, LAYOUTS[name], blocks)
    hits = [hit for part in parts for hit in part.hits.to_pylist()]
    assert [(hit["user_agent"], hit["duration_ms"]) for hit in hits] == [("A B", 46.0)] * 2
    other = [*lines[:2], "#Software: Example Proxy 1.0", *lines[2:]]
    assert kinds_of(connection, "iis", *other)[-1] == "header"


def test_a_time_without_a_date_is_of_the_day_of_the_directive(connection) -> None:
    """Without that it is of no day."""
    header = "#Software: Microsoft Internet Information Services 5.0", "#Version: 1.0"
    fields, line = (
        "#Fields: time c-ip cs-method cs-uri-stem sc-status",
        "20:30:00 203.0.113.7 GET / 200",
    )
    dated = [*header, "#Date: 2016-11-08 20:00:00", fields, line]
    (hit,) = hits_of(connection, "iis", *dated)
    assert hit["ts"] == TS
    assert kinds_of(connection, "iis", *header, fields, line)[-1] == "header"
    impossible = [text.replace("11-08", "13-08") for text in dated]
    assert kinds_of(connection, "iis", *impossible)[-1] == "time"


def test_connections_of_http_sys_are_no_requests(connection) -> None:
    """HTTPERR logs what was closed before a request came; one that was refused has a status."""
    lines = [
        "#Software: Microsoft HTTP API 2.0", "#Version: 1.0", "#Date: 2016-11-08 20:00:00",
        "#Fields: date time c-ip c-port s-ip s-port cs-version cs-method cs-uri sc-status x y z",
        "2016-11-08 20:30:00 203.0.113.7 50000 192.0.2.1 80 - - - - - Timer_ConnectionIdle -",
        "2016-11-08 20:30:00 203.0.113.7 50000 192.0.2.1 80 - - - 400 - Hostname -",
        "2016-11-08 20:30:00 203.0.113.7 50000 192.0.2.1 80 HTTP/1.1 GET / 503 1 AppOffline x",
    ]  # fmt: skip
    assert kinds_of(connection, "w3c", *lines) == [*["directive"] * 5, "hit", "hit"]


def test_times_are_utc_until_a_zone_is_set(connection) -> None:
    """SHOUTcast and some IIS write local ones."""
    example = LAYOUTS["iis"].example
    (local,) = hits_of(connection, "iis", example, zone=ZoneInfo("America/Toronto"))
    assert local["ts"] == datetime(2016, 11, 9, 1, 30, tzinfo=UTC)


def test_iis_without_header_may_have_the_bytes(connection) -> None:
    """Fifteen fields, and seventeen."""
    short = LAYOUTS["iis"].example
    (hit,) = hits_of(connection, "iis", short.replace(" 46", " 5120 314 46"))
    assert (hit["bytes_sent"], hit["duration_ms"]) == (5120, 46.0)
    assert kinds_of(connection, "iis", short.removesuffix(" 46"), short + " 1") == ["bytes", "end"]


def test_cloudfront_decodes_as_often_as_it_encoded(connection) -> None:
    """Once by its documentation; twice in the years when spaces came as %2520."""
    example = LAYOUTS["cloudfront"].example
    agents = {
        "Mozilla/5.0%20(X11;%20Linux)": "Mozilla/5.0 (X11; Linux)",
        "Mozilla/5.0%2520(X11;%2520Linux)": "Mozilla/5.0 (X11; Linux)",
        "My%2520App/1.0%20Darwin/20": "My%20App/1.0 Darwin/20",
        "100%25": "100%",
        "%FF%00": "\ufffd\x00",
        "-": "-",
    }
    lines = [example.replace("Mozilla/5.0%20(X11;%20Linux)", agent) for agent in agents]
    assert [hit["user_agent"] for hit in hits_of(connection, "cloudfront", *lines)] == [
        *agents.values()
    ]


def test_cloudfront_had_23_and_24_fields(connection) -> None:
    fields = LAYOUTS["cloudfront"].example.split("\t")
    assert len(fields) == 33
    lines = ["\t".join(fields[:count]) for count in (23, 24, 33, 40)]
    lines[3] += "\tnew" * 7
    hits = hits_of(connection, "cloudfront", *lines)
    assert [hit["protocol"] for hit in hits] == [None, "HTTP/2.0", "HTTP/2.0", "HTTP/2.0"]
    assert kinds_of(connection, "cloudfront", "\t".join(fields[:22])) == ["protocol"]


def test_only_a_stream_that_begins_to_play_is_a_hit(connection) -> None:
    example = LAYOUTS["cloudfront_rtmp"].example
    lines = [example.replace("\tplay\t", f"\t{event}\t") for event in ("connect", "stop", "play")]
    assert kinds_of(connection, "cloudfront_rtmp", *lines) == ["directive", "directive", "hit"]
    assert kinds_of(connection, "cloudfront_rtmp", example.replace("\tplay\t", "\tfly\t")) != [
        "hit"
    ]


def test_zeek_record_without_a_request_is_no_hit(connection) -> None:
    """Neither with a header nor without; a log of another protocol has no hits at all."""
    header, separator, _, values = HEADERS["zeek"]
    lines = [*header.format("\t".join(values)).split("\n"), separator.join(values.values())]
    lines.append(separator.join({**values, "trans_depth": "0"}.values()))
    assert kinds_of(connection, "zeek", *lines)[-2:] == ["hit", "directive"]
    bare = LAYOUTS["bro"].example.replace("\t80\t1\tGET", "\t80\t0\t-")
    assert kinds_of(connection, "bro", bare) == ["directive"]
    other = ["#fields\tts\tuid\tid.orig_h\tproto", "1478637000.1\tC1\t203.0.113.7\ttcp"]
    assert kinds_of(connection, "zeek", *other) == ["directive", "header"]


def test_zeek_unset_empty_and_escaped_values(connection) -> None:
    example = LAYOUTS["zeek"].example
    line = (
        example.replace("https://example.org/", "(empty)")
        .replace("(X11; Linux)", r"\xc3\xa9\x09z")
        .replace("-> 198.51.100.9", r"-> 192.0.2.1\x2c 198.51.100.9,VIA -> a")
    )
    (hit,) = hits_of(connection, "zeek", line)
    assert hit["referrer"] is None
    assert hit["user_agent"] == "Mozilla/5.0 \u00e9\tz"
    assert hit["forwarded"] == "192.0.2.1, 198.51.100.9"


def test_zeek_before_origin_was_logged(connection) -> None:
    """29 fields are read as 30 are."""
    line = LAYOUTS["zeek"].example.replace("(X11; Linux)\t-\t", "(X11; Linux)\t")
    assert len(line.split("\t")) == 29
    assert hits_of(connection, "zeek", line)[0]["user_agent"] == "Mozilla/5.0 (X11; Linux)"


def test_storage_log_of_the_bucket_itself_is_no_hit(connection) -> None:
    """Lifecycle rules delete objects without a client."""
    line = LAYOUTS["google_storage"].example.replace('"203.0.113.7"', '""')
    assert kinds_of(connection, "google_storage", line) == ["directive"]


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("azure_front_door", "category", "FrontDoorWebApplicationFirewallLog"),
        ("azure_front_door", "category", "FrontDoorHealthProbeLog"),
        ("azure_front_door", "properties.isReceivedFromClient", False),
        ("azure_gateway", "category", "ApplicationGatewayFirewallLog"),
        ("azure_gateway_v1", "category", "ApplicationGatewayPerformanceLog"),
        ("caddy", "logger", "http.log.error"),
        ("cloudflare", "ClientRequestSource", "edgeWorkerFetch"),
        ("fastly_json", "fastly_is_edge", False),
    ],
)
def test_record_that_is_no_visitors_request_is_no_hit(connection, name, place, value) -> None:
    record = json.loads(LAYOUTS[name].example)
    *path, key = place.split(".")
    inner = record
    for step in path:
        inner = inner[step]
    inner[key] = value
    assert kinds_of(connection, name, json.dumps(record)) == ["directive"]


@pytest.mark.parametrize(
    "stamp", [1478637000, 1478637000123456789, "2016-11-08T20:30:00Z", "2016-11-08T15:30:00-05:00"]
)
def test_cloudflare_times_are_told_apart(connection, stamp) -> None:
    """``unix``, ``unixnano`` and ``rfc3339``."""
    record = json.loads(LAYOUTS["cloudflare"].example) | {"EdgeStartTimestamp": stamp}
    (hit,) = hits_of(connection, "cloudflare", json.dumps(record))
    assert hit["ts"].replace(microsecond=0) == TS


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("203.0.113.7:50000", "203.0.113.7"),
        ("[2001:db8::7]:50000", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("203.0.113.7", "203.0.113.7"),
        ("unix:@", "unix:@"),
    ],
)
def test_older_caddy_has_the_client_with_its_port(connection, address, client) -> None:
    record = json.loads(LAYOUTS["caddy"].example)
    record["request"] = {
        key: value for key, value in record["request"].items() if not key.endswith("ip")
    } | {"remote_addr": address}
    record["common_log"] = '203.0.113.7 - - [08/Nov/2016:20:30:00 +0000] "GET / HTTP/2.0" 200 1'
    assert hits_of(connection, "caddy", json.dumps(record))[0]["client"] == client


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("google_load_balancer", "httpRequest.remoteIp"),
        ("azure_front_door", "properties.clientIp"),
        ("azure_gateway", "properties.clientIP"),
        ("azure_gateway_v1", "properties.clientIP"),
    ],
)
def test_a_port_makes_no_other_client(connection, name, place) -> None:
    example = LAYOUTS[name].example
    key = place.rpartition(".")[2]
    lines = [
        example.replace(f'"{key}":"203.0.113.7"', f'"{key}":"{address}"')
        for address in ("203.0.113.7:50000", "[2001:db8::7]:50000", "2001:db8::7")
    ]
    clients = [hit["client"] for hit in hits_of(connection, name, *lines)]
    assert clients == ["203.0.113.7", "2001:db8::7", "2001:db8::7"]


@pytest.mark.parametrize(
    ("header", "forwarded"),
    [
        (["6.6.6.6", "203.0.113.5"], "6.6.6.6, 203.0.113.5"),
        (["203.0.113.5"], "203.0.113.5"),
        ("[2001:db8::7]:443", "[2001:db8::7]:443"),
        ([1], "[1]"),
        ([], None),
    ],
)
def test_repeated_lines_of_a_header_are_one_list(connection, header, forwarded) -> None:
    """In order: what a visitor writes stands before what the proxy appends."""
    caddy, traefik = (json.loads(LAYOUTS[name].example) for name in ("caddy", "traefik_json"))
    caddy["request"]["headers"]["X-Forwarded-For"] = header
    traefik["request_X-Forwarded-For"] = header
    for name, record in (("caddy", caddy), ("traefik_json", traefik)):
        assert hits_of(connection, name, json.dumps(record))[0]["forwarded"] == forwarded


@pytest.mark.parametrize(
    "stamp",
    [
        "2016/11/08 15:30:00", "2016/11/08 15:30:00.123", "08/Nov/2016:20:30:00 +0000",
        1478637000123.456, 1478637000123, "2016-11-08T20:30:00.123Z",
        "2016-11-08T15:30:00.123-0500",
    ],
)  # fmt: skip
def test_caddy_writes_times_in_several_ways(connection, stamp) -> None:
    """``wall`` and ``wall_milli`` are the server's own time."""
    record = json.loads(LAYOUTS["caddy"].example) | {"ts": stamp}
    zone = ZoneInfo("America/Toronto")
    (hit,) = hits_of(connection, "caddy", json.dumps(record), zone=zone)
    assert hit["ts"].replace(microsecond=0) == TS
    wrong = json.dumps(record | {"ts": "08/Nox/2016:20:30:00 +0000"})
    assert kinds_of(connection, "caddy", wrong) == ["time"]


@pytest.mark.parametrize(
    ("written", "duration_ms"),
    [("46ms", 46.0), ("1.5s", 1500.0), ("1m0.5s", 60_500.0), ("12.5\u00b5s", 0.0125), ("0s", 0.0),
     ("soon ms", None), (0.046, 46.0)],
)  # fmt: skip
def test_caddy_may_write_durations_with_units(connection, written, duration_ms) -> None:
    record = json.loads(LAYOUTS["caddy"].example) | {"duration": written}
    (hit,) = hits_of(connection, "caddy", json.dumps(record, ensure_ascii=False))
    assert hit["duration_ms"] == (None if duration_ms is None else pytest.approx(duration_ms))


@pytest.mark.parametrize("url", ["https://www.example.com:443/a", "http://www.example.com:80/a"])
def test_front_door_names_no_default_port(connection, url) -> None:
    record = json.loads(LAYOUTS["azure_front_door"].example)
    record["properties"]["requestUri"] = url
    assert hits_of(connection, "azure_front_door", json.dumps(record))[0]["host"] == (
        "www.example.com"
    )


def test_akamai_agents_are_encoded_in_two_ways(connection) -> None:
    lines = [
        LAYOUTS["akamai"].example.replace("Mozilla/5.0%20(X11;%20Linux)", agent)
        for agent in ("Mozilla%2F5.0+%28X11%3B+Linux%29", "C%2B%2B+App", "a+b%20c")
    ]
    agents = [hit["user_agent"] for hit in hits_of(connection, "akamai", *lines)]
    assert agents == ["Mozilla/5.0 (X11; Linux)", "C+++App", "a+b c"]


NGINX = (
    '{"time":"$time_iso8601","ip":"$remote_addr","r":{"do":"$request_method","a/b":"$request_uri"},'
    '"status":$status,"all":$bytes_sent,"bytes":${body_bytes_sent},"ua":"$http_user_agent",'
    '"xff":"$http_x_forwarded_for","note":"$scheme $host","took":$request_time}'
)
NGINX_LINE = (
    '{"time":"2016-11-08T15:30:00-05:00","ip":"203.0.113.7","r":{"do":"GET","a/b":"/a?b=c"},'
    '"status":200,"all":5500,"bytes":5120,"ua":"say \\"hi\\"","xff":"198.51.100.9",'
    '"note":"https x","took":0.046}'
)


@pytest.mark.parametrize(
    "text", [NGINX, "'" + NGINX.replace(',"', "'\n    ',\"").replace(";", "';") + "';"]
)
def test_nginx_json_template_is_read(connection, text) -> None:
    """As one string, and as it stands in nginx.conf."""
    layout = compile_json_template(text, "mine")
    assert layout is not None
    (hit,) = read_hits(connection, layout, [NGINX_LINE])
    assert hit == {"line_no": 1} | dict.fromkeys(HIT) | {
        "ts": TS, "client": "203.0.113.7", "method": "GET", "path": "/a", "query": "b=c",
        "status": 200, "bytes_sent": 5120, "user_agent": 'say "hi"', "duration_ms": 46.0,
        "forwarded": "198.51.100.9",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("template", "time"),
    [
        ('{"t":"$time_local","c":"$remote_addr","r":"$request"}', "08/Nov/2016:15:30:00 -0500"),
        ('{"t":$msec,"c":"$remote_addr","r":"$request"}', "1478637000.000"),
    ],
)
def test_nginx_times_are_read_as_the_variable_says(connection, template, time) -> None:
    layout = compile_json_template(template)
    assert layout is not None
    line = json.dumps({"t": time, "c": "203.0.113.7", "r": "GET / HTTP/1.1"})
    assert read_hits(connection, layout, [line])[0]["ts"] == TS


def test_what_is_no_json_template_is_left_to_others() -> None:
    for text in (
        "combined",
        '$remote_addr "$request"',
        "%h %t",
        "[$time_local]",
        "{",
        "[" * 99_999,
    ):
        assert compile_json_template(text) is None


@pytest.mark.parametrize(
    ("template", "remedy"),
    [
        ('{"c":"$remote_addr","r":"$request"}', "a time: add $time_iso8601"),
        ('{"t":"$time_iso8601","r":"$request"}', "a client: add $remote_addr"),
        ('{"t":"$time_iso8601","c":"$remote_addr"}', "a request: add $request"),
        ('{"t":"$time_iso8601 x","c":"$remote_addr","r":"$request"}', "a time: add"),
    ],
)
def test_template_that_lacks_something_is_refused(template, remedy) -> None:
    with pytest.raises(SettingsError) as caught:
        compile_json_template(template)
    assert template in str(caught.value)
    assert remedy in str(caught.value)


MAP = {"time": "when", "client": "who.ip", "target": "/what/uri", "duration": "took"}


@pytest.mark.parametrize(
    ("time", "value"),
    [
        ("iso", "2016-11-08T20:30:00Z"), ("epoch_s", 1478637000), ("epoch_ms", 1478637000000),
        ("epoch_us", 1478637000000000), ("epoch_ns", 1478637000000000000),
        ("iso_or_epoch", 1478637000000), ("clf", "08/Nov/2016:20:30:00 +0000"),
        ("%d.%m.%Y %H:%M", "08.11.2016 20:30"),
    ],
)  # fmt: skip
def test_map_makes_a_layout(connection, time, value) -> None:
    layout = layout_of_map("mine", MAP, time, "us")
    record = {"when": value, "who": {"ip": "203.0.113.7"}, "what": {"uri": "/a?b=c"}, "took": 46000}
    (hit,) = read_hits(connection, layout, [json.dumps(record)])
    assert hit == {"line_no": 1} | dict.fromkeys(HIT) | {
        "ts": TS, "client": "203.0.113.7", "path": "/a", "query": "b=c", "duration_ms": 46.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "time", "unit", "said"),
    [
        ({"time": None}, "iso", "ms", "formats.mine.time = None: write where the time stands"),
        ({"client": None}, "iso", "ms", "formats.mine.client = None: write where the client"),
        ({"target": None}, "iso", "ms", "formats.mine.request = None: write where the request"),
        ({"colour": "x"}, "iso", "ms", "formats.mine.colour = '(hidden)': write one of time"),
        ({"client": ""}, "iso", "ms", "formats.mine.client = '': write keys with dots"),
        ({"client": "a..b"}, "iso", "ms", "formats.mine.client = 'a..b': write keys with dots"),
        ({}, "iso", "minutes", "formats.mine.duration_unit = 'minutes': write s, ms, us or ns"),
        ({}, "yesterday", "ms", "formats.mine.time_format = 'yesterday': write clf, iso"),
        ({}, "%Q", "ms", "formats.mine.time_format = '%Q': %Q is not read"),
        ({}, "%H:%M", "ms", "formats.mine.time_format = '%H:%M': it has no year: write clf"),
    ],
)
def test_impossible_map_is_refused_with_the_remedy(changed, time, unit, said) -> None:
    places = {field: place for field, place in (MAP | changed).items() if place is not None}
    with pytest.raises(SettingsError) as caught:
        layout_of_map("mine", places, time, unit)
    assert said in str(caught.value)
