"""The layouts that are read, by name; more are made of format strings."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Protocol, TypeAlias
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import SettingsError
from pipeline.formats import combined
from pipeline.formats.fields import ReadBlock
from pipeline.formats.headers import HeaderLayout
from pipeline.formats.json_lines import JsonLayout
from pipeline.formats.json_settings import compile_json, write_map
from pipeline.formats.pattern import NO_LINE, Pattern, Segment
from pipeline.formats.templates import compile_format, is_format

_FAMILIES = (
    *("web_servers", "json_servers", "w3c", "aws", "haproxy", "envoy", "cdn", "google", "azure"),
    *("squid", "zeek", "iis_native"),
)
"""The modules of this folder with layouts, the likelier ones first."""


_COMBINED_TOO = ("common", "fastly", "fastly_common")
"""Names that settings may have: Fastly's lines are common or combined ones that syslog carries."""


class BlockLayout(Protocol):
    """A layout that reads blocks of lines."""

    @property
    def name(self) -> str:
        """What it is called in settings and in the ledger."""

    @property
    def example(self) -> str:
        """A line of it."""

    @property
    def forwarded_kind(self) -> str | None:
        """Which header its field ``forwarded`` is."""

    def in_zone(self, zone: ZoneInfo | None) -> "BlockLayout":
        """The same layout with local times of ``zone``."""

    def read_block(
        self,
        connection: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> ReadBlock:
        """Read a block of lines, each of which becomes exactly one thing.

        Args:
            connection: the calling thread's own.
            line_no: shape ``(n,)``, rising.
            lines: ``n`` strings, with or without their line ends.
        """


class Combined:
    """Apache's and nginx's common and combined layouts, read by ``formats.combined``."""

    name = combined.LAYOUT
    forwarded_kind = None
    example = (
        '203.0.113.7 - - [08/Nov/2016:20:30:00 -0500] "GET /english/ HTTP/1.1" 200 5120'
        ' "https://example.org/" "Mozilla/5.0 (X11; Linux x86_64; rv:49.0) Firefox/49.0"'
    )

    def in_zone(self, _: ZoneInfo | None) -> "Combined":
        """The same: its times have offsets."""
        return self

    def read_block(
        self,
        _: duckdb.DuckDBPyConnection,
        line_no: npt.NDArray[np.int64],
        lines: pa.Array,
    ) -> ReadBlock:
        """Read a block of lines."""
        return combined.read_block(line_no, lines)


NO_REQUESTS = Pattern(
    "no_requests",
    (Segment(NO_LINE, "request"), Segment("", "time")),
    example="[Tue Nov 08 20:30:00.123456 2016] [core:error] [pid 7] AH00128: File does not exist",
)
"""Files of what the other layouts know as no requests: error logs, TCP and TLS sessions."""

Layout: TypeAlias = BlockLayout | HeaderLayout
COMBINED = Combined()


def forwarded_kind(layout: Layout) -> str | None:
    """Which header ``forwarded`` is, of ``clients.HEADERS``; None where a layout lacks it."""
    if isinstance(layout, Combined):
        return None
    if isinstance(layout, Pattern | JsonLayout) and "forwarded" not in layout.fields:
        return None
    kind: str | None = layout.forwarded_kind
    return kind


@cache
def list_layouts() -> tuple[Layout, ...]:
    """All layouts, the likelier ones first."""
    return (*_list_requests(), no_requests())


@cache
def no_requests() -> Pattern:
    """``NO_REQUESTS``, with what any layout knows as no request."""
    known = (layout.not_hits for layout in _list_requests() if isinstance(layout, Pattern))
    return replace(NO_REQUESTS, not_hits="|".join(dict.fromkeys(one for one in known if one)))


@cache
def _list_requests() -> tuple[Layout, ...]:
    families = (import_module(f"pipeline.formats.{name}").LAYOUTS for name in _FAMILIES)
    return (COMBINED, *(layout for family in families for layout in family))


def find_layout(name: str, key: str = "log_format") -> Layout:
    """The layout of a name, of a format string, or of a map of JSON.

    Raises:
        SettingsError: there is none.
    """
    if is_format(name):
        return compile_json(name, key) or compile_format(name, key=key)
    known: dict[str, Layout] = {layout.name: layout for layout in list_layouts()}
    known |= dict.fromkeys(_COMBINED_TOO, COMBINED)
    if name not in known:
        remedy = "write a format string, or one of `tidegauge formats`: " + ", ".join(known)
        raise SettingsError(key, name, remedy)
    return known[name]


def read_maps(maps: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Maps of JSON in settings as texts that ``find_layout`` reads, by name.

    Raises:
        SettingsError: one is impossible, or has the name of a layout.
    """
    names = {layout.name for layout in list_layouts()}
    texts = {name: write_map(name, entries) for name, entries in maps.items()}
    for name, text in texts.items():
        if name in names or is_format(name):
            raise SettingsError("formats", name, "a layout has this name: write another")
        find_layout(text)
    return texts
