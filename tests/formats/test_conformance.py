"""Lines that others' test suites read, and what they expect of them, against our layouts.

Peers are right until a format's specification says otherwise: ``DIFFERENCES`` has those sentences.
The lines are in ``../shared/corpus`` and not part of the project.
"""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline.formats import aws, haproxy, squid, web_servers
from pipeline.formats.fields import ReadBlock
from pipeline.formats.file_reader import FileReader
from pipeline.formats.layouts import COMBINED, BlockLayout
from pipeline.formats.templates import compile_format
from pipeline.lake.database import connect_reader

CORPUS = Path(__file__).parents[3] / "shared/corpus"
PEER_CASES = CORPUS / "peer_cases.jsonl"
HTTPD_LOGS = CORPUS / "duckdb-httpd-log"
CASES = (
    [json.loads(line) for line in PEER_CASES.read_text().splitlines()]
    if PEER_CASES.is_file()
    else []
)
needs_cases = pytest.mark.skipif(
    not CASES, reason="others' test cases are not in ../shared/corpus/peer_cases.jsonl"
)
needs_httpd_logs = pytest.mark.skipif(
    not HTTPD_LOGS.is_dir(), reason="the test logs are not in ../shared/corpus/duckdb-httpd-log"
)

APACHE_COMMON = r"%h %l %u %t \"%r\" %>s %b"
APACHE_COMBINED = APACHE_COMMON + r" \"%{Referer}i\" \"%{User-Agent}i\""
MOST_DIFFERENCES = 0.05
"""Of all cases."""

LAYOUTS: dict[str, tuple[BlockLayout, ...]] = {
    "HTTPD_COMBINEDLOG": (compile_format(APACHE_COMBINED),),
    "HAPROXYHTTP": (haproxy.HAPROXY,),
    "HAPROXYHTTPBASE": (haproxy.HAPROXY,),
    "HAPROXYTCP": (haproxy.HAPROXY,),
    "ELB_ACCESS_LOG": (aws.ELB, aws.ELB_2014),
    "S3_ACCESS_LOG": (aws.S3,),
    "SQUID3": (squid.SQUID,),
    "couchbase-http-access": (web_servers.COUCHBASE,),
    # These five write common or combined.
    **dict.fromkeys(
        ("apache-access", "jetty-access", "nginx-access", "tomcat-access", "varnish"), (COMBINED,)
    ),
}
"""The layouts that read each suite's lines. """
ELSEWHERE = ("iis", "CLOUDFRONT_ACCESS_LOG", "BRO_HTTP", "ZEEK_HTTP")
"""Suites of layouts with a header: see ``test_conformance_structured``."""
"""Suites of layouts with a header, whose own readers are to be named here."""

DIFFERENCES = {
    "logstash-patterns-core#31": "HAProxy 8.2.2: the TCP format is of a session, not of a request",
    "logstash-patterns-core#32": "HAProxy 8.2.2: the TCP format is of a session, not of a request",
}
"""Cases that we read otherwise than the peer, and the specification's sentence for it."""


def read_with(reader: Callable[..., Any], *lines: str) -> ReadBlock:
    """Read lines with a layout's ``read_block``; line numbers count from 1."""
    with connect_reader() as connection:
        block: ReadBlock = reader(
            connection, np.arange(1, len(lines) + 1), pa.array(lines, pa.string())
        )
    return block


def read_file(layout: str, *lines: str) -> list[dict[str, Any]]:
    """Read a file of some lines whose layout is set, whatever carries them; returns its hits."""
    reader = FileReader(layout)
    with connect_reader() as connection:
        parts = reader.cut(connection, np.arange(1, len(lines) + 1), pa.array(lines, pa.string()))
        hits: list[dict[str, Any]] = reader.read(connection, parts).hits.to_pylist()
    return hits


def suite_of(case: dict[str, Any]) -> str:
    """The peer's name of the format, without which version of its field names."""
    name: str = case["format"].split(":")[0]
    return name


