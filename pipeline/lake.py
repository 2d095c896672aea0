"""The lake on disk: where things lie, how they appear whole, who may write, what the ledger says.

Nothing here knows what a hit is. Layout: DESIGN, *The lake*.
"""

import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.errors import LakeError, StorageError

NO_DAY = date(1970, 1, 1)
"""The day of the rejects of a file without any hit."""
_SYNC_EACH = 64
"""More files than this are made durable by one sync of the disk instead of one each."""


@dataclass(frozen=True)
class DayShare:
    """What a raw file gave to one local day."""

    hits: int
    geo_is_late: bool
    geo_built: str | None
    """Build date of the database that located them; None without one."""


@dataclass(frozen=True)
class FileRecord:
    """The accounting of one raw file: ``lines`` is the sum of the five kinds."""

    file_key: str
    source: str
    name: str
    sha256: str
    raw_bytes: int
    content_bytes: int
    lines: int
    hits: int
    rejected: int
    blank: int
    directives: int
    duplicates: int
    reasons: dict[str, int]
    days: dict[str, DayShare]
    rejects_day: str | None
    damage: str | None
    layout: str
    ingested_at: str
    duration_ms: int

    @property
    def balances(self) -> bool:
        """Whether every physical line ended as exactly one kind."""
        kinds = self.hits + self.rejected + self.blank + self.directives + self.duplicates
        return self.lines == kinds


@dataclass(frozen=True)
class Lake:
    """One site's lake. Making the object touches nothing."""

    root: Path

    def hits_path(self, day: str, file_key: str) -> Path:
        """The hits of one raw file and day."""
        return self.root / "hits" / f"day={day}" / f"{file_key}.parquet"

    def rejects_path(self, day: str, file_key: str) -> Path:
        """The rejected lines of one raw file."""
        return self.root / "rejects" / f"day={day}" / f"{file_key}.parquet"

    def part_path(self, model: str, day: str | None = None) -> Path:
        """The one file of a derived partition, or of an unpartitioned table."""
        folder = self.root / model
        return (folder / f"day={day}" if day else folder) / "part.parquet"

    @property
    def views(self) -> Path:
        """The DuckDB file with views over everything."""
        return self.root / "tidegauge.duckdb"

    @property
    def ledger(self) -> Path:
        """The folder of the accounting."""
        return self.root / "ledger"

    def files(self) -> list[FileRecord]:
        """The accounting of every raw file in the lake, by file key."""
        paths = sorted((self.ledger / "files").glob("*.json"))
        return [record for path in paths if (record := self.find(path.stem))]

    def find(self, file_key: str) -> FileRecord | None:
        """The accounting of one raw file, when the lake has it."""
        record = read_json(self.ledger / "files" / f"{file_key}.json")
        if not record:
            return None
        days = {day: DayShare(**share) for day, share in record.pop("days").items()}
        return FileRecord(**record, days=days)

    def find_seen(self, path: Path) -> FileRecord | None:
        """What the lake has of a raw file that has not changed since it was read, unread again."""
        seen = read_json(self._seen_path(path))
        is_same = bool(seen) and path.exists() and seen["stat"] == stat_of(path)
        return self.find(seen["file_key"]) if is_same else None

    def remember(self, path: Path, stat: list[int], file_key: str) -> None:
        """Note what was read from a raw file that had ``stat``; the caller holds ``commit``."""
        write_json(self._seen_path(path), {"stat": stat, "file_key": file_key})

    def _seen_path(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]
        return self.ledger / "seen" / f"{name}.json"

    def identity(self) -> dict[str, str]:
        """Time zone and key fingerprint the lake was made with; empty for a new lake."""
        return read_json(self.ledger / "lake.json")

    def sealed(self) -> set[str]:
        """Days (ISO) whose figures stand: what they were counted from is deleted, or will be."""
        return set(read_json(self.ledger / "sealed.json"))

    def seal(self, days: Iterable[str], at: str) -> None:
        """Seal days for good at an instant; those sealed before keep theirs.

        The caller holds the locks ``build`` and ``commit``.
        """
        known = read_json(self.ledger / "sealed.json")
        write_json(self.ledger / "sealed.json", {day: {"sealed_at": at} for day in days} | known)

    def claim(self, timezone: str, key_fingerprint: str) -> None:
        """Make the lake this zone's and key's, or refuse when it is another's.

        Raises:
            LakeError: it was made with another time zone or another key, or can't be written.
        """
        wanted = {"timezone": timezone, "visitor_key": key_fingerprint}
        with self.lock():
            known = self.identity()
            if not known:
                write_json(self.ledger / "lake.json", wanted)
            elif known["timezone"] != timezone:
                raise LakeError(
                    f"lake {self.root} was made for time zone {known['timezone']}, not {timezone}:"
                    " set that zone, or use another lake"
                )
            elif known["visitor_key"] != key_fingerprint:
                raise LakeError(
                    f"lake {self.root} was made with another visitor key (fingerprint"
                    f" {known['visitor_key']}): set that key, or use another lake"
                )

    @contextmanager
    def lock(self, name: str = "commit") -> Iterator[None]:
        """Hold one of the lake's locks across processes; it ends with the process."""
        try:
            self.ledger.mkdir(parents=True, exist_ok=True)
            with (self.ledger / f".{name}.lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield
        except OSError as error:
            if isinstance(error.filename, str) and str(self.root) in error.filename:
                why = f"lake {self.root} can't be written: {error.strerror}"
                raise StorageError(why) from error
            raise

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of this process on the lake's disk; it and abandoned ones are removed."""
        parent = self.root / ".staging"
        folder = parent / secrets.token_hex(8)
        try:
            folder.mkdir(parents=True)
        except OSError as error:
            raise StorageError(f"lake {self.root} can't be written: {error.strerror}") from error
        with (folder / ".lock").open("w") as mine:
            fcntl.flock(mine, fcntl.LOCK_EX)
            _remove_abandoned(parent)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    parent.rmdir()

    def commit_file(self, record: FileRecord, staged: Sequence[tuple[Path, Path]]) -> None:
        """Put a raw file's staged Parquet in place, then its record: that makes it the lake's."""
        put_in_place(staged)
        write_json(self.ledger / "files" / f"{record.file_key}.json", asdict(record))


def stat_of(path: Path) -> list[int]:
    """Size and time of change (ns): while they are the same, so is the file's content."""
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _remove_abandoned(parent: Path) -> None:
    """Remove staging folders whose process has ended: nobody holds their lock."""
    for folder in parent.iterdir():
        with suppress(OSError), (folder / ".lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


def put_in_place(staged: Sequence[tuple[Path, Path]]) -> None:
    """Make ``(from, to)`` files durable, then rename each: a reader sees old or new, whole."""
    if len(staged) > _SYNC_EACH:
        os.sync()
    else:
        for source, _ in staged:
            with source.open("rb") as file:
                os.fsync(file.fileno())
    for source, target in staged:
        if source.parent.name == target.parent.name and not target.parent.exists():
            target.parent.parent.mkdir(parents=True, exist_ok=True)
            source.parent.replace(target.parent)  # a whole new partition: one rename
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)


def read_json(path: Path) -> dict[str, Any]:
    """Read a ledger file; empty when there is none."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a ledger file; it appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.draft")  # writers hold a lock: one draft is enough
    with draft.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
