"""Remote raw files are fetched into the lake's ``.fetched``, and removed when they were read.

One is known by its URL, size and time of change or entity tag, so it is fetched once. Its place
there is made of a hash of its URL; its own name leads nowhere.
"""

import hashlib
import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipeline.enrich.hits import HitMaker
from pipeline.errors import DataError, PassingError, SettingsError, StoreError
from pipeline.ingest.ingest import ingest_files
from pipeline.ingest.ingested import Failed, Ingested
from pipeline.ingest.maker import IngestSettings
from pipeline.ingest.seen import find_raws
from pipeline.ingest.source_names import Sources
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.storage import storage_named
from pipeline.progress import show_bytes
from pipeline.raw.files import Origin
from pipeline.raw.stores import RemoteFile, Store, open_store, without_secrets
from pipeline.setting_values import SourceTable
from pipeline.text import escape

log = logging.getLogger(__name__)

_READ_BYTES = 1024 * 1024
_ABANDONED_SECONDS = 7 * 24 * 3600
_THEN = "what was taken in before stands, the next run takes the rest"


@dataclass(frozen=True)
class Wanted:
    """A remote file that is to be fetched, and where to."""

    store: Store
    remote: RemoteFile
    path: Path


def take_files(  # noqa: PLR0913 what is read, by what, and how strictly
    lake: Lake,
    how: IngestSettings,
    maker: HitMaker,
    paths: Sequence[Path],
    *,
    origins: Mapping[Path, Origin],
    only_whole: bool = False,
    again: Sequence[Path] = (),
    on_read: Callable[[int], None],
) -> Ingested:
    """Take raw files into the lake as ``ingest_files`` does; remote ones are here meanwhile.

    One that failed stays for a week, for who tries again.
    """
    known, unfetched = _fetch_missing(lake, how.sources, paths, again, origins)
    done = {path for path, _ in known} | {one.path for one in unfetched}
    result = ingest_files(
        lake, maker, [path for path in paths if path not in done],
        origins=origins, only_whole=only_whole, again=again,
        rules=how.overlaps, limits=how.limits, on_read=on_read,
    )  # fmt: skip
    for path in set(paths).difference(one.path for one in result.failed):
        if path.is_relative_to(lake.fetched):
            path.unlink(missing_ok=True)
    return Ingested.join([result, Ingested(known=tuple(known), failed=tuple(unfetched))])


@contextmanager
def raw_again(
    lake: Lake, sources: Sources, records: Iterable[FileRecord], folder: Path
) -> Iterator[dict[str, Path]]:
    """Where raw files of a lake lie, unchanged since they were read, by file key.

    Remote ones are fetched into ``folder`` meanwhile. What can't be had is left out; of a remote
    file a warning says why.

    Raises:
        StorageError: the disk is full.
    """
    records = list(records)
    found, fetched = find_raws(lake, records), []
    try:
        for record in records:
            if record.url and record.file_key not in found:
                try:
                    path = _fetch_again(lake, sources, record, folder)
                except (DataError, SettingsError) as error:
                    log.warning("%s", error)
                    continue
                fetched.append(path)
                found[record.file_key] = path
        yield found
    finally:
        for path in fetched:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # another process may be at work in it
                path.parent.rmdir()


def _fetch_again(lake: Lake, sources: Sources, record: FileRecord, folder: Path) -> Path:
    url = str(record.url)
    store = open_table(_table_of(sources, sources.origin_of_record(record)))
    remote = next(iter(store.list(url)), None)
    if remote is None:
        raise DataError(f"{escape(url)}: nothing is there any more")
    seen = lake.find_seen(place_of(lake.fetched, remote), remote.stat) if remote.stat else None
    if seen is None or seen.file_key != record.file_key:
        raise DataError(f"{escape(url)}: has changed since it was read")
    path = place_of(folder, remote)
    with storage_named(folder, "nothing was changed"):
        store.fetch(url, path, sources.most_bytes, lambda _: None)
    return path


