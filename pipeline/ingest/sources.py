"""The configured sources: which raw files they have of some days, local ones and remote ones."""

import glob
import os
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.days import EPOCH
from pipeline.errors import SettingsError, StoreError
from pipeline.formats.layouts import find_layout
from pipeline.ingest.discovery import find_raw
from pipeline.ingest.fetching import Wanted, fetch_files, fixed_part, open_table
from pipeline.ingest.named_otherwise import Others, place_all
from pipeline.ingest.source_names import Sources
from pipeline.ingest.unchanged import list_unchanged
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import quote_all, stat_of
from pipeline.raw.files import (
    Origin,
    Paths,
    RawFiles,
    as_path_writes,
    find_files,
    in_order,
    real_paths,
)
from pipeline.raw.naming import day_in_name
from pipeline.raw.stores import RemoteFile, Store, without_secrets
from pipeline.setting_values import DAY_IN_PATTERN, SourceTable
from pipeline.text import shown

LATE_DAYS = 31
"""Late files are looked for so far back, where a day is in the glob or in a remote name.

And so far from its name's day a remote file can have lines.
"""
_DIGITS = {"Y": 4, "G": 4, "j": 3, "u": 1}
_LETTERS = {"b": "???", "B": "*"}


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


def _of_any_day(pattern: str) -> str:
    """The glob that a pattern is when nobody knows the day in it."""

    def wildcard(code: re.Match[str]) -> str:
        return _LETTERS.get(code[1], "[0-9]" * _DIGITS.get(code[1], 2))

    return DAY_IN_PATTERN.sub(lambda m: re.sub("%(.)", wildcard, m[1]), pattern)


def name_by_tables(sources: Sources, paths: Paths) -> dict[str, Origin]:
    """What the tables say of those of some local files that match one, on whatever day."""
    found: dict[str, Origin] = {}
    for table in sources.tables:
        if table.files is not None:
            matches = _glob(_of_any_day(os.path.expanduser(table.files)))  # noqa: PTH111 a glob is no path
            its = find_files(matches, follow_links=sources.follow_links).files.texts
            origin = sources.origin_of_table(table)
            for path in real_paths(its):
                found.setdefault(path, origin)
    real = zip(paths.texts, real_paths(paths.texts), strict=True) if found else ()
    return {path: found[its] for path, its in real if its in found}


def _glob(pattern: str) -> Iterator[str]:
    return map(as_path_writes, glob.iglob(pattern, recursive=True))  # noqa: PTH207 not below one folder


def list_places(sources: Sources, days: Iterable[date]) -> list[str]:
    """The globs and folders on this machine in which raw files of some days appear."""
    days = list(days)
    tables = [os.path.expanduser(one.files) for one in sources.tables if one.files]  # noqa: PTH111 a glob is no path
    raw = [glob.escape(str(sources.raw))] if sources.is_raw_read else []
    return [place for pattern in tables for place in expand(pattern, days)] + raw


def is_settled_since(places: Iterable[str], since: float, until: float) -> bool:
    """Whether a raw file has come or changed at some places, and has been left alone since.

    The time of its entry's change tells: one that is moved there keeps that of its content.
    """
    found = (match for place in places for match in _glob(place))
    for path in find_files(found, follow_links=True).files:
        with suppress(OSError):  # gone again
            if since < path.stat().st_ctime <= until:
                return True
    return False


def find_raw_files(
    lake: Lake, sources: Sources, days: Sequence[date], names: Iterable[str] | None = None
) -> RawFiles:
    """The raw files of the sources in settings (of ``names`` only) and of the folder ``raw``.

    Remote files that the lake lacks are fetched; one that can't be fetched, or a store out of
    reach, stops no other.

    Raises:
        SettingsError: there is no such folder or layout.
        DataError: the folder can't be read.
        StorageError: the lake's disk is full.
    """
    found = RawFiles()
    wanted: list[Wanted] = []
    for table in sources.tables:
        if names is not None and table.name not in names:
            continue
        if table.layout:
            find_layout(table.layout, f"source.{table.name}.layout")
        if table.url is None:
            found += _find_local(sources, table, days, found.origins)
        else:
            try:
                its, more = _find_remote(lake, sources, table, days, found.origins)
            except StoreError as error:
                found += RawFiles(unreached=(error,))
            else:
                found, wanted = found + its, wanted + more
    fetch_files(lake, wanted, sources.most_bytes)
    if names is None and sources.is_raw_read:
        found += _find_rest(sources, found.files)
    return found


def _find_rest(sources: Sources, ours: Paths) -> RawFiles:
    """The files of the folder ``raw`` that no table has of these days."""
    rest = find_raw(sources.raw, follow_links=sources.follow_links)
    known, others = set(quote_all(ours.texts)), rest.files
    if known:
        lasting = zip(others.texts, quote_all(others.texts), strict=True)
        others = Paths(path for path, its in lasting if its not in known)
    origins = name_by_tables(sources, others)
    return RawFiles(others, rest.refused, origins, sources.layout, hidden=rest.hidden)


