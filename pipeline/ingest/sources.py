"""The configured sources: which raw files they have of a span of days, local ones and remote ones.

A remote file that the lake does not know is fetched into ``.fetched`` in the lake, and removed when
it has been read. It is known by its URL, size and time of change or entity tag, so it is fetched
once. Its place there is made of a hash of its URL; its own name leads nowhere.
"""

import glob
import hashlib
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from pipeline.enrich.hits import HitMaker
from pipeline.errors import DataError, PassingError, SettingsError, StoreError
from pipeline.formats.layouts import find_layout
from pipeline.ingest.deduplication import overlap_rules
from pipeline.ingest.discovery import find_raw
from pipeline.ingest.ingest import Failed, Ingested, ingest_files
from pipeline.ingest.maker import read_limits
from pipeline.ingest.seen import find_raws
from pipeline.ingest.source_names import Namer, origin_of_record, origin_of_table
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, stat_of
from pipeline.lake.left_out import note_file
from pipeline.lake.storage import storage_named
from pipeline.progress import show_bytes
from pipeline.raw.files import Origin, RawFiles, find_files, lasting_path
from pipeline.raw.naming import day_in_name
from pipeline.raw.stores import RemoteFile, Store, open_store, without_secrets
from pipeline.settings import DAY_IN_PATTERN, Settings, SourceTable
from pipeline.text import escape, shown

log = logging.getLogger(__name__)

LATE_DAYS = 31
"""Late files are looked for so far back, where a day is in the glob or in a remote name.

And so far from its name's day a remote file can have lines.
"""
_READ_BYTES = 1024 * 1024
_ABANDONED_SECONDS = 7 * 24 * 3600
_NAMED_OTHERWISE = "not fetched, named for another day"
_THEN = "what was taken in before stands, the next run takes the rest"


def days_around(day: date, *, with_late: bool) -> list[date]:
    """The days that the names of a local day's files may bear, and those of late ones.

    A file may be named for the day it was rotated on, or for a day in UTC.
    """
    before = LATE_DAYS if with_late else 1
    return [day + timedelta(days=n) for n in range(-before, 2)]


def expand(pattern: str, days: Iterable[date]) -> list[str]:
    """Write each day into ``{day:%Y%m%d}``; a pattern without it stays one."""
    dated = [DAY_IN_PATTERN.sub(lambda m, day=day: day.strftime(m[1]), pattern) for day in days]  # type: ignore[misc]
    return list(dict.fromkeys(dated))


def find_raw_files(
    settings: Settings, days: Sequence[date], names: Iterable[str] | None = None
) -> RawFiles:
    """The raw files of the sources in settings (of ``names`` only) and of the folder ``raw``.

    The folder counts when it is set or when there are no tables. Remote files that the lake lacks
    are fetched; one that can't be fetched, or a store out of reach, stops no other.

    Raises:
        SettingsError: there is no such folder or layout.
        DataError: the folder can't be read.
        StorageError: the lake's disk is full.
    """
    found = RawFiles()
    wanted: list[tuple[Store, RemoteFile, Path]] = []
    for table in settings.source:
        if names is not None and table.name not in names:
            continue
        if table.layout:
            find_layout(table.layout, f"source.{table.name}.layout")
        if table.url is None:
            _find_local(settings, table, days, found)
        else:
            try:
                wanted += _find_remote(settings, table, days, found)
            except StoreError as error:
                found.unreached.append(error)
    _fetch(settings, wanted, found)
    is_raw_read = not settings.source or "raw" in settings.model_fields_set
    if names is None and is_raw_read:
        rest = find_raw(settings.raw, follow_links=settings.follow_links)
        ours = set(map(lasting_path, found.files))
        others = [path for path in rest.files if lasting_path(path) not in ours]
        found.files.extend(others)
        if layout := settings.log_format:
            namer = Namer(Lake(settings.lake))
            found.origins.update({path: namer.origin(path, layout) for path in others})
        found.refused.extend(rest.refused)
    return found


def name_places(settings: Settings) -> str:
    """Where raw files are looked for, for people."""
    names = ", ".join(dict.fromkeys(table.name for table in settings.source))
    return f"the sources {names}" if names else str(settings.raw)


