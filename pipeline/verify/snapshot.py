"""The ledger as it is at one moment, as far as it can be read; damage in it is a finding."""

import json
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter

from pipeline.build.built import PartsOfDays, parts_path
from pipeline.build.stale import SessionRules, Stock, take_stock
from pipeline.errors import LakeError
from pipeline.lake.digests import FOLDER, RECORDS, is_intact, read_content
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FILES_FOLDER, FileRecord, read_json
from pipeline.lake.old_ledger import list_old_records, read_old_record
from pipeline.lake.record_rows import to_records, to_table
from pipeline.lake.records import sum_records
from pipeline.lake.sheets import Sheet, list_sheets
from pipeline.lake.sums import Sums, sum_up
from pipeline.verify.findings import Finding, place_of, place_of_record
from pipeline.verify.parquet import Digests, Shelf

_RECORD = TypeAdapter(FileRecord)
_DAMAGE = (LakeError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a damaged ledger file raises: it is no JSON, or JSON of another shape."""


class ReadableLake(Lake):
    """The lake with those of its records that can be read."""

    def files(
        self,
        are_asked: Callable[[Sums], bool] = lambda _: True,  # noqa: ARG002 all are at hand
        which: pc.Expression | None = None,
    ) -> list[FileRecord]:
        """Those of them that can be read."""
        its = [record for record in self.all_files() if record.is_live]
        return its if which is None else to_records(to_table(its).filter(which))

    def records(
        self,
        columns: Sequence[str],
        sources: Collection[str] | None = None,
        are_asked: Callable[[Sums], bool] = lambda _: True,
        which: pc.Expression | None = None,
    ) -> pa.Table:
        """Of them the same."""
        its = self.files(are_asked, which)
        its = [one for one in its if sources is None or one.source in sources]
        return to_table(its).select(list(columns))

    def sums(self) -> list[Sums]:
        """What those that can be read come to, whatever the sheets say of themselves."""
        return sum_records(self.all_files())

    def all_files(self) -> list[FileRecord]:
        """The records that can be read: of a sheet all or none, every field of its type."""
        return list(self._by_key.values())

    def find_all(self, file_keys: Iterable[str]) -> dict[str, FileRecord]:
        """Some of them."""
        return {key: self._by_key[key] for key in file_keys if key in self._by_key}

    @cached_property
    def _by_key(self) -> dict[str, FileRecord]:
        found = {record.file_key: record for record in self.list_records()}
        return dict(sorted(found.items()))

    @cached_property
    def sheets(self) -> dict[Path, list[FileRecord] | None]:
        """The records of each sheet; None where they can't be read."""
        return {sheet.path: _read_sheet(sheet) for sheet in list_sheets(self.ledger)}

    @cached_property
    def old(self) -> dict[Path, FileRecord | None]:
        """Each record of an earlier version, likewise."""
        return {path: _read_old(path) for path in list_old_records(self.ledger)}

    def list_records(self) -> Iterator[FileRecord]:
        """The same; a raw file's as often as it has one."""
        for records in self.sheets.values():
            yield from records or ()
        yield from filter(None, self.old.values())

    def unreadable(self) -> set[str]:
        """The sources of which records can't be read."""
        known = list_sheets(self.ledger)
        sheets = {sheet.source for sheet in known if self.sheets[sheet.path] is None}
        old = {path.stem for path, record in self.old.items() if record is None}
        return sheets | {file_key.rpartition("-")[0] for file_key in old}


def _read_sheet(sheet: Sheet) -> list[FileRecord] | None:
    try:
        return [_checked(record) for record in to_records(sheet.read())]
    except _DAMAGE:
        return None


def _read_old(path: Path) -> FileRecord | None:
    try:
        record = read_old_record(path)
        return _checked(record) if record and record.file_key == path.stem else None
    except _DAMAGE:
        return None


def _checked(record: FileRecord) -> FileRecord:
    _RECORD.validate_json(json.dumps(asdict(record)), strict=True)
    return record


@dataclass(frozen=True)
class Snapshot:
    """What the ledger said at one moment, and which files the lake had."""

    records: dict[str, FileRecord]
    """Of the raw files whose hits are in the lake, by file key."""
    stock: Stock | None
    """None when the ledger is too damaged to tell which days are stale."""
    sealed: set[str]
    digests: Digests
    places: set[str]
    """Every file in the lake, without hidden ones (locks, drafts, staging)."""
    unreadable: set[str]
    """The sources of which records can't be read."""
    known: set[str]
    """The days (ISO) that were built or published."""


def take_snapshot(lake: ReadableLake, rules: SessionRules) -> Snapshot:
    """Read the ledger; the caller holds the locks ``build`` and ``commit``."""
    places = list_places(lake.root)
    try:
        stock, sealed = take_stock(lake, rules), lake.sealed()
    except _DAMAGE:
        stock, sealed = None, set()
    return Snapshot(
        _live(lake),
        stock,
        sealed,
        _read_digests(lake.root, places),
        places,
        lake.unreadable(),
        _known_days(lake),
    )


def _known_days(lake: Lake) -> set[str]:
    found: set[str] = set()
    for name in ("built", "published"):
        with suppress(*_DAMAGE):
            found |= read_json(lake.ledger / f"{name}.json").keys()
    return found


def list_places(root: Path) -> set[str]:
    """Every file below the lake's folder but hidden ones and what is in hidden folders.

    Hidden Parquet is listed: views would read it.
    """
    places: set[str] = set()
    for parent, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen = [name for name in names if name[0] != "." or name.endswith(".parquet")]
        places |= {place_of(root, Path(parent, name)) for name in seen}
    return places


def read_live(root: Path) -> dict[str, FileRecord]:
    """The readable records of the raw files whose hits are in the lake, by file key."""
    return _live(ReadableLake(root))


def _live(lake: ReadableLake) -> dict[str, FileRecord]:
    return {record.file_key: record for record in lake.files()}


def _read_digests(root: Path, places: set[str]) -> Digests:
    digests: Digests = {}
    for place in sorted(place for place in places if Path(place).parent == FOLDER):
        try:
            content: dict[str, Any] = read_content((root / place).read_text())
        except (OSError, ValueError):
            continue  # `check_ledger` says so
        digests |= {key: value for key, value in content.items() if isinstance(value, str)}
    return digests


def check_ledger(lake: ReadableLake, snapshot: Snapshot) -> Iterator[Finding]:
    """Check every JSON file of the ledger by its checksum, and that none is missing.

    ``lake`` is the one that the snapshot was taken of.
    """
    root = lake.root
    for place in sorted(snapshot.places):
        is_text = place.startswith("ledger/") and place.endswith(".json")
        if is_text and (why := _check_text(root / place)):
            yield Finding("ledger", place, why)
    wanted = {"ledger/lake.json"} | {
        (FOLDER / f"{key}.json").as_posix()
        for key, record in snapshot.records.items()
        if not record.is_packed
    }
    if list_sheets(root / "ledger"):
        wanted.add((FOLDER / f"{RECORDS}.json").as_posix())
    if any(place.startswith("daily/") for place in snapshot.places):
        wanted |= {"ledger/built.json", (FOLDER / "built.json").as_posix()}
    if "days/part.parquet" in snapshot.places:
        wanted |= {"ledger/summary.json", (FOLDER / "tables.json").as_posix()}
    if "restatements/part.parquet" in snapshot.places:
        wanted |= {"ledger/published.json", (FOLDER / "restatements.json").as_posix()}
    for place in sorted(wanted - snapshot.places):
        yield Finding("ledger", place, "is missing")
    parts = PartsOfDays(lake)
    for day, line in snapshot.stock.built.items() if snapshot.stock else ():
        with suppress(*_DAMAGE):  # which was said
            if parts.find(day, line.parts) is None:
                place = place_of(root, parts_path(lake, day))
                yield Finding("ledger", place, "lacks what the day was built from")
    yield from _check_sheets(lake, snapshot)


def _check_sheets(lake: ReadableLake, snapshot: Snapshot) -> Iterator[Finding]:
    """Check the records' sheets by their digests, that none is missing, and that each file has one.

    Without a sheet its raw files would be taken in again.
    """
    root = lake.root
    shelf = Shelf(root, snapshot.digests)
    there = {place_of(root, sheet.path): sheet for sheet in list_sheets(root / "ledger")}
    known = {place for place in snapshot.digests if place.startswith(f"{FILES_FOLDER}/")}
    for place in sorted(there.keys() | known):
        content = shelf.read_bytes(place)
        if isinstance(content, Finding):
            yield content
        elif (records := lake.sheets[there[place].path]) is None:
            yield Finding("ledger", place, "has what is not a record of a raw file")
        elif any(record.source != there[place].source for record in records):
            yield Finding("ledger", place, "has records of another source")
        elif there[place].sums != sum_up(there[place].source, there[place].read()):
            yield Finding("ledger", place, "says that its records come to something else")
    for path, record in lake.old.items():
        if record is None and not _check_text(path):
            yield Finding("ledger", place_of(root, path), "is not a record of its raw file")
    keys = Counter(record.file_key for record in lake.list_records())
    for key in sorted(key for key, count in keys.items() if count > 1):
        yield Finding("ledger", place_of_record(key), "has two records")


def _check_text(path: Path) -> str | None:
    try:
        text = path.read_bytes().decode()
        read_content(text)
    except (OSError, ValueError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return None if is_intact(text) else "its text is not the one that was written (checksum)"
