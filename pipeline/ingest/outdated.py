"""Raw files whose hits would come out otherwise today: by another database, lists, or reading.

They stay as they are until somebody asks: then their raw files are read again (``reprocess``).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.definitions import DEFINITIONS_VERSION, NO_NETWORKS
from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import DayShare, FileRecord, Located
from pipeline.lake.sums import Sums
from pipeline.raw.files import Origin
from pipeline.raw.naming import read_name, safe_source
from pipeline.text import escape


@dataclass(frozen=True)
class Outdated:
    """Why the hits of one raw file and day would come out otherwise."""

    kind: str
    """``geo``, ``robots``, ``definitions`` or ``settings``."""
    day: date
    file_key: str
    text: str


def is_outdated(built: str | None, day: date, places: DatabasesInForce) -> bool:
    """Whether another database is in force for ``day`` than the one that located its hits.

    Hits that were taken in without any database are left as they are.
    """
    chosen = places.in_force((day - EPOCH).days)
    return bool(chosen and built and built != str(chosen[0].build_date))


def find_other_networks(located: Located, places: DatabasesInForce) -> str | None:
    """The databases of networks in force for a file's days, where it was read by others.

    None where there are none now, and of hits that were taken in without any database.
    """
    if not any(built for _, built in located.built):
        return None
    days = ((date.fromisoformat(day) - EPOCH).days for day, _ in located.built)
    networks = places.name_networks(days)
    return None if networks in (NO_NETWORKS, located.networks) else networks


def find_outdated(every: Iterable[Sums], places: DatabasesInForce, sealed: set[str]) -> list[date]:
    """The days to locate anew, in order; sealed ones can't be."""
    found = set()
    for located in {located for sums in every for located in sums.located}:
        all_are = find_other_networks(located, places) is not None
        for day, built in located.built:
            at = date.fromisoformat(day)
            if day not in sealed and (all_are or is_outdated(built, at, places)):
                found.add(at)
    return sorted(found)


def read_outdated(lake: Lake, maker: HitMaker, sources: Sources) -> list[FileRecord]:
    """The records of the files that may be outdated, by file key: few of very many, mostly."""
    sealed = lake.sealed()
    by_geo = lake.files(lambda its: bool(find_outdated([its], maker.places, sealed)))
    found = {record.file_key: record for record in by_geo}
    found |= {r.file_key: r for r in lake.files(which=_may_be_outdated(maker, sources))}
    return [record for _, record in sorted(found.items())]


def _may_be_outdated(maker: HitMaker, sources: Sources) -> pc.Expression:
    """Whose record may have a reason that is no database; see ``_reasons``, ``_by_settings``."""
    its, names = pc.field, {table.name for table in sources.tables}
    is_set = ~its("source").isin(pa.array(sorted(names), pa.string()))
    if sources.layout is not None:
        is_set &= _is("given", sources.layout)
    for origin in map(sources.origin_of_table, sources.tables):
        is_set |= (
            _is("source", origin.source)
            & _is("given", origin.layout)
            & _is("timezone", origin.timezone)
        )
    is_named = its("source").isin(pa.array(sorted({*names, *sources.expected}), pa.string()))
    return (
        ~_is("robots", maker.robots.lists)
        | ~_is("definitions", DEFINITIONS_VERSION)
        | ~_is("addresses", maker.addresses.value)
        | ~(its("proxies").is_null() | _is("proxies", maker.proxies.name))
        | ~is_set
        | ((its("source_by_name").is_null() | its("source_by_name")) & ~is_named)
    )


def _is(column: str, value: str | int | None) -> pc.Expression:
    """Whether a column has a value, or none where that is None: never null."""
    its = pc.field(column)
    return its.is_null() if value is None else its.is_valid() & (its == value)


def list_outdated(
    records: Iterable[FileRecord], maker: HitMaker, sources: Sources, sealed: set[str]
) -> list[Outdated]:
    """Every file and unsealed day whose hits or rejects would come out otherwise, by day."""
    found: list[Outdated] = []
    for record in records:
        by_settings = _by_settings(record, maker, sources.origin_of_record(record))
        by_name = _by_name(record) if sources.misnames(record) else []
        if networks := find_other_networks(record.located, maker.places):
            known = record.networks or NO_NETWORKS
            by_name.append(("geo", f"networks by the database of {known}, in force: {networks}"))
        for day, share in record.read_days.items():
            if day not in sealed:
                at = date.fromisoformat(day)
                reasons = [*_reasons(record, share, at, maker), *by_settings, *by_name]
                found += [Outdated(kind, at, record.file_key, text) for kind, text in reasons]
        if record.rejects_day and not record.read_days:
            at = date.fromisoformat(record.rejects_day)
            reasons = [*by_settings, *by_name]
            found += [Outdated(kind, at, record.file_key, text) for kind, text in reasons]
    return sorted(found, key=lambda one: (one.day, one.kind, one.file_key))


def _reasons(
    record: FileRecord, share: DayShare, day: date, maker: HitMaker
) -> Iterator[tuple[str, str]]:
    if is_outdated(share.geo_built, day, maker.places):
        chosen = maker.places.in_force((day - EPOCH).days)
        now = chosen[0].build_date if chosen else None
        yield "geo", f"located by the database of {share.geo_built}, in force is that of {now}"
    if record.robots != maker.robots.lists:
        yield "robots", f"robots by {record.robots}, now {maker.robots.lists}"
    if record.definitions != DEFINITIONS_VERSION:
        version = f"version {record.definitions} of the definitions, now {DEFINITIONS_VERSION}"
        yield "definitions", f"read by {version}"
    if record.proxies not in {None, maker.proxies.name}:
        yield "settings", "clients chosen by other trusted_proxies than are set now"


def _by_name(record: FileRecord) -> list[tuple[str, str]]:
    now = safe_source(read_name(record.name).server) or "its folder's"
    return [("definitions", f"of the source {record.source}, by its name {now} now")]


def _by_settings(record: FileRecord, maker: HitMaker, origin: Origin) -> list[tuple[str, str]]:
    """The reasons of a file whose rejected lines would be others, too."""
    found = []
    if record.addresses != maker.addresses.value:
        found.append(f"addresses kept: {record.addresses}, now {maker.addresses.value}")
    if record.given != origin.layout:
        names = [
            escape(layout or "found from its lines") for layout in (record.given, origin.layout)
        ]
        found.append("layout: {}, now {}".format(*names))
    if record.timezone != origin.timezone:
        found.append(f"local times of {record.timezone or 'UTC'}, now {origin.timezone or 'UTC'}")
    return [("settings", text) for text in found]