def take_files(  # noqa: PLR0913 what is read, by what, and how strictly
    settings: Settings,
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
    lake = Lake(settings.lake)
    known, unfetched = _fetch_missing(settings, paths, again, origins)
    done = {path for path, _ in known} | {one.path for one in unfetched}
    result = ingest_files(
        lake, maker, [path for path in paths if path not in done],
        origins=origins, only_whole=only_whole, again=again,
        rules=overlap_rules(settings), limits=read_limits(settings), on_read=on_read,
    )  # fmt: skip
    for path in set(paths).difference(one.path for one in result.failed):
        if path.is_relative_to(lake.fetched):
            path.unlink(missing_ok=True)
    return result + Ingested(known=tuple(known), failed=tuple(unfetched))


@contextmanager
def raw_again(
    settings: Settings, records: Iterable[FileRecord], folder: Path
) -> Iterator[dict[str, Path]]:
    """Where raw files of a lake lie, unchanged since they were read, by file key.

    Remote ones are fetched into ``folder`` meanwhile. What can't be had is left out; of a remote
    file a warning says why.

    Raises:
        StorageError: the disk is full.
    """
    lake = Lake(settings.lake)
    records = list(records)
    found, fetched = find_raws(lake, records), []
    try:
        for record in records:
            if record.url and record.file_key not in found:
                try:
                    path = _fetch_again(settings, record, folder)
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


def _fetch_again(settings: Settings, record: FileRecord, folder: Path) -> Path:
    lake, url = Lake(settings.lake), str(record.url)
    store = _open(_table_of(settings, origin_of_record(record, settings)))
    remote = next(iter(store.list(url)), None)
    if remote is None:
        raise DataError(f"{escape(url)}: nothing is there any more")
    seen = lake.find_seen(_place_of(lake.fetched, remote), remote.stat) if remote.stat else None
    if seen is None or seen.file_key != record.file_key:
        raise DataError(f"{escape(url)}: has changed since it was read")
    path = _place_of(folder, remote)
    with storage_named(folder, "nothing was changed"):
        store.fetch(url, path, settings.max_fetch_mb * 1_000_000, lambda _: None)
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
        with storage_named(lake.root, "nothing of standard input was kept"), copy.open("xb") as out:
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
    settings: Settings, paths: Iterable[Path], again: Iterable[Path], origins: Mapping[Path, Origin]
) -> tuple[list[tuple[Path, FileRecord]], list[Failed]]:
    """Fetch those of ``paths`` that are remote and not here: read before, or not fetched yet.

    Returns:
        Those that the lake knows as they are now (not fetched, except those of ``again``), and
        those that can't be fetched, and why.

    Raises:
        StorageError: the lake's disk is full.
    """
    lake = Lake(settings.lake)
    known: list[tuple[Path, FileRecord]] = []
    failed: list[Failed] = []
    stores: dict[SourceTable, Store] = {}
    for path in paths:
        url = origins[path].url if path in origins else None
        if url is None or path.exists():
            continue
        try:
            table = _table_of(settings, origins[path])
            store = stores[table] = stores.get(table) or _open(table)
            remote = next(iter(store.list(url)), None)
            record = lake.find_seen(path, remote.stat) if remote and remote.stat else None
            if record and path not in again:
                known.append((path, record))
                continue
            with storage_named(lake.root, _THEN):
                store.fetch(url, path, settings.max_fetch_mb * 1_000_000, lambda _: None)
        except (DataError, SettingsError) as error:
            failed.append(Failed(path, str(error), isinstance(error, PassingError | StoreError)))
    return known, failed


def _find_local(
    settings: Settings, table: SourceTable, days: Sequence[date], found: RawFiles
) -> None:
    """Add a source's local files; a link leads out of the glob's folder only when it may."""
    assert table.files is not None
    pattern = os.path.expanduser(table.files)  # noqa: PTH111 a glob is no path
    base = _literal_folder(pattern)
    if not base.is_dir():
        raise SettingsError(f"source.{table.name}.files", table.files, f"there is no folder {base}")
    matches = {Path(m) for one in expand(pattern, days) for m in glob.glob(one, recursive=True)}  # noqa: PTH207
    given = []
    for path in sorted(matches):
        real = Path(os.path.realpath(path))
        if settings.follow_links or real.is_relative_to(base.resolve()):
            given.append(path)
        else:
            why = f"is a link out of its folder, to {shown(real)}; set follow_links = true"
            found.refused.append((path, why))
    its = find_files(given, follow_links=settings.follow_links)
    origin = origin_of_table(table, settings)
    new = [path for path in dict.fromkeys(its.files) if path not in found.origins]
    found.files.extend(new)
    found.refused.extend(its.refused)
    found.origins.update(dict.fromkeys(new, origin))


def _literal_folder(pattern: str) -> Path:
    """The folder that a glob begins with, before its first wildcard or day."""
    fixed = pattern[: _fixed_length(pattern)]
    if fixed.endswith("/") or (fixed == pattern and Path(fixed).is_dir()):
        return Path(fixed)
    return Path(fixed).parent


def _fixed_length(pattern: str) -> int:
    return min((pattern.find(mark) for mark in "*?[{" if mark in pattern), default=len(pattern))


