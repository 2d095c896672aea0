"""Rejected lines, tried again by the readers of today."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from pipeline.enrich.hits import HitMaker
from pipeline.errors import DataError, LakeError
from pipeline.formats.file_reader import FileReader
from pipeline.ingest.maker import IngestSettings
from pipeline.ingest.reprocess import read_again
from pipeline.ingest.source_names import Sources
from pipeline.lake.database import connect_reader
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.packs import read_file
from pipeline.raw.blocks import read_blocks
from pipeline.text import escape


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


def list_rejected(lake: Lake, names: Collection[str]) -> list[FileRecord]:
    """The raw files with rejected lines, or those named.

    Raises:
        LakeError: a name is of no file with rejected lines.
    """
    records = lake.files(lambda sums: sums.counted["rejected"] > 0, pc.field("rejected") > 0)
    chosen = [r for r in records if not names or {r.name, r.file_key} & set(names)]
    unknown = set(names) - {name for r in chosen for name in (r.name, r.file_key)}
    if unknown:
        raise LakeError(
            f"lake {lake.name} has no rejected lines of {', '.join(sorted(unknown))}: give a file's"
            " name or key, or none for all"
        )
    return chosen


def try_again(
    lake: Lake,
    sources: Sources,
    record: FileRecord,
    raw: Path | None,
    on_read: Callable[[int], None],
) -> Replayed:
    """Try today's reader on the rejected lines of a raw file, which lies at ``raw``."""
    is_sealed = not lake.sealed().isdisjoint(record.read_days)
    if raw is None or is_sealed:
        return Replayed(record, raw, None, is_sealed)
    path = lake.rejects_path(str(record.rejects_day), record.stem)
    rejected = read_file(path, record.file_key)["line_no"].combine_chunks()
    hits = 0
    origin = sources.origin_of_record(record)
    reader = FileReader(origin.layout, origin.zone)
    with connect_reader() as connection:
        blocks = read_blocks(raw, on_read=on_read)
        for _, parts in reader.cut_all(connection, blocks):
            read = reader.read(connection, parts)
            hits += pc.sum(pc.is_in(read.hits["line_no"], value_set=rejected)).as_py() or 0
    return Replayed(record, raw, hits, is_sealed)


def take_replays(
    lake: Lake,
    how: IngestSettings,
    open_maker: Callable[[bool], HitMaker],
    replays: Sequence[Replayed],
) -> None:
    """Read the raw files again that have more hits now; see ``reread``.

    Raises:
        DataError: one could not be read.
    """
    for one in replays:
        if not one.now_hits or one.raw is None:
            continue
        with_geo = any(share.geo_built for share in one.record.read_days.values())
        raws = {one.record.file_key: one.raw}
        if failed := read_again(lake, how, open_maker(with_geo), [one.record], raws).failed:
            raise DataError(f"{escape(one.record.name)}: {failed[0].why}")
