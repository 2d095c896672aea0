"""The same hits placed by another address database.

Where addresses are kept in full, the hits are enough. By default hits hold none: the raw files are
read again into a temporary lake outside the lake, under a visitor key that is thrown away with it.
"""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from pipeline.build.files_of_days import DayFiles, days_of
from pipeline.compare.basis import Basis, Outcome
from pipeline.compare.counting import Change, count_days, distinct, show_hits
from pipeline.days import ONE_DAY
from pipeline.enrich.geo.databases import GeoDatabase, list_databases, read_database
from pipeline.enrich.geo.lookup import Locator
from pipeline.enrich.hits import DatabasesInForce, HitMaker
from pipeline.enrich.robots import Robots
from pipeline.enrich.visitors import VisitorKey
from pipeline.errors import SettingsError, StorageError
from pipeline.ingest.fetching import raw_again
from pipeline.ingest.maker import IngestSettings
from pipeline.ingest.reprocess import read_again
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.proxies import TrustedProxies
from pipeline.setting_values import Addresses
from pipeline.text import printable

_BYTES_PER_HIT = 60
"""Of a lake whose hits are all gone; else its own is measured."""
_MARGIN = 1.2
_PLACES = pa.schema([(name, pa.string()) for name in ("client", "country", "subdivision")])


@dataclass(frozen=True)
class Rereading:
    """The raw files that the days compared need, and what to expect of reading them."""

    found: dict[str, Path]
    """Raw files by file key, each holding what the lake took in."""
    missing: dict[str, str]
    """Why a file can't be read again, by file key."""
    raw_bytes: int
    needed_bytes: int
    """Room that the temporary lake will take, about."""


def choose_database(geo: Path | None, file: Path | None, built: date | None) -> GeoDatabase:
    """The database of a file, or the one in the folder ``geo`` that was built on a day.

    Raises:
        GeoError: the file is damaged or no database of countries.
        SettingsError: the folder has none of that day.
    """
    if file:
        return read_database(file)
    offered = list_databases(geo)
    for database in offered:
        if database.build_date == built:
            return database
    known = ", ".join(sorted({str(database.build_date) for database in offered}))
    there = f"those in {geo} are of {known}" if known else f"{geo or 'geo = none'} holds none"
    raise SettingsError("--geo-built", str(built), f"no database was built that day; {there}")


def keep_addresses(basis: Basis) -> bool:
    """Whether every hit of the days compared and the days before them has its whole address."""
    records = [basis.lake.find(key) for key in _needed_files(basis)]
    return all(record and record.addresses == Addresses.full for record in records)


def change_places(database: GeoDatabase) -> Change:
    """A change of the hits' places to those of ``database``, by the addresses in the hits."""
    locator = Locator(database)

    def change(connection: duckdb.DuckDBPyConnection) -> None:
        places = []
        for batch in distinct(connection, "client"):
            clients = batch.column(0)
            places.append(pa.record_batch([clients, *locator.locate(clients)], schema=_PLACES))
        connection.register("places", pa.Table.from_batches(places, _PLACES))
        show_hits(connection, "hits_by_places")

    return change


def _needed_files(basis: Basis) -> list[str]:
    near = {day - n * ONE_DAY for day in basis.wanted for n in (0, 1)} & basis.files.keys()
    return sorted({key for day in near for key in basis.files[day].file_keys})


@contextmanager
def plan_rereading(sources: Sources, basis: Basis) -> Iterator[Rereading]:
    """Find the raw files of the days compared and the days before them; remote ones are fetched."""
    records = [record for key in _needed_files(basis) if (record := basis.lake.find(key))]
    with raw_again(basis.lake, sources, records, basis.workspace) as found:
        yield _plan(basis, records, found)


def _plan(basis: Basis, records: list[FileRecord], found: dict[str, Path]) -> Rereading:
    missing = {
        record.file_key: f"{record.name}: its raw file is gone, or has changed since it was read"
        for record in records
        if record.file_key not in found
    }
    again = [record for record in records if record.file_key in found]
    return Rereading(
        found,
        missing,
        sum(record.raw_bytes for record in again),
        round(_bytes_per_hit(basis.lake, again) * sum(r.hits for r in again) * _MARGIN),
    )


def _bytes_per_hit(lake: Lake, records: list[FileRecord]) -> float:
    kept = [
        (path.stat().st_size, share.hits)
        for record in records
        for day, share in record.days.items()
        if not record.is_packed and (path := lake.hits_path(day, record.stem)).exists()
    ]
    hits = sum(count for _, count in kept)
    return sum(size for size, _ in kept) / hits if hits else _BYTES_PER_HIT


def check_room(rereading: Rereading, workspace: Path) -> int:
    """Refuse to fill the disk; returns its free bytes.

    Raises:
        StorageError: says how much is needed and how to use another disk.
    """
    free = shutil.disk_usage(workspace).free
    if rereading.needed_bytes > free:
        raise StorageError(
            f"{workspace}: about {rereading.needed_bytes:,} bytes are needed to read the raw files"
            f" again, {free:,} are free; set TMPDIR to a folder with more room, or ask for fewer"
            " days with --from and --to"
        )
    return free


def count_other_places(  # noqa: PLR0913 what is placed, by what, and who is told
    basis: Basis,
    database: GeoDatabase,
    rereading: Rereading,
    label: str,
    how: IngestSettings,
    proxies: TrustedProxies,
    on_read: Callable[[int], None],
) -> Outcome:
    """Count the sessions of the days compared as ``database`` alone would place them."""
    lake = Lake(basis.workspace / f"lake-{secrets.token_hex(4)}")
    try:
        failed = _read_again(basis, lake, database, rereading, how, proxies, on_read)
        left_out = _without_raw(basis, rereading.missing | failed)
        days = [day for day in basis.wanted if day not in left_out]
        figures = count_days(basis, days, lake=lake, files=days_of(lake), rules=basis.rules)
        return Outcome(label, figures, left_out)
    finally:
        shutil.rmtree(lake.root, ignore_errors=True)


def _read_again(  # noqa: PLR0913 what is read, into what, by what
    basis: Basis,
    lake: Lake,
    database: GeoDatabase,
    rereading: Rereading,
    how: IngestSettings,
    proxies: TrustedProxies,
    on_read: Callable[[int], None],
) -> dict[str, str]:
    """Fill the temporary lake; returns why a file failed, by file key."""
    key = VisitorKey(secrets.token_bytes(32))  # the counts are the same under any
    lake.claim(basis.zone.key, key.fingerprint)
    places, robots = DatabasesInForce([database], None, basis.zone), Robots(lake.root)
    maker = HitMaker(basis.zone, places, robots, key, proxies=proxies)
    records = [record for file in rereading.found if (record := basis.lake.find(file))]
    read_again(lake, how, maker, records, rereading.found, on_read)
    return {
        file_key: f"{printable(path.name)}: it could not be read as before"
        for file_key, path in rereading.found.items()
        if lake.find(file_key) is None
    }


def _without_raw(basis: Basis, missing: dict[str, str]) -> dict[date, str]:
    """The days compared that need a raw file that is missing, and which."""
    left_out = {}
    for day in basis.wanted:
        for near in (day, day - ONE_DAY):
            if lost := _lost_of(basis.files.get(near), missing):
                left_out[day] = "; ".join(lost)
                break
        else:
            if day not in basis.files:
                left_out[day] = "the lake knows no raw file of it"
    return left_out


def _lost_of(files: DayFiles | None, missing: dict[str, str]) -> list[str]:
    keys = files.file_keys if files else ()
    return [missing[key] for key in keys if key in missing]