@contextmanager
def standard_input(lake: Lake, most_mb: int) -> Iterator[Path]:
    """A file with what standard input gives, while it is read.

    Raises:
        DataError: it gives more than ``most_mb``.
        StorageError: the lake's disk is full.
    """
    with lake.staging() as folder:
        copy, left = folder / "stdin", most_mb * 1_000_000
        with (
            storage_named(lake.store.disk, "nothing of standard input was kept"),
            copy.open("xb") as out,
        ):
            while piece := sys.stdin.buffer.read(_READ_BYTES):
                left -= len(piece)
                if left < 0:
                    raise DataError(
                        f"standard input gives more than {most_mb:,} MB: nothing of it was kept;"
                        " set max_fetch_mb higher"
                    )
                out.write(piece)
        yield copy


def _fetch_missing(
    lake: Lake,
    sources: Sources,
    paths: Iterable[Path],
    again: Iterable[Path],
    origins: Mapping[Path, Origin],
) -> tuple[list[tuple[Path, FileRecord]], list[Failed]]:
    """Fetch those of ``paths`` that are remote and not here: read before, or not fetched yet.

    Returns:
        Those that the lake knows as they are now (not fetched, except those of ``again``), and
        those that can't be fetched, and why.

    Raises:
        StorageError: the lake's disk is full.
    """
    known: list[tuple[Path, FileRecord]] = []
    failed: list[Failed] = []
    stores: dict[SourceTable, Store] = {}
    for path in paths:
        url = origins[path].url if path in origins else None
        if url is None or path.exists():
            continue
        try:
            table = _table_of(sources, origins[path])
            store = stores[table] = stores.get(table) or open_table(table)
            remote = next(iter(store.list(url)), None)
            record = lake.find_seen(path, remote.stat) if remote and remote.stat else None
            if record and path not in again:
                known.append((path, record))
                continue
            with storage_named(lake.store.disk, _THEN):
                store.fetch(url, path, sources.most_bytes, lambda _: None)
        except (DataError, SettingsError) as error:
            failed.append(Failed(path, str(error), isinstance(error, PassingError | StoreError)))
    return known, failed


def place_of(folder: Path, remote: RemoteFile) -> Path:
    """Where a remote file lies when it is fetched into a folder."""
    return folder / hashlib.sha256(remote.url.encode()).hexdigest()[:32] / remote.name


def fetch_files(lake: Lake, wanted: Sequence[Wanted], most_bytes: int) -> None:
    """Fetch remote files of up to ``most_bytes`` each.

    One that can't be is tried again, and reported, when its turn comes.

    Raises:
        StorageError: the lake's disk is full.
    """
    if not wanted:
        return
    _remove_abandoned(lake)
    total = sum(one.remote.size or 0 for one in wanted)
    started, done, count = time.monotonic(), 0, 0
    with show_bytes("fetching", total) as bar, storage_named(lake.store.disk, _THEN):
        for one in wanted:
            try:
                count += one.store.fetch(one.remote.url, one.path, most_bytes, bar.advance)
                done += 1
            except DataError as error:
                log.warning("%s", error)
                one.path.unlink(missing_ok=True)
    log.info(
        "fetched %d of %d remote files: %d bytes, %d ms",
        done, len(wanted), count, round((time.monotonic() - started) * 1000),
    )  # fmt: skip


def _remove_abandoned(lake: Lake) -> None:
    """Remove what nobody has read for a week: a bad file, or what a killed process left."""
    if lake.fetched.is_dir():
        for folder in lake.fetched.iterdir():
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def open_table(table: SourceTable) -> Store:
    """The store of a source's remote files."""
    assert table.url is not None
    return open_store(f"source.{table.name}.url", table.url.get_secret_value())


def _table_of(sources: Sources, origin: Origin) -> SourceTable:
    """The table that a remote file was found by; it holds the store's password."""
    for table in sources.tables:
        if table.url and table.name == origin.source and origin.url:
            pattern = without_secrets(table.url.get_secret_value())
            if origin.url.startswith(fixed_part(pattern)):
                return table
    raise SettingsError(
        "source", origin.source, "no table of this name has the file's url any more; run again"
    )


def fixed_part(pattern: str) -> str:
    """What stands before the first wildcard or day of a glob or URL."""
    return pattern[: min((pattern.find(mark) for mark in "*?[{" if mark in pattern), default=None)]