def _find_remote(
    settings: Settings, table: SourceTable, days: Sequence[date], found: RawFiles
) -> list[tuple[Store, RemoteFile, Path]]:
    """Add a source's remote files; returns those that are to be fetched.

    Not files that are named for other days, as a store may hold years, unless the pattern names
    each day. One that can have lines of a day of the lake or of this run is noted.
    """
    assert table.url is not None
    lake = Lake(settings.lake)
    store, pattern = _open(table), without_secrets(table.url.get_secret_value())
    files = lake.files()
    before, after = _reach_of_names(record for record in files if record.source == table.name)
    near = sorted({day + timedelta(n) for day in days for n in range(1 - after, before)})
    patterns = expand(pattern, near)
    listed = [remote for one in patterns for remote in store.list(one)]
    if not listed:
        _check_store(store, pattern)
    is_by_day = len(patterns) == len(near)
    ours = {date.fromisoformat(day) for record in files for day in record.days}.union(near)
    wanted = []
    for remote in listed:
        hint = day_in_name(remote.name)
        path = _place_of(lake.fetched, remote)
        if path in found.origins:
            continue
        if hint and hint not in near and not is_by_day:
            its = ours & {hint + timedelta(n) for n in range(-before, after + 1)}
            if its and not lake.find_seen(path, remote.stat):
                note = note_file(path, table.name, its, _NAMED_OTHERWISE, remote.stat or ())
                found.passed_over.append(note)
            continue
        found.files.append(path)
        found.origins[path] = replace(origin_of_table(table, settings), url=remote.url)
        is_known = remote.stat is not None and lake.find_seen(path, remote.stat) is not None
        if not is_known and not (path.exists() and stat_of(path) == remote.stat):
            wanted.append((store, remote, path))
    return wanted


def _reach_of_names(records: Iterable[FileRecord]) -> tuple[int, int]:
    """How many days before and after the day in their names files have lines, going by some.

    A day at least: a name may be of the day that the file was rotated on, or of UTC's. A log that
    is rotated by the week shows it. Lines further off than ``LATE_DAYS`` are of a wrong clock.
    """
    apart = [
        (date.fromisoformat(day) - hint).days
        for record in records
        if (hint := day_in_name(record.name))
        for day in record.read_days
    ]
    within = [days for days in apart if abs(days) <= LATE_DAYS]
    return -min([-1, *within]), max([1, *within])


def _check_store(store: Store, pattern: str) -> None:
    """Tell a store that has nothing from one that is not there."""
    at = _fixed_length(pattern)
    is_search = at < len(pattern) and (pattern[at] != "{" or "/" not in pattern[at:])
    store.check_folder(pattern[:at], must_exist=is_search and set("*?[") & set(pattern) != set())


def _place_of(folder: Path, remote: RemoteFile) -> Path:
    return folder / hashlib.sha256(remote.url.encode()).hexdigest()[:32] / remote.name


def _fetch(
    settings: Settings, wanted: Sequence[tuple[Store, RemoteFile, Path]], found: RawFiles
) -> None:
    if not wanted:
        return
    lake = Lake(settings.lake)
    _remove_abandoned(lake)
    most = settings.max_fetch_mb * 1_000_000
    total = sum(remote.size or 0 for _, remote, _ in wanted)
    started, count = time.monotonic(), 0
    with show_bytes("fetching", total) as (bar, task), storage_named(lake.root, _THEN):
        advance: Callable[[int], None] = lambda size: bar.update(task, advance=size)  # noqa: E731
        for store, remote, path in wanted:
            try:
                count += store.fetch(remote.url, path, most, advance)
            except DataError as error:
                log.warning("%s", error)
                path.unlink(missing_ok=True)
                found.unfetched.add(path)
    log.info(
        "fetched %d of %d remote files: %d bytes, %d ms",
        len(wanted) - len(found.unfetched), len(wanted), count,
        round((time.monotonic() - started) * 1000),
    )  # fmt: skip


def _remove_abandoned(lake: Lake) -> None:
    """Remove what nobody has read for a week: a bad file, or what a killed process left."""
    if lake.fetched.is_dir():
        for folder in lake.fetched.iterdir():
            if time.time() - folder.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _open(table: SourceTable) -> Store:
    assert table.url is not None
    return open_store(f"source.{table.name}.url", table.url.get_secret_value())


def _table_of(settings: Settings, origin: Origin) -> SourceTable:
    """The table that a remote file was found by; it holds the store's password."""
    for table in settings.source:
        if table.url and table.name == origin.source and origin.url:
            pattern = without_secrets(table.url.get_secret_value())
            if origin.url.startswith(pattern[: _fixed_length(pattern)]):
                return table
    raise SettingsError(
        "source", origin.source, "no table of this name has the file's url any more; run again"
    )
