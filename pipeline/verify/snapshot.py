"""The ledger as it is at one moment, as far as it can be read; damage in it is a finding."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pipeline.build.stale import SessionRules, Stock, take_stock
from pipeline.errors import LakeError
from pipeline.lake.digests import FOLDER, is_intact, read_content
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import RECORD_KINDS, FileRecord
from pipeline.verify.findings import Finding, place_of
from pipeline.verify.parquet import Digests

_RECORD = TypeAdapter(FileRecord)
_DAMAGE = (LakeError, ValueError, TypeError, KeyError, AttributeError)
"""What reading a damaged ledger file raises: it is no JSON, or JSON of another shape."""


class ReadableLake(Lake):
    """The lake with those of its records that can be read."""

    def files(self) -> list[FileRecord]:
        """The records that can be read, every field of its type."""
        keys = sorted(path.stem for path in (self.ledger / "files").glob("*.json"))
        return [record for key in keys if (record := self._find_sound(key))]

    def _find_sound(self, file_key: str) -> FileRecord | None:
        try:
            record = self.find(file_key)
            if record is not None:
                _RECORD.validate_json(json.dumps(asdict(record)), strict=True)
        except _DAMAGE:
            return None
        return record if record is None or record.file_key == file_key else None


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
    texts: dict[str, str]
    """Digests of the records' texts, by file key: whether they change meanwhile."""

    @property
    def unreadable(self) -> set[str]:
        """File keys of the records that can't be read."""
        return self.texts.keys() - self.records.keys()


def take_snapshot(root: Path, rules: SessionRules) -> Snapshot:
    """Read the ledger; the caller holds the locks ``build`` and ``commit``."""
    lake = ReadableLake(root)
    places = list_places(root)
    try:
        stock, sealed = take_stock(lake, rules), lake.sealed()
    except _DAMAGE:
        stock, sealed = None, set()
    return Snapshot(
        {record.file_key: record for record in lake.files()},
        stock,
        sealed,
        _read_digests(root, places),
        places,
        digest_records(root),
    )


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


def digest_records(root: Path) -> dict[str, str]:
    """The digest of each live record's text, by file key."""
    return {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "ledger" / "files").glob("*.json"))
    }


def _read_digests(root: Path, places: set[str]) -> Digests:
    digests: Digests = {}
    for place in sorted(place for place in places if Path(place).parent == FOLDER):
        try:
            content: dict[str, Any] = read_content((root / place).read_text())
        except (OSError, ValueError):
            continue  # `check_ledger` says so
        digests |= {key: value for key, value in content.items() if isinstance(value, str)}
    return digests


def check_ledger(root: Path, snapshot: Snapshot) -> Iterator[Finding]:
    """Check every JSON file of the ledger by its checksum, and that none is missing."""
    for place in sorted(snapshot.places):
        is_text = place.startswith("ledger/") and place.endswith(".json")
        if is_text and (why := _check_text(root / place)):
            yield Finding("ledger", place, why)
    for key in sorted(snapshot.unreadable):
        place = f"ledger/files/{key}.json"
        if not _check_text(root / place):
            yield Finding("ledger", place, "is not a record of a raw file")
    wanted = {"ledger/lake.json"} | {
        (FOLDER / f"{key}.json").as_posix() for key in snapshot.records
    }
    if any(place.startswith("daily/") for place in snapshot.places):
        wanted |= {"ledger/built.json", (FOLDER / "built.json").as_posix()}
    if "days/part.parquet" in snapshot.places:
        wanted |= {"ledger/summary.json", (FOLDER / "tables.json").as_posix()}
    if "restatements/part.parquet" in snapshot.places:
        wanted |= {"ledger/published.json", (FOLDER / "restatements.json").as_posix()}
    for place in sorted(wanted - snapshot.places):
        yield Finding("ledger", place, "is missing")
    yield from _check_past_records(root, snapshot)
    yield from _check_seen(root, snapshot)


def _check_past_records(root: Path, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether each record of a file that is not in the lake any more is where it belongs."""
    folders = {f"ledger/{kind}" for kind in RECORD_KINDS[1:]}
    for place in sorted(place for place in snapshot.places if place.rpartition("/")[0] in folders):
        key = Path(place).stem
        if _check_text(root / place):
            continue  # said
        if read_content((root / place).read_text()).get("file_key") != key:
            yield Finding("ledger", place, "is the record of another raw file")
        elif key in snapshot.records:
            yield Finding("ledger", place, "is a stray: the raw file is in the lake")


def _check_seen(root: Path, snapshot: Snapshot) -> Iterator[Finding]:
    """Whether what was read of each path has a record: else it would be taken in again."""
    for place in sorted(place for place in snapshot.places if place.startswith("ledger/seen/")):
        if _check_text(root / place):
            continue  # said
        key = read_content((root / place).read_text()).get("file_key")
        records = [root / "ledger" / kind / f"{key}.json" for kind in RECORD_KINDS]
        if not any(record.exists() for record in records):
            yield Finding("ledger", f"{key}.json", "is missing: a raw file was read that is its")


def _check_text(path: Path) -> str | None:
    try:
        text = path.read_bytes().decode()
        read_content(text)
    except (OSError, ValueError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    return None if is_intact(text) else "its text is not the one that was written (checksum)"
