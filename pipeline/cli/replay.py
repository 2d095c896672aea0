"""The command ``replay``: rejected lines are read again from their raw files by today's reader."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pyarrow.compute as pc
import typer

from pipeline.cli.options import (
    ConfigOption,
    Form,
    FormOption,
    GeoOption,
    LakeOption,
    RawCellsOption,
)
from pipeline.cli.output import print_rows
from pipeline.errors import DataError, LakeError
from pipeline.formats.detection import FileReader
from pipeline.ingest.maker import open_maker
from pipeline.ingest.outdated import origin_of
from pipeline.ingest.reprocess import read_again
from pipeline.ingest.sources import raw_again
from pipeline.lake.database import connect
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.partitions import read_table
from pipeline.lake.views import write_views
from pipeline.lake.zone import find_zone, open_lake
from pipeline.progress import show_bytes
from pipeline.raw.blocks import RawFile
from pipeline.settings import Settings, load_settings
from pipeline.text import escape

COLUMNS = ["file", "file_key", "rejected", "now hits", "what was done"]


@dataclass(frozen=True)
class Replayed:
    """One raw file with rejected lines: how many of them are hits now; None when it is gone."""

    record: FileRecord
    raw: Path | None
    now_hits: int | None
    is_sealed: bool

    @property
    def row(self) -> tuple[str, str, int, int | None, str]:
        """The file as ``COLUMNS``."""
        done = "still rejected" if self.now_hits == 0 else "read again"
        if self.is_sealed:
            done = "a day of it is sealed: its figures stand"
        if self.raw is None:
            done = "its raw file is gone: bring it back, then `tidegauge ingest --again`"
        return (escape(self.record.name), self.record.file_key, self.record.rejected,
                self.now_hits, done)  # fmt: skip


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("replay")(replay)


def list_rejected(lake: Lake, names: Collection[str]) -> list[FileRecord]:
    """The raw files with rejected lines, or those named.

    Raises:
        LakeError: a name is of no file with rejected lines.
    """
    records = [record for record in lake.files() if record.rejected]
    chosen = [r for r in records if not names or {r.name, r.file_key} & set(names)]
    unknown = set(names) - {name for r in chosen for name in (r.name, r.file_key)}
    if unknown:
        raise LakeError(
            f"lake {lake.root} has no rejected lines of {', '.join(sorted(unknown))}: give a file's"
            " name or key, or none for all"
        )
    return chosen


def try_again(
    settings: Settings, record: FileRecord, raw: Path | None, on_read: Callable[[int], None]
) -> Replayed:
    """Try today's reader on the rejected lines of a raw file, which lies at ``raw``."""
    lake = Lake(settings.lake)
    is_sealed = not lake.sealed().isdisjoint(record.read_days)
    if raw is None or is_sealed:
        return Replayed(record, raw, None, is_sealed)
    path = lake.rejects_path(str(record.rejects_day), record.file_key)
    rejected = read_table(path, ["line_no"])["line_no"].combine_chunks()
    hits = 0
    origin = origin_of(record, settings)
    reader = FileReader(origin.layout, origin.zone)
    with connect(threads=1) as connection:
        blocks = RawFile(raw, on_read=on_read).blocks()
        for _, parts in reader.cut_all(connection, blocks):
            read = reader.read(connection, parts)
            hits += pc.sum(pc.is_in(read.hits["line_no"], value_set=rejected)).as_py() or 0
    return Replayed(record, raw, hits, is_sealed)


def take_replays(settings: Settings, lake: Lake, replays: Sequence[Replayed]) -> None:
    """Read the raw files again that have more hits now.

    Raises:
        DataError: one could not be read.
    """
    for one in replays:
        if not one.now_hits or one.raw is None:
            continue
        with_geo = any(share.geo_built for share in one.record.read_days.values())
        maker = open_maker(settings, find_zone(settings, lake), with_geo=with_geo)
        raws = {one.record.file_key: one.raw}
        if failed := read_again(settings, lake, maker, [one.record], raws).failed:
            raise DataError(f"{escape(one.record.name)}: {failed[0][1]}")


def replay(  # noqa: PLR0913 one parameter an option
    files: Annotated[
        list[str] | None, typer.Argument(help="Names or keys of files; all when not given.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would become of the lines.")
    ] = False,
    form: FormOption = Form.table,
    raw_cells: RawCellsOption = False,
    lake: LakeOption = None,
    geo: GeoOption = None,
    config: ConfigOption = None,
) -> None:
    """Read rejected lines again from their raw files, after the reader got better.

    A file with lines that are hits now is read anew; `build` then counts its days. Exit 1 when a
    raw file is gone.

    For example:

    tidegauge replay --dry-run

    tidegauge replay && tidegauge build
    """
    settings = load_settings(config, lake=lake, geo=geo)
    the_lake = open_lake(settings)
    records = list_rejected(the_lake, files or [])
    total = sum(record.raw_bytes for record in records)
    with raw_again(settings, records, the_lake.fetched) as raws:
        with show_bytes("reading rejected lines", total) as (bar, task):
            found = [
                try_again(
                    settings, record, raws.get(record.file_key),
                    lambda count: bar.update(task, advance=count),
                )
                for record in records
            ]  # fmt: skip
        if not dry_run:
            take_replays(settings, the_lake, found)
            write_views(the_lake)
    print_rows(COLUMNS, [one.row for one in found], form.value, raw_cells=raw_cells)
    if any(one.raw is None for one in found):
        raise typer.Exit(1)