def _find_local(
    sources: Sources, table: SourceTable, days: Sequence[date], taken: Container[str]
) -> RawFiles:
    """A source's local files; a link leads out of the glob's folder only when it may."""
    assert table.files is not None
    pattern = os.path.expanduser(table.files)  # noqa: PTH111 a glob is no path
    base = _literal_folder(pattern)
    if not base.is_dir():
        raise SettingsError(f"source.{table.name}.files", table.files, f"there is no folder {base}")
    matches = in_order({match for one in expand(pattern, days) for match in _glob(one)})
    given, refused, root = [], [], os.path.realpath(base)
    inside = os.path.join(root, "")  # noqa: PTH118 its text
    for path, real in zip(matches, real_paths(matches), strict=True):
        if sources.follow_links or real == root or real.startswith(inside):
            given.append(path)
        else:
            why = f"is a link out of its folder, to {shown(Path(real))}; set follow_links = true"
            refused.append((Path(path), why))
    del matches  # as large as all that follows
    its = find_files(given, follow_links=sources.follow_links)
    new = (text for text in its.files.texts if text not in taken)
    origins = dict.fromkeys(new, sources.origin_of_table(table))
    return RawFiles(Paths(origins), (*refused, *its.refused), origins, hidden=its.hidden)


def _literal_folder(pattern: str) -> Path:
    """The folder that a glob begins with, before its first wildcard or day."""
    fixed = fixed_part(pattern)
    if fixed.endswith("/") or (fixed == pattern and Path(fixed).is_dir()):
        return Path(fixed)
    return Path(fixed).parent


def _find_remote(
    lake: Lake,
    sources: Sources,
    table: SourceTable,
    days: Sequence[date],
    taken: Container[str],
) -> tuple[RawFiles, list[Wanted]]:
    """A source's remote files, and those of them that are to be fetched.

    Not files that are named for other days, as a store may hold years, unless the pattern names
    each day. One that can have lines of a day of the lake or of this run is noted. Names are looked
    at as they are listed: there may be a million.
    """
    assert table.url is not None
    store, pattern = open_table(table), without_secrets(table.url.get_secret_value())
    before, after = _reach_of_names(lake.records(("name", "days", "whole_days"), {table.name}))
    near = sorted({day + timedelta(n) for day in days for n in range(1 - after, before)})
    patterns = expand(pattern, near)
    others = Others(lake, table, near, (before, after))
    is_by_day, is_any, ours = len(patterns) == len(near), False, list[RemoteFile]()
    for one in patterns:
        its = []
        for remote in store.scan(one):
            is_any, hint = True, day_in_name(remote.name)
            if is_by_day or not hint or hint in near:
                its.append(remote)
            else:
                others.add(remote, hint)
        ours += sorted(its, key=lambda remote: remote.url)
    if not is_any:
        _check_store(store, pattern)
    places = {os.fspath(path): (remote, path) for remote, path in place_all(lake, ours, taken)}
    stats = {text: its.stat for text, (its, _) in places.items() if its.stat is not None}
    seen = set(list_unchanged(lake, stats))
    origin = sources.origin_of_table(table)
    origins = {text: replace(origin, url=remote.url) for text, (remote, _) in places.items()}
    wanted = [
        Wanted(store, remote, path)
        for text, (remote, path) in places.items()
        if text not in seen and not (path.exists() and stat_of(path) == remote.stat)
    ]
    listed = RawFiles(
        Paths(origins), origins=origins, stats={Path(text): its for text, its in stats.items()},
        passed_over=tuple(others.note(taken)),
    )  # fmt: skip
    return listed, wanted


def _reach_of_names(records: pa.Table) -> tuple[int, int]:
    """How many days before and after the day in their names files have lines, going by some.

    A day at least: a name may be of the day that the file was rotated on, or of UTC's. A log that
    is rotated by the week shows it. Lines further off than ``LATE_DAYS`` are of a wrong clock.
    """
    found = map(day_in_name, records["name"].to_pylist())
    hints = pa.array([hint and (hint - EPOCH).days for hint in found], pa.int32())
    within = [0]
    for name in ("days", "whole_days"):
        shares = records[name].combine_chunks()
        owners = pc.list_parent_indices(shares)
        apart = pc.subtract(shares.flatten().field("day").cast(pa.int32()), hints.take(owners))
        within += [n for n in apart.unique().to_pylist() if n is not None and abs(n) <= LATE_DAYS]
    return -min(-1, *within), max(1, *within)


def _check_store(store: Store, pattern: str) -> None:
    """Tell a store that has nothing from one that is not there."""
    fixed = fixed_part(pattern)
    rest = pattern.removeprefix(fixed)
    is_search = rest != "" and (rest[0] != "{" or "/" not in rest)
    store.check_folder(fixed, must_exist=is_search and set("*?[") & set(pattern) != set())
