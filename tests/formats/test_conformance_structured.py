"""The lines that other projects' own tests read, in the layouts of IIS, CloudFront and Zeek."""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

import duckdb
import pytest
from structured_layouts import LAYOUTS, read

from pipeline.lake.database import connect

CORPUS = Path(__file__).parents[3] / "shared/corpus/peer_cases.jsonl"
SUITES = {
    "iis": ("iis",),
    "CLOUDFRONT_ACCESS_LOG": ("cloudfront",),
    "BRO_HTTP": ("bro", "zeek"),
    "ZEEK_HTTP": ("zeek", "bro"),
}
"""The layouts that may read a suite's lines, which have no header; just one of them does."""
ZONES = {"iis": ZoneInfo("America/Los_Angeles")}
"""In which the peer's tests take times; the draft has UTC."""
DECODED: dict[str, tuple[Callable[[str], str], str]] = {
    "iis": (
        lambda agent: agent.replace("+", " "),
        "Microsoft, W3C Logging: in fields that come from the request a space is written as +.",
    ),
    "CLOUDFRONT_ACCESS_LOG": (
        lambda agent: unquote(unquote(agent)),
        (
            "CloudFront, Standard log file format: URL-encoded equivalents for spaces and certain"
            " other characters in field values."
        ),
    ),
}
"""Suites whose peer keeps user agents encoded, what they say, and the specification's sentence."""
DEVIATIONS = {
    "logstash-patterns-core#96": (
        "host",
        (
            "CloudFront, Standard log file fields: x-host-header is the value that the viewer"
            " included in the Host header; cs(Host) is the domain name of the distribution."
        ),
    ),
    "logstash-patterns-core#139": (
        None,
        (
            "Zeek, HTTP::Info: trans_depth is the depth into the connection of this transaction; a"
            " record with 0, and neither method nor status, is no request."
        ),
    ),
}
"""Cases that are read otherwise: the field, or None when it is no hit, and why."""
FIELDS = {
    "client": "client", "method": "method", "path": "path", "status": "status",
    "bytes": "bytes_sent", "referer": "referrer", "ua": "user_agent", "host": "host",
}  # fmt: skip


def list_cases() -> list[dict[str, Any]]:
    if not CORPUS.is_file():
        return []
    cases = map(json.loads, CORPUS.read_text(encoding="utf-8").splitlines())
    return [case for case in cases if case["format"].partition(":")[0] in SUITES]


CASES = list_cases()
needs_corpus = pytest.mark.skipif(
    not CORPUS.is_file(), reason="the peers' cases are not part of the project: no ../shared/corpus"
)


@pytest.fixture(scope="module")
def connection() -> Iterable[duckdb.DuckDBPyConnection]:
    opened = connect(threads=1)
    yield opened
    opened.close()


def expect(case: dict[str, Any]) -> dict[str, Any]:
    """What a case says, in our names."""
    said, suite = case["expect"], case["format"].partition(":")[0]
    found = {FIELDS[name]: value for name, value in said.items() if name in FIELDS}
    if "user_agent" in found and suite in DECODED:
        found["user_agent"] = DECODED[suite][0](found["user_agent"])
    if "target" in said:
        found["target"] = said["target"]
    if "http_version" in said:
        found["protocol"] = f"HTTP/{said['http_version']}"
    if "ts_utc" in said:
        found["ts"] = datetime.fromisoformat(said["ts_utc"])
    return found


@needs_corpus
def test_the_suites_are_there() -> None:
    assert {case["format"].partition(":")[0] for case in CASES} == SUITES.keys()
    assert len(CASES) == 16


@needs_corpus
def test_few_cases_are_read_otherwise() -> None:
    """At most 5 % of all that the corpus has, each with its sentence."""
    total = len(CORPUS.read_text(encoding="utf-8").splitlines())
    assert len(DEVIATIONS) <= 0.05 * total
    assert DEVIATIONS.keys() <= {case["id"] for case in CASES}


@needs_corpus
@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_case_is_read_as_its_peer_reads_it(connection, case) -> None:
    """Every field that the peer expects, or the one deviation that is listed."""
    suite = case["format"].partition(":")[0]
    lines = [case["line"]]
    reads = [read(connection, LAYOUTS[name], [lines], ZONES.get(suite)) for name in SUITES[suite]]
    hits = [hit for parts in reads for part in parts for hit in part.hits.to_pylist()]
    deviating, _why = DEVIATIONS.get(case["id"], ("", ""))
    if deviating is None:
        assert hits == []
        assert any(part.directives for parts in reads for part in parts)
        return
    (hit,) = hits
    hit["target"] = hit["path"] if hit["query"] is None else f"{hit['path']}?{hit['query']}"
    expected = expect(case)
    different = {name for name, value in expected.items() if hit[name] != value}
    assert different == ({deviating} if deviating else set())
