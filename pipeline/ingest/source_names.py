"""The sources that raw files get in a lake, and what is said of their files: ``Origin``.

A source is named by its files' names, or as the lake has called them.

Up to version 2 of the definitions a name was cut at its first ``.``, ``-`` or ``_``, so that
``web-01`` and ``web-02`` were one source. What a lake has of that time keeps its source until
`build --also definitions`, and what belongs to it joins it.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, path_of
from pipeline.raw.files import Origin
from pipeline.raw.naming import folder_of, read_name, safe_source, source_of
from pipeline.raw.rotation import PACKED
from pipeline.setting_values import SourceTable
from pipeline.text import escape, keep, printable


def first_part(name: str) -> str:
    """The source that a file's name gave up to version 2 of the definitions."""
    return safe_source(re.split(r"[.\-_]", printable(name))[0]) or "log"


def is_named_before(source: str, name: str, source_by_name: bool | None) -> bool:
    """Whether a file has its source by the first part of a name that names another server."""
    if source_by_name is False or source != first_part(name):
        return False
    return source != safe_source(read_name(name).server)


class Namer:
    """What a lake calls the sources of raw files of which nothing else is said."""

    def __init__(self, lake: Lake) -> None:
        """Read the lake's records only when a name could have been another before."""
        self._lake = lake
        self._names: dict[str, list[tuple[str, bool | None]]] = {}

    def _names_in(self, source: str) -> list[tuple[str, bool | None]]:
        """The names of a source's files in the lake, and whether they are what it is called by."""
        if source not in self._names:
            its = self._lake.records(("name", "source_by_name"), {source})
            self._names[source] = list(zip(*its.to_pydict().values(), strict=True))
        return self._names[source]

    def origin(self, path: Path, layout: str | None = None) -> Origin:
        """What is known of a raw file of whose source nothing is said."""
        return Origin(self.of(path), layout)

    def of(self, path: Path) -> str:
        """The source of a raw file."""
        name, before = source_of(path), first_part(path.name)
        if name == before:
            return name
        those = [its for its, by in self._names_in(before) if is_named_before(before, its, by)]
        if any(_unpacked(its) == _unpacked(printable(path.name)) for its in those):
            return before  # that file itself: it has grown, or was packed
        if any(not is_named_before(name, *its) for its in self._names_in(name)):
            return name
        server = read_name(path.name).server
        return before if any(read_name(its).server == server for its in those) else name


@dataclass(frozen=True)
class Sources:
    """What the settings say of raw files: where they lie, whose they are, how they are read."""

    tables: tuple[SourceTable, ...]
    expected: tuple[str, ...]
    """The sources that every day should have logs of."""
    raw: Path
    """The folder of the files of which no table tells."""
    is_raw_read: bool
    """Whether it is set, or there are no tables."""
    layout: str | None
    """Of files of which no table tells it."""
    follow_links: bool
    most_bytes: int
    """Of a remote file."""

    def __str__(self) -> str:
        """Where raw files are looked for, for people."""
        names = ", ".join(dict.fromkeys(table.name for table in self.tables))
        return f"the sources {names}" if names else str(self.raw)

    def origin_of_table(self, table: SourceTable) -> Origin:
        """What is said of the raw files of a source."""
        return Origin(table.name, table.layout or self.layout, table.timezone)

    def origin_of_record(self, record: FileRecord) -> Origin:
        """How a raw file would be read again: as its source's tables say now, else as it was."""
        was = Origin(record.source, record.given, record.timezone, record.url)
        now = [
            replace(self.origin_of_table(table), url=record.url)
            for table in self.tables
            if table.name == record.source
        ]
        if not now:
            return replace(was, layout=self.layout or record.given)
        return was if was in now else now[0]

    def misnames(self, record: FileRecord) -> bool:
        """Whether a file would get another source by its name today; never one that is named."""
        named = {*self.expected, *(table.name for table in self.tables)}
        its = (record.source, record.name, record.source_by_name)
        return record.source not in named and is_named_before(*its)


def list_doubts(lake: Lake, sources: Collection[str] | None = None) -> dict[str, str]:
    """How sources (all, or some) were read from names that can be read otherwise, by source.

    A name without doubt settles those of its source; so does a source that was given. Files of one
    name in several folders may be of several servers.
    """
    found: dict[str, str] = {}
    by_name = {sums.source for sums in lake.sums() if sums.told_by_name}
    if not (asked := by_name if sources is None else by_name.intersection(sources)):
        return found
    # At once: to read a source's takes as long as to list the sheets of all.
    columns = ("source", "file_key", "name", "source_by_name", "days", "seen")
    every = lake.records(columns, asked)
    codes = every["source"].combine_chunks().dictionary_encode()
    for code, source in sorted(enumerate(codes.dictionary.to_pylist()), key=itemgetter(1)):
        its = every.filter(pc.equal(codes.indices, code))
        its = its.filter(pc.greater(pc.list_value_length(its["days"]), 0))
        told = its.filter(pc.fill_null(its["source_by_name"], True))
        if doubt := (_doubt_names(its) if len(told) == len(its) else None) or _doubt_folders(
            lake, told
        ):
            found[source] = doubt
    return found


def _doubt_names(files: pa.Table) -> str | None:
    last = ""
    for names in files["name"].chunks:
        for name in names.to_pylist():
            if not read_name(name).doubt:
                return None  # one without doubt settles it
            last = max(last, name)
    return f"{escape(last)}: {read_name(last).doubt}" if last else None


def _doubt_folders(lake: Lake, files: pa.Table) -> str | None:
    paths = pc.struct_field(pc.list_flatten(files["seen"]), "path")
    parents = pc.replace_substring_regex(paths, "[^/]*$", "").unique().to_pylist()
    if len({folder_of(path_of(f"{parent}log")) for parent in parents}) < 2:
        return None
    names = _list_folders(map(path_of, paths.to_pylist()))
    if any(len(folders) > 1 for folders in names.values()):
        # To look whether the files are still there takes long.
        still = lake.raw_paths(set(paths.to_pylist()))
        keys = files["file_key"].to_pylist()
        names = _list_folders(path for key in keys for path, _ in still.get(key, [])[:1])
    doubts = sorted(name for name, folders in names.items() if len(folders) > 1)
    if not doubts:
        return None
    folders = ", ".join(map(escape, sorted(names[doubts[0]])))
    return keep(
        "{name}: lies in the folders {folders}, which may be servers",
        name=escape(printable(doubts[0])), folders=folders,
    )  # fmt: skip


def _list_folders(paths: Iterable[Path]) -> dict[str, set[str]]:
    """The folders of the files of each name."""
    found: dict[str, set[str]] = {}
    for path in paths:
        found.setdefault(path.name, set()).add(folder_of(path))
    return found


def _unpacked(name: str) -> str:
    return PACKED.sub("", name)