def read_case(case: dict[str, Any]) -> dict[str, Any] | None:
    """Read a case's line with its suite's layouts, or null when it is no hit.

    HAProxy's lines are carried by syslog: they are read as a file of them would be.
    """
    if LAYOUTS[suite_of(case)] == (haproxy.HAPROXY,):
        return next(iter(read_file("haproxy", case["line"])), None)
    for layout in LAYOUTS[suite_of(case)]:
        hits = read_with(layout.read_block, case["line"]).hits.to_pylist()
        if hits:
            hit: dict[str, Any] = hits[0]
            return hit
    return None


def as_peers_say(hit: dict[str, Any], line: str) -> dict[str, Any]:
    """Our fields in the peers' words.

    ``target`` is whole in theirs; ours gives an absolute one's authority to ``host``, without its
    scheme's own port, and the authority of ``CONNECT``, which they take for a path.
    """
    authority = hit["host"]
    if hit["method"] == "CONNECT":
        hit = hit | {"path": authority}
    target = hit["path"] + ("" if hit["query"] is None else "?" + hit["query"])
    own = {"http://": ":80", "https://": ":443"}
    origins = [s + str(authority) + port for s in own for port in ("", own[s])]
    absolute = next((origin for origin in origins if origin + target in line), "")
    return {
        "client": hit["client"], "method": hit["method"], "path": hit["path"],
        "target": absolute + target, "status": hit["status"],
        "bytes": hit["bytes_sent"], "referer": hit["referrer"], "ua": hit["user_agent"],
        "http_version": (hit["protocol"] or "").removeprefix("HTTP/"),
        "host": (authority and authority.rpartition(":")[0]) or authority, "ts_utc": hit["ts"],
    }  # fmt: skip


def expected_of(case: dict[str, Any]) -> dict[str, Any]:
    """What the peer expects, in fields that we have; its quotes around a header are its own."""
    expect = {name: value for name, value in case["expect"].items() if name != "user"}
    for name in ("referer", "ua"):
        if name in expect:
            expect[name] = expect[name].removeprefix('"').removesuffix('"')
    if expect.get("referer") == "-":
        expect["referer"] = None
    if "ts_utc" in expect:
        expect["ts_utc"] = datetime.fromisoformat(expect["ts_utc"])
    return expect


TEXT_CASES = [case for case in CASES if suite_of(case) not in ELSEWHERE]


@needs_cases
@pytest.mark.parametrize("case", TEXT_CASES, ids=lambda case: f"{case['format']} {case['id']}")
def test_a_peers_case_reads_as_the_peer_expects(case: dict[str, Any]) -> None:
    hit = read_case(case)
    if case["id"] in DIFFERENCES:
        assert hit is None
        return
    assert hit is not None
    if hit["path"] is None and hit["method"] != "CONNECT":
        assert {name: hit[name] for name in expected_of(case)} == expected_of(case)
        return
    read = as_peers_say(hit, case["line"])
    assert {name: read[name] for name in expected_of(case)} == expected_of(case)


@needs_cases
def test_every_suite_has_a_reader_and_few_cases_differ() -> None:
    assert len(CASES) == 101
    assert {suite_of(case) for case in CASES} == {*LAYOUTS, *ELSEWHERE}
    assert len(DIFFERENCES) <= len(CASES) * MOST_DIFFERENCES
    assert set(DIFFERENCES) <= {case["id"] for case in CASES}


@needs_cases
def test_sessions_of_tcp_are_known_as_no_requests() -> None:
    lines = [case["line"] for case in CASES if suite_of(case) == "HAPROXYTCP"]
    with connect_reader() as connection:
        reader = FileReader()
        parts = reader.cut(connection, np.arange(1, len(lines) + 1), pa.array(lines, pa.string()))
        block = reader.read(connection, parts)
    assert (block.directives, block.rejects) == ([1, 2], [])


