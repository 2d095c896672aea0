"""The lake on disk: where things lie, how they appear whole, who may write, what the ledger says.

Nothing here knows what a hit is. Layout: docs/definitions.md, *The lake*.
"""

import fcntl
import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

from pipeline.errors import LakeError, StorageError
from pipeline.lake import journal
from pipeline.lake.digests import (
    FOLDER,
    digest_of,
    with_digests,
    with_latest,
)
from pipeline.lake.exchange import sharing
from pipeline.lake.journal import Move
from pipeline.lake.ledger import (
    RECORD_KINDS,
    FileRecord,
    _read_record,
    read_json,
    stat_of,
    write_json,
)
from pipeline.raw.files import is_file, lasting_path


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
        return self.root.joinpath(model, *([f"day={day}"] if day else []), "part.parquet")

    @property
    def views(self) -> Path:
        """The DuckDB file with views over everything."""
        return self.root / "tidegauge.duckdb"

    @property
    def ledger(self) -> Path:
        """The folder of the accounting."""
        return self.root / "ledger"

    def whole_path(self, day: str, file_key: str) -> Path:
        """All hits of a raw file and day of which some are dropped as duplicates."""
        return self.ledger / "whole" / f"day={day}" / f"{file_key}.parquet"

    def lines_path(self, file_key: str) -> Path:
        """One hash for each physical line of a raw file; see ``overlaps``."""
        return self.ledger / "lines" / f"{file_key}.npy"

    def record_path(self, record: FileRecord) -> Path:
        """Where a raw file's accounting lies."""
        live, replaced, forgotten = RECORD_KINDS
        kind = replaced if record.replaced_by else forgotten if record.forgotten_at else live
        return self.ledger / kind / f"{record.file_key}.json"

    def files(self) -> list[FileRecord]:
        """The accounting of every raw file whose hits are in the lake, by file key."""
        paths = sorted((self.ledger / "files").glob("*.json"))
        return [_read_record(path) for path in paths]

    def past_files(self) -> list[FileRecord]:
        """The accounting of raw files that grew into others, or were forgotten."""
        kinds = RECORD_KINDS[1:]
        paths = [path for kind in kinds for path in sorted((self.ledger / kind).glob("*.json"))]
        return [_read_record(path) for path in paths]

    def find(self, file_key: str) -> FileRecord | None:
        """The accounting of one raw file: in the lake, replaced or forgotten."""
        for kind in RECORD_KINDS:
            path = self.ledger / kind / f"{file_key}.json"
            if path.exists():
                return _read_record(path)
        return None

    @property
    def fetched(self) -> Path:
        """The folder of remote files, until they have been read."""
        return self.root / ".fetched"

    def find_seen(self, path: Path, stat: list[int] | None = None) -> FileRecord | None:
        """What is known of a raw file that has not changed since it was read, unread again.

        ``stat``: of the file now, when it is elsewhere; else a fetched one that is gone was read.
        """
        seen = read_json(self._seen_path(path))
        if not seen:
            return None
        if stat or path.exists():
            is_same = seen["stat"] == (stat or stat_of(path))
        else:
            is_same = path.is_relative_to(self.fetched)
        return self.find(seen["file_key"]) if is_same else None

    def was_seen(self, path: Path) -> bool:
        """Whether a raw file at this path was read, whatever it held then."""
        return self._seen_path(path).exists()

    def raw_paths(self) -> dict[str, list[tuple[Path, list[int]]]]:
        """Where each file key's raw file was read and a file is still, with its ``stat`` then."""
        found: dict[str, list[tuple[Path, list[int]]]] = {}
        for path in sorted((self.ledger / "seen").glob("*.json")):
            seen = read_json(path)
            raw = Path(os.fsdecode(unquote_to_bytes(seen["path"])))
            if is_file(raw):
                found.setdefault(seen["file_key"], []).append((raw, seen["stat"]))
        return found

    def remember(self, path: Path, stat: Sequence[int], file_key: str) -> None:
        """Note what was read from a raw file that had ``stat``; the caller holds ``commit``."""
        quoted = quote(os.fsencode(lasting_path(path)))
        seen = {"stat": stat, "file_key": file_key, "path": quoted}
        write_json(self._seen_path(path), seen, ".draft")
        self.left_out_path(quoted).unlink(missing_ok=True)

    def left_out_path(self, path: str) -> Path:
        """The note of a raw file that is not in the lake; see ``left_out``."""
        return self.left_out / f"{_name_of(path)}.json"

    @property
    def left_out(self) -> Path:
        """The folder of what was there and is not in the lake."""
        return self.ledger / "left"

    def _seen_path(self, path: Path) -> Path:
        name = hashlib.sha256(os.fsencode(lasting_path(path))).hexdigest()[:32]
        return self.ledger / "seen" / f"{name}.json"

    def identity(self) -> dict[str, str]:
        """Time zone and key fingerprint the lake was made with; empty for a new lake.

        Raises:
            LakeError: one of them is missing.
        """
        known = read_json(self.ledger / "lake.json")
        if known and not known.keys() >= {"timezone", "visitor_key"}:
            raise LakeError(
                f"lake {self.root}: ledger/lake.json is damaged, it lacks what it is for"
            )
        return known

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
        known = self.identity()  # what it is never changes: who may only read needs no lock
        if not known:
            with self.lock():
                known = self.identity()
                if not known:
                    write_json(self.ledger / "lake.json", known := wanted)
        if known["timezone"] != timezone:
            raise LakeError(
                f"lake {self.root} was made for time zone {known['timezone']}, not {timezone}:"
                " set that zone, or use another lake"
            )
        if known["visitor_key"] != key_fingerprint:
            raise LakeError(
                f"lake {self.root} was made with another visitor key (fingerprint"
                f" {known['visitor_key']}): set that key, or use another lake"
            )

    @contextmanager
    def lock(self, name: str = "commit") -> Iterator[None]:
        """Hold one of the lake's locks across processes; it ends with the process.

        Whoever holds ``commit`` finds every change finished.
        """
        try:
            self.ledger.mkdir(parents=True, exist_ok=True)
            with (self.ledger / f".{name}.lock").open("a") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if name == "commit":
                    journal.recover(self.root)
                yield
        except OSError as error:
            if isinstance(error.filename, str) and str(self.root) in error.filename:
                why = f"lake {self.root} can't be written: {error.strerror}"
                raise StorageError(why) from error
            raise

    @contextmanager
    def hold(self, name: str = "commit") -> Iterator[None]:
        """Keep others from changing what a lock guards; where one may only read, too.

        Raises:
            LakeError: a change was interrupted, which who may only read can't finish.
        """
        if _may_write(self.ledger):
            with self.lock(name):
                yield
            return
        with sharing(self.ledger, f".{name}.lock"):
            if name == "commit":
                self._refuse_interrupted()
            yield

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder of this process on the lake's disk; it and abandoned ones are removed."""
        parent = self.root / ".staging"
        folder = parent / secrets.token_hex(8)
        with ExitStack() as ending:
            with self.lock("staging"):  # whoever is not locked by then has ended
                try:
                    folder.mkdir(parents=True)
                    mine = ending.enter_context((folder / ".lock").open("w"))
                except OSError as error:
                    why = f"lake {self.root} can't be written: {error.strerror}"
                    raise StorageError(why) from error
                fcntl.flock(mine, fcntl.LOCK_EX)
                _remove_abandoned(parent)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):
                    parent.rmdir()

    def commit(self, moves: Sequence[Move]) -> None:
        """Change what the lake has of raw files, as one; the caller holds ``commit``."""
        self.exchange(with_digests(self.root, moves))

    def exchange(self, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
        """Do a change as one, and ``then`` what readers must not see undone.

        The caller holds ``commit``, and does not read as ``reading`` does.
        """
        journal.commit(self.root, moves, then)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Keep the lake in one state while it is read; not to be nested, nor to wait in.

        Raises:
            LakeError: a process died in the midst of a change, and this one may not finish it.
        """
        self.recover()
        with sharing(self.ledger):
            self._refuse_interrupted()
            yield

    def _refuse_interrupted(self) -> None:
        if journal.is_interrupted(self.root):
            raise LakeError(
                f"lake {self.root}: a change of it was interrupted: any command of who may"
                " write there finishes it, such as `tidegauge status`"
            )

    def digests_path(self, name: str) -> Path:
        """Where the digests of what the lake wrote lie; see ``digests``."""
        return self.root / FOLDER / f"{name}.json"

    def note_next(self, name: str, target: Path, draft: Path) -> None:
        """Note the digest of what is about to become ``target``; the caller holds a lock."""
        path = self.digests_path(name)
        place = target.relative_to(self.root).as_posix()
        write_json(path, with_latest(read_json(path), place, digest_of(draft)))

    def recover(self) -> None:
        """Finish a change that another process left, before reading."""
        if (self.root / ".commit").is_dir() and _may_write(self.root):
            with self.lock():
                pass


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _name_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _remove_abandoned(parent: Path) -> None:
    """Remove what ended processes left: staging folders whose lock nobody holds."""
    for folder in parent.iterdir():
        with suppress(OSError), (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
