"""The sources that raw files get in a lake, and what is said of their files: ``Origin``.

A source is named by its files' names, or as the lake has called them.

Up to version 2 of the definitions a name was cut at its first ``.``, ``-`` or ``_``, so that
``web-01`` and ``web-02`` were one source. What a lake has of that time keeps its source until
`build --also definitions`, and what belongs to it joins it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.files import Origin
from pipeline.raw.naming import folder_of, read_name, safe_source, source_of
from pipeline.raw.rotation import PACKED
from pipeline.settings import SourceTable
from pipeline.text import escape, printable


def first_part(name: str) -> str:
    """The source that a file's name gave up to version 2 of the definitions."""
    return safe_source(re.split(r"[.\-_]", printable(name))[0]) or "log"


def is_named_before(record: FileRecord) -> bool:
    """Whether a file has its source by the first part of a name that names another server."""
    if record.source_by_name is False or record.source != first_part(record.name):
        return False
    return record.source != safe_source(read_name(record.name).server)


class Namer:
    """What a lake calls the sources of raw files of which nothing else is said."""

    def __init__(self, lake: Lake) -> None:
        """Read the lake's records only when a name could have been another before."""
        self._lake = lake

    @cached_property
    def _by_source(self) -> dict[str, list[FileRecord]]:
        found: dict[str, list[FileRecord]] = {}
        for record in self._lake.files():
            found.setdefault(record.source, []).append(record)
        return found

    def origin(self, path: Path, layout: str | None = None) -> Origin:
        """What is known of a raw file of whose source nothing is said."""
        return Origin(self.of(path), layout)

    def of(self, path: Path) -> str:
        """The source of a raw file."""
        name, before = source_of(path), first_part(path.name)
        if name == before:
            return name
        those = [r for r in self._by_source.get(before, ()) if is_named_before(r)]
        if any(_unpacked(r.name) == _unpacked(printable(path.name)) for r in those):
            return before  # that file itself: it has grown, or was packed
        if any(not is_named_before(record) for record in self._by_source.get(name, ())):
            return name
        server = read_name(path.name).server
        return before if any(read_name(r.name).server == server for r in those) else name


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
        return record.source not in named and is_named_before(record)


def list_doubts(lake: Lake) -> dict[str, str]:
    """How sources were read from names that can be read otherwise, by source.

    A name without doubt settles those of its source; so does a source that was given. Files of one
    name in several folders may be of several servers.
    """
    records = [record for record in lake.files() if record.days]
    return dict(sorted((_doubt_folders(records, lake) | _doubt_names(records)).items()))


def _doubt_folders(records: Iterable[FileRecord], lake: Lake) -> dict[str, str]:
    told = [record for record in records if record.source_by_name is not False]
    found = _list_folders((record, [seen.raw for seen in record.seen]) for record in told)
    doubted = {name for name, folders in found.items() if len(folders) > 1}
    if doubted:  # to look whether the files are still there takes long
        paths = lake.raw_paths()
        still = ((record, [p for p, _ in paths.get(record.file_key, [])[:1]]) for record in told)
        found = _list_folders(still)
    return {
        source: f"{escape(printable(name))}: lies in the folders"
        f" {', '.join(escape(folder) for folder in sorted(folders))}, which may be servers"
        for (source, name), folders in sorted(found.items(), reverse=True)
        if len(folders) > 1
    }


def _list_folders(
    records: Iterable[tuple[FileRecord, list[Path]]],
) -> dict[tuple[str, str], set[str]]:
    """The folders of each source's and name's files."""
    found: dict[tuple[str, str], set[str]] = {}
    for record, paths in records:
        for path in paths:
            found.setdefault((record.source, path.name), set()).add(folder_of(path))
    return found


def _doubt_names(records: Iterable[FileRecord]) -> dict[str, str]:
    found: dict[str, str | None] = {}
    for record in sorted(records, key=lambda record: record.name):
        if found.get(record.source, "") is None:
            continue  # one without doubt settles it
        is_told = record.source_by_name is not False
        doubt = read_name(record.name).doubt if is_told else None
        found[record.source] = doubt and f"{escape(record.name)}: {doubt}"
    return {source: text for source, text in found.items() if text}


def _unpacked(name: str) -> str:
    return PACKED.sub("", name)