HTTPD_FORMATS = {
    "common_sample": (APACHE_COMMON, 6),
    "common_empty": (APACHE_COMMON, 0),
    "common_with_errors": (APACHE_COMMON, 3),
    "combined_combined": (APACHE_COMBINED, 6),
    "combined_combined_with_errors": (APACHE_COMBINED, 3),
    "compressed_access": (APACHE_COMMON, None),
    "directives_all_pairs": (r"%h %v %V %t \"%r\" %>s %s %b %B", 1),
    "directives_bytes_b_and_B": (APACHE_COMMON + " %B", 3),
    "directives_bytes_both": (r"%h %t \"%r\" %>s %b %B", 1),
    "directives_bytes_with_dash": (APACHE_COMMON, 3),
    "directives_bytes_with_zero": (r"%h %l %u %t \"%r\" %>s %B", 3),
    "directives_duration": (APACHE_COMMON + " %D", 3),
    "directives_duration_both": (APACHE_COMMON + " %D %T", 3),
    "directives_duration_sec": (APACHE_COMMON + " %T", 3),
    "directives_duration_unit": (APACHE_COMMON + " %{ms}T", 3),
    "directives_header_collision": (
        r"%h %l %u %t \"%r\" %>s %{Content-Length}i %{Content-Length}o", 3,
    ),
    "directives_hostname": (r"%h %{c}h %t \"%r\" %>s %b", 1),
    "directives_ip_address": (r"%a %{c}a %A %t \"%r\" %>s %b", 2),
    "directives_original_final": (r"%h %l %u %t \"%>r\" %>s %b", 3),
    "directives_peer_ip": (r"%a %{c}a %t \"%r\" %>s %b", 1),
    "directives_query_string": (APACHE_COMMON, 3),
    "directives_redirect": (r"%h %t \"%r\" %>s %b %s", 1),
    "directives_request_collision": (APACHE_COMMON + " %m %U %q %H", 2),
    "directives_server_V_directive": (r"%h %V %t \"%r\" %>s %b", 1),
    "directives_server_both": (r"%h %v %V %t \"%r\" %>s %b", 1),
    "directives_server_v_only": (r"%h %v %t \"%r\" %>s %b", 1),
    "directives_status_both": (r"%h %t \"%r\" %>s %b %s", 1),
    "directives_status_gt_s_only": (APACHE_COMMON, 1),
    "directives_status_s_only": (r"%h %l %u %t \"%r\" %s %b", 1),
    "directives_typed_headers": (
        r"%h %l %u %t \"%r\" %>s %{Content-Length}o %{Age}o", 3,
    ),
    "directives_typed_headers_edge_cases": (r"%h %l %u %t \"%r\" %>s %{Content-Length}o", 4),
    "directives_typed_headers_mixed": (
        r"%h %l %u %t \"%r\" %>s %{Content-Length}o %{Max-Forwards}i %{Age}o", 3,
    ),
    "directives_typed_headers_request": (r"%h %l %u %t \"%r\" %>s %{Max-Forwards}i", 3),
    "edge_cases_malformed": (APACHE_COMMON, 2),
    "edge_cases_special_chars": (APACHE_COMMON, 3),
    "multi_file_server1": (APACHE_COMMON, 2),
    "multi_file_server2": (APACHE_COMMON, 2),
    "multi_file_server3": (APACHE_COMMON, 2),
    "timestamp_begin_end_begin_end": (
        r"%h %{begin:%d/%b/%Y:%H:%M:%S %z}t %{end:%d/%b/%Y:%H:%M:%S %z}t \"%r\" %>s", 3,
    ),
}  # fmt: skip
"""The LogFormat that the peer's tests name for each file, and how many lines are requests.

Files of LogFormats without time or request are not here: such a log has no hits.
"""


@needs_httpd_logs
@pytest.mark.parametrize("name", HTTPD_FORMATS)
def test_logs_of_httpd_read_with_their_log_format(name: str) -> None:
    text, requests = HTTPD_FORMATS[name]
    path = HTTPD_LOGS / f"test_data_{name}.log"
    raw = path.read_bytes() if path.is_file() else gzip.decompress(Path(f"{path}.gz").read_bytes())
    lines = raw.decode().splitlines(keepends=True)
    block = read_with(compile_format(text).read_block, *lines)
    assert len(block.hits) == (len(lines) if requests is None else requests)
    assert len(block.hits) + len(block.rejects) + len(block.blank) == len(lines)
    assert all(why.reason and why.column >= 1 for _, _, why in block.rejects)
    assert block.hits["path"].null_count == 0
    assert block.hits["status"].null_count == 0
