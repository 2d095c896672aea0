"""Reads raw files again whose hits would come out otherwise today; never unasked.

A day of which a raw file is gone keeps the hits it has: half of it would be of one reading, half of
the other.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.enrich.hits import HitMaker
from pipeline.errors import DataError
from pipeline.ingest.deduplication import OverlapRules, SourceFiles
from pipeline.ingest.fetching import raw_again
from pipeline.ingest.ingest import ingest_files
from pipeline.ingest.ingested import Failed, Ingested
from pipeline.ingest.maker import IngestSettings
from pipeline.ingest.outdated import Outdated, list_outdated, read_outdated
from pipeline.ingest.seen import find_raws
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.naming import source_of
from pipeline.text import escape, printable


@dataclass(frozen=True)
class RereadPlan:
    """What is outdated, which raw files are read again for it, and the days that can't be."""

    outdated: list[Outdated]
    files: list[FileRecord]
    kept: dict[str, list[str]]
    """Days that keep their hits, with the names of their raw files that are gone."""

    @property
    def raw_bytes(self) -> int:
        """What is read again."""
        return sum(record.raw_bytes for record in self.files)


def plan_reread(
    lake: Lake,
    sources: Sources,
    maker: HitMaker,
    kinds: Collection[str],
    there: Container[str] | None = None,
) -> RereadPlan:
    """Find what would be read again for causes of ``kinds``, as ``maker`` would make hits now.

    ``there``: keys of the raw files that can be; None: a remote one is taken to be where it was.
    """
    records = {record.file_key: record for record in read_outdated(lake, maker, sources)}
    found = list_outdated(records.values(), maker, sources, lake.sealed())
    wanted = [records[key] for key in sorted({one.file_key for one in found if one.kind in kinds})]
    if there is None:
        there = find_raws(lake, wanted).keys() | {r.file_key for r in wanted if r.url}
    kept = defaultdict(list)
    for record in wanted:
        if record.file_key not in there or record.erasures:
            kept[_main_day(record)].append(escape(record.name))
    files = [
        record
        for record in wanted
        if _main_day(record) not in kept and not _is_sealed(record, lake)
    ]
    return RereadPlan(found, files, dict(kept))


def _main_day(record: FileRecord) -> str:
    if not record.read_days:
        return str(record.rejects_day)
    return max(record.read_days.items(), key=lambda day: (day[1].hits, day[0]))[0]


def _is_sealed(record: FileRecord, lake: Lake) -> bool:
    return not lake.sealed().isdisjoint(record.read_days)


def reread(  # noqa: PLR0913 what is read, by what
    lake: Lake,
    how: IngestSettings,
    maker: HitMaker,
    open_maker: Callable[[bool], HitMaker],
    kinds: Collection[str],
    on_read: Callable[[int], None] = lambda _: None,
) -> RereadPlan:
    """Read again what is outdated for causes of ``kinds``; with ``settings``, settle overlaps anew.

    ``maker`` tells what is outdated; files are read by what ``open_maker`` gives for those that
    were located (True) and those that were not.

    Raises:
        DataError: a raw file could not be read; the others were.
        GeoError: there is no database of addresses, though hits were located.
    """
    if "settings" in kinds:
        _settle_anew(lake, how.overlaps)
    wanted = plan_reread(lake, how.sources, maker, kinds).files
    failed: list[Failed] = []
    with raw_again(lake, how.sources, wanted, lake.fetched) as raws:
        plan = plan_reread(lake, how.sources, maker, kinds, raws)
        for with_geo, records in _by_geo(plan.files).items():
            renames = "definitions" in kinds
            failed += read_again(
                lake, how, open_maker(with_geo), records, raws, on_read, renames=renames
            ).failed
    if failed:
        raise DataError(
            "; ".join(f"{escape(printable(one.path.name))}: {one.why}" for one in failed)
        )
    return plan


def _by_geo(records: Iterable[FileRecord]) -> dict[bool, list[FileRecord]]:
    found = defaultdict(list)
    for record in records:
        found[any(share.geo_built for share in record.read_days.values())].append(record)
    return found


def read_again(  # noqa: PLR0913 what is read, by what
    lake: Lake,
    how: IngestSettings,
    maker: HitMaker,
    records: Iterable[FileRecord],
    raws: Mapping[str, Path],
    on_read: Callable[[int], None] = lambda _: None,
    *,
    renames: bool = False,
) -> Ingested:
    """Take raw files of ``records``, which lie at ``raws``, into a lake: theirs or another.

    ``renames``: each gets the source that its name says today.
    """
    origins, instead_of = {}, {}
    for record in records:
        path = raws[record.file_key]
        origins[path] = how.sources.origin_of_record(record)
        if renames and how.sources.misnames(record):
            origins[path] = replace(origins[path], source=source_of(path))
            instead_of[path] = record
    return ingest_files(
        lake, maker, list(origins),
        origins=origins, again=origins, instead_of=instead_of, rules=how.overlaps,
        limits=how.limits, on_read=on_read,
    )  # fmt: skip


def _settle_anew(lake: Lake, rules: OverlapRules) -> None:
    for name in sorted({sums.source for sums in lake.sums() if sums.files}):
        with lake.staging() as staging, lake.lock():
            source = SourceFiles(lake, rules, staging)
            source.settle_all(name)
            lake.commit(source.moves(), source.changed.values())
