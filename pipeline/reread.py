"""Reads raw files again whose hits would come out otherwise today; never unasked.

A day of which a raw file is gone keeps the hits it has: half of it would be of one reading, half of
the other.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError, GeoError
from pipeline.geo.databases import list_databases
from pipeline.hits import HitMaker, Places
from pipeline.ingest import Ingested, ingest_files
from pipeline.lake import FileRecord, Lake
from pipeline.outdated import Outdated, list_outdated
from pipeline.output import escape
from pipeline.raw_files import printable
from pipeline.robots import Robots
from pipeline.settings import Settings
from pipeline.settling import Source
from pipeline.site import find_zone, open_maker, overlap_rules, read_limits
from pipeline.visitors import load_key


@dataclass(frozen=True)
class Plan:
    """What is outdated, which raw files are read again for it, and the days that can't be."""

    outdated: list[Outdated]
    files: list[tuple[FileRecord, Path]]
    kept: dict[str, list[str]]
    """Days that keep their hits, with the names of their raw files that are gone."""


def plan_reread(settings: Settings, lake: Lake, kinds: Collection[str]) -> Plan:
    """Find what would be read again for causes of ``kinds``."""
    records = {record.file_key: record for record in lake.files()}
    maker = current_maker(settings, lake)
    found = list_outdated(records.values(), maker, lake.sealed())
    wanted = {one.file_key for one in found if one.kind in kinds}
    raw = lake.raw_paths()
    kept = defaultdict(list)
    for key in sorted(wanted - raw.keys()):
        kept[_main_day(records[key])].append(escape(records[key].name))
    files = [
        (records[key], raw[key][0])
        for key in sorted(wanted & raw.keys())
        if _main_day(records[key]) not in kept and not _is_sealed(records[key], lake)
    ]
    return Plan(found, files, dict(kept))


def current_maker(settings: Settings, lake: Lake) -> HitMaker:
    """What hits would be made by now, also where there is no database of addresses."""
    zone = find_zone(settings, lake).info
    try:
        databases = list_databases(settings.geo)
    except GeoError:
        databases = []
    places = Places(databases, settings.geo_provider, zone)
    return HitMaker(
        zone, places, Robots(settings.lake), load_key(settings), settings.addresses,
        settings.proxies, settings.log_format,
    )  # fmt: skip


def _main_day(record: FileRecord) -> str:
    if not record.read_days:
        return str(record.rejects_day)
    return max(record.read_days.items(), key=lambda day: (day[1].hits, day[0]))[0]


def _is_sealed(record: FileRecord, lake: Lake) -> bool:
    return not lake.sealed().isdisjoint(record.read_days)


def reread(
    settings: Settings,
    lake: Lake,
    kinds: Collection[str],
    on_read: Callable[[int], None] = lambda _: None,
) -> Plan:
    """Read again what is outdated for causes of ``kinds``; with ``settings``, settle overlaps anew.

    Raises:
        DataError: a raw file could not be read; the others were.
        GeoError: there is no database of addresses, though hits were located.
    """
    plan = plan_reread(settings, lake, kinds)
    if "settings" in kinds:
        _settle_anew(settings, lake)
    failed: list[tuple[Path, str]] = []
    for (source, with_geo), files in _grouped(plan.files).items():
        maker = open_maker(settings, find_zone(settings, lake), with_geo=with_geo)
        done = _read_again(settings, lake, maker, source, files, on_read)
        failed += done.failed
    if failed:
        raise DataError("; ".join(f"{escape(printable(p.name))}: {why}" for p, why in failed))
    return plan


def _grouped(
    files: Iterable[tuple[FileRecord, Path]],
) -> dict[tuple[str, bool], list[Path]]:
    found = defaultdict(list)
    for record, path in files:
        with_geo = any(share.geo_built for share in record.read_days.values())
        found[record.source, with_geo].append(path)
    return found


def _read_again(  # noqa: PLR0913 what is read, by what
    settings: Settings,
    lake: Lake,
    maker: HitMaker,
    source: str,
    files: list[Path],
    on_read: Callable[[int], None],
) -> Ingested:
    return ingest_files(
        lake, maker, files,
        source=source, again=files, rules=overlap_rules(settings), limits=read_limits(settings),
        on_read=on_read,
    )  # fmt: skip


def _settle_anew(settings: Settings, lake: Lake) -> None:
    for name in sorted({record.source for record in lake.files()}):
        with lake.staging() as staging, lake.lock():
            lake.commit(Source(lake, name, overlap_rules(settings), staging).settle_all().moves)
