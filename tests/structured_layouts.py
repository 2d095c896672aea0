"""Reads lines as a file's reader does, in layouts named by headers and in those of JSON."""

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.formats import azure, cdn, google, json_servers, w3c, zeek
from pipeline.formats.fields import ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.pattern import Pattern

Layout = HeaderLayout | JsonLayout | Pattern
FAMILIES = (w3c, zeek, google, azure, cdn, json_servers)
LAYOUTS: dict[str, Layout] = {
    layout.name: layout for family in FAMILIES for layout in family.LAYOUTS
}


def read(
    connection: duckdb.DuckDBPyConnection,
    layout: Layout,
    blocks: Iterable[list[str]],
    zone: ZoneInfo | None = None,
) -> list[ReadBlock]:
    """Read a file's blocks of lines; each line becomes exactly one thing."""
    layout = layout.in_zone(zone)
    current, first, found = None, 1, []
    for block in blocks:
        lines = pa.array(block, pa.string())
        line_no = np.arange(first, first + len(block))
        first += len(block)
        if not isinstance(layout, HeaderLayout):
            parts: list[tuple[int, int, Any]] = [(0, len(block), layout)]
        else:
            parts, current = layout.sections(lines, current)
        for start, end, part in parts:
            found.append(_read_part(connection, layout, part, line_no[start:end], lines[start:end]))
    return found


def _read_part(connection, layout, part, line_no, lines) -> ReadBlock:
    directives = []
    if isinstance(layout, HeaderLayout):
        is_one = pc.match_substring_regex(lines, layout.directive).to_numpy(zero_copy_only=False)
        directives = line_no[is_one].tolist()
        line_no, lines = line_no[~is_one], lines.filter(pa.array(~is_one))
    got = part.read_block(connection, line_no, lines)
    got = ReadBlock(got.hits, got.rejects, got.blank, [*directives, *got.directives])
    numbers = [*got.hits["line_no"].to_pylist(), *(n for n, _, _ in got.rejects)]
    assert sorted([*numbers, *got.blank, *got.directives]) == sorted([*line_no, *directives])
    return got


def read_hits(connection, layout, lines: list[str], zone=None) -> list[dict[str, Any]]:
    """The hits of lines of which none is rejected."""
    found = read(connection, layout, [lines], zone)
    assert [one for part in found for one in part.rejects] == []
    return [hit for part in found for hit in part.hits.to_pylist()]


LINE = (
    '{"time":"2017-07-25T11:01:06+08:00","ip":"203.0.113.6","request":"GET /a?q=%s HTTP/1.1",'
    '"status":"200","size":7513,"up":%s,"upstream":"%s","ua":"%s"}'
)
