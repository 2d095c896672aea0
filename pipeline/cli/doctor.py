"""The command ``doctor``: what a raw file is, what fails in it, and what to set."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import LayoutOption, SiteOptions
from pipeline.cli.parse import raw_file, write_instant
from pipeline.errors import DataError
from pipeline.text import escape, write_number_of, write_share

if TYPE_CHECKING:
    import duckdb

    from pipeline.formats.fields import ReadBlock, Rejected
    from pipeline.formats.file_reader import FileReader
    from pipeline.formats.layouts import Layout
    from pipeline.raw.blocks import Block, WholeFile

_SHOWN_FAILURES = 5
_SHOWN_WIDTH = 100


@dataclass
class _Findings:
    """What a file's lines are, and the first of those that fail."""

    counts: Counter[str] = field(default_factory=Counter)
    first_hit: dict[str, Any] | None = None
    failures: list[tuple[int, str, Rejected]] = field(default_factory=list)

    def add(self, block: Block, read: ReadBlock) -> None:
        self.counts += Counter(
            hits=len(read.hits), blank=len(read.blank), directives=len(read.directives),
            rejected=len(read.rejects), too_long=len(block.too_long),
        )  # fmt: skip
        self.failures += read.rejects[: _SHOWN_FAILURES - len(self.failures)]
        if self.first_hit is None and len(read.hits):
            (self.first_hit,) = read.hits.slice(0, 1).to_pylist()


def doctor(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A raw log, or - for stdin.")],
    log_format: LayoutOption = None,
    *,
    site: SiteOptions,
) -> None:
    """Say which layout a file has, what fails, where and why. Exit 1 when it cannot be read.

    For example:

    tidegauge doctor access.log.gz

    tidegauge doctor access.log --log-format '%h %l %u %t "%r" %>s %b %D'
    """
    from pipeline.formats.file_reader import FileReader
    from pipeline.ingest.maker import ingest_settings
    from pipeline.lake.database import connect_reader
    from pipeline.raw.blocks import read_blocks
    from pipeline.raw.content import read_whole
    from pipeline.settings import load_settings

    connection = connect_reader()
    settings = load_settings(site.config, log_format=log_format)
    reader = FileReader(settings.log_format)
    found = _Findings()

    def look(blocks: Iterable[Block]) -> None:
        for block, parts in reader.cut_all(connection, blocks):
            found.add(block, reader.read(connection, parts))

    with raw_file(file) as raw:
        _, whole = read_whole(read_blocks(raw, ingest_settings(settings).limits), look)
    content = whole.content
    is_read = found.counts["hits"] >= found.counts["rejected"] + found.counts["too_long"]
    is_text = is_read or not content.is_binary
    name = _name_layout(reader, found, is_read=is_read) if is_text else "this is no text of lines"
    print(f"{escape(str(file))}: {name}")
    counts = (
        write_number_of(n, kind.removesuffix("s"), kind) for kind, n in found.counts.items() if n
    )
    print(f"{write_number_of(whole.lines, 'line')}: " + ", ".join(counts))
    refusal = reader.say_refusal(settings.proxies)
    for remark in _remarks(whole, reader, refusal or reader.say_doubt()):
        print(escape(remark))
    if found.first_hit:
        _show_hit(found.first_hit)
    nearest = _nearest(connection, found) if is_text and not is_read else None
    for number, line, why in found.failures:
        _show_failure(number, line, why)
    if is_text and not is_read:
        _advise(connection, found, nearest, file)
    if content.damage:
        lines = write_number_of(whole.lines, "line")
        raise DataError(f"{file}: {content.damage}; the readable part has {lines}")
    if refusal or not is_read:
        raise typer.Exit(1)


def _remarks(whole: WholeFile, reader: FileReader, doubt: str | None) -> Iterator[str]:
    """What else is to be said of a file as a whole."""
    from pipeline.raw.holes import say_hole

    if whole.nul_bytes and not whole.content.is_binary:
        yield say_hole(whole.nul_bytes)
    if carried := reader.say_wrapper():
        yield carried
    if doubt:
        yield doubt


def _name_layout(reader: FileReader, found: _Findings, *, is_read: bool) -> str:
    from pipeline.formats.layouts import COMBINED

    if not found.counts["hits"] and not found.counts.keys() - {"blank"}:
        return "empty"
    if not is_read:
        given = reader.given
        return f"not {escape(given)}" if given else "of no layout that is known"
    name = reader.layout.name
    if name == COMBINED.name and found.first_hit and found.first_hit["user_agent"] is None:
        name = "common"
    hits = reader.count_hits()
    if len(hits) > 1:
        counts = ", ".join(
            f"{layout} ({write_number_of(n, 'hit')})" for layout, n in hits.most_common()
        )
        return f"{counts}: its lines are of several layouts, so set no log_format"
    if reader.detected is None:
        return escape(name)
    sure = f"{write_share(reader.detected.share)} of its first lines"
    return f'{name} ({sure}); to read it so always, set log_format = "{name}"'


def _show_hit(hit: dict[str, Any]) -> None:
    """Show a line taken apart, one field a line."""
    from pipeline.proxies import NO_PEER, UNLOGGED

    print(f"\nline {hit['line_no']}")
    for name, value in hit.items():
        if name != "line_no" and value is not None:
            text = write_instant(value) if isinstance(value, datetime) else str(value)
            print(f"  {name:<12} {escape(text)[:_SHOWN_WIDTH]}")
    if hit["client"] == NO_PEER and hit["forwarded"]:
        print(
            f'the layout does not log who connected: trusted_proxies = ["{UNLOGGED}"] takes the'
            " client from the header of the proxy that wrote it"
        )


def _nearest(connection: duckdb.DuckDBPyConnection, found: _Findings) -> Layout | None:
    """The layout that reads most of the lines that fail, else comes furthest in them."""
    import pyarrow as pa

    from pipeline.formats.detection import find_nearest

    lines = pa.array([line for _, line, _ in found.failures], pa.string())
    return find_nearest(connection, lines) if len(lines) else None


def _advise(
    connection: duckdb.DuckDBPyConnection, found: _Findings, nearest: Layout | None, file: Path
) -> None:
    """Say what to set or to do, so that the file is read: as it stands."""
    from pipeline.formats.json_guess import guess_setting
    from pipeline.formats.json_lines import JsonLayout

    lines = [line for _, line, _ in found.failures]
    first = lines[0].strip() if lines else ""
    if first in ("[", "{") or first.startswith("[{"):
        name = _quoted(file)
        print("\nits JSON is one value of many lines: one object a line is needed, as jq writes it")
        print(f"(jq -c '.[]' {name} > FILE for an array, jq -c . {name} > FILE for objects)")
    elif setting := guess_setting(connection, lines):
        print(
            "\nthe lines are JSON objects: with this tidegauge.toml reads them; see that its places"
        )
        print("are the right ones (docs/how-to/formats.md)\n")
        print("\n".join(map(escape, setting.split("\n"))))
    elif nearest and first.startswith("{") and not isinstance(nearest, JsonLayout):
        print(
            "\nthe lines are JSON objects: write where their fields are into a table"
            " [formats.NAME] of tidegauge.toml, and log_format = NAME (docs/how-to/formats.md)"
        )
    elif nearest:
        print(f"\nnearest is {nearest.name}, a line of which is\n  {nearest.example}")
        print("set log_format to the format string that the server's configuration has")


def _quoted(file: Path) -> str:
    """A file's name as a shell takes it."""
    return escape(shlex.quote(str(file)))


def _show_failure(number: int, line: str, why: Rejected) -> None:
    """Show the line around the place where it fails, with a mark under it."""
    from pipeline.formats.fields import EXPLAINED

    start = max(0, why.column - 1 - _SHOWN_WIDTH // 2)
    before = escape(line[start : why.column - 1])
    shown = before + escape(line[why.column - 1 : start + _SHOWN_WIDTH])
    expected = EXPLAINED.get(why.reason, f"expected the {why.reason}")
    print(f"\nline {number}, column {why.column}, {why.reason}: {expected}")
    print(f"  {shown}\n  {' ' * len(before)}^")
