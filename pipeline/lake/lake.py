"""The lake: how its files appear whole, who may write, what the ledger says; see ``paths``.

Nothing here knows what a hit is. Layout: docs/definitions.md, *The lake*.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pipeline.definitions import DEMO_MARK
from pipeline.errors import LakeError
from pipeline.lake.digests import (
    digest_of,
    with_digests,
    with_latest,
)
from pipeline.lake.folder import Folder
from pipeline.lake.journal import Move
from pipeline.lake.ledger import FileRecord, Seen, quote_all, quoted, read_json, stat_of, write_json
from pipeline.lake.old_ledger import has_old, list_old, read_old
from pipeline.lake.paths import LakePaths
from pipeline.lake.place import BucketUrl
from pipeline.raw.files import is_file

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    import pyarrow as pa
    import pyarrow.compute as pc

    from pipeline.lake.sums import Sums

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lake(LakePaths):
    """One site's lake. Making the object touches nothing."""

    place: Path | BucketUrl

    @cached_property
    def store(self) -> Folder:
        """What it lies in."""
        if isinstance(self.place, Path):
            return Folder(self.place)
        from pipeline.lake.bucket import open_bucket  # noqa: PLC0415 few lakes are there

        return open_bucket(self.place)

    @property
    def root(self) -> Path:
        """The folder in which this machine's commands find its files."""
        return self.store.root

    @property
    def name(self) -> str:
        """What messages call it: where it lies."""
        return self.store.name

    def files(
        self,
        are_asked: Callable[[Sums], bool] = lambda _: True,
        which: pc.Expression | None = None,
    ) -> list[FileRecord]:
        """The accounting of raw files whose hits are in the lake, by file key.

        Args:
            are_asked: whether files that come to this are to be read.
            which: only those of which this is true.
        """
        from pipeline.lake.record_rows import to_records  # noqa: PLC0415 loads Arrow
        from pipeline.lake.sheets import SCHEMA  # noqa: PLC0415 it, too

        its = to_records(self.records(SCHEMA.names, None, are_asked, which))
        # Of two sheets between which days were just divided, both may have a record.
        found = {record.file_key: record for record in its}
        return [record for _, record in sorted(found.items())]

    def records(
        self,
        columns: Sequence[str],
        sources: Collection[str] | None = None,
        are_asked: Callable[[Sums], bool] = lambda _: True,
        which: pc.Expression | None = None,
    ) -> pa.Table:
        """Some columns of the accounting of every raw file whose hits are in the lake.

        Args:
            columns: of ``tables.FILES``.
            sources: theirs only.
            are_asked: whether files that come to this are to be read.
            which: only those of which this is true; of ``columns``.
        """
        from pipeline.lake.records import live_records  # noqa: PLC0415 loads Arrow

        return live_records(self.ledger, columns, sources, are_asked, which)

    def records_of(self, days: AbstractSet[str], columns: Sequence[str]) -> pa.Table:
        """The same (``days`` among the columns) of those that gave hits to some days (ISO)."""
        from pipeline.lake.records import choose_days  # noqa: PLC0415 loads Arrow

        found = self.records(columns, are_asked=lambda sums: not days.isdisjoint(sums.days))
        return choose_days(found, days)

    def sums(self) -> list[Sums]:
        """What that of all of them comes to: a part of a source's at a time."""
        from pipeline.lake.records import list_sums  # noqa: PLC0415 loads Arrow

        return list_sums(self.ledger)

    def all_files(self) -> list[FileRecord]:
        """The same, and that of raw files that grew into others, or were forgotten."""
        from pipeline.lake.records import list_records  # noqa: PLC0415 loads Arrow

        return list_records(self.ledger)

    def find_all(self, file_keys: Iterable[str]) -> dict[str, FileRecord]:
        """The accounting of several raw files, by key, as far as the lake knows them."""
        from pipeline.lake.records import find_records  # noqa: PLC0415 loads Arrow

        return find_records(self.ledger, file_keys)

    def find(self, file_key: str) -> FileRecord | None:
        """The accounting of one raw file: in the lake, replaced or forgotten."""
        return self.find_all([file_key]).get(file_key)

    def find_seen(self, path: Path, stat: list[int] | None = None) -> FileRecord | None:
        """What is known of a raw file that has not changed since it was read, unread again.

        ``stat``: of the file now, when it is elsewhere; else a fetched one that is gone was read.
        """
        key = self._key_seen(path, self._seen_of([path]).get(quoted(path), []), stat)
        return self.find(key) if key else None

    def _key_seen(
        self, path: Path, seen: list[tuple[Seen, str]], stat: list[int] | None
    ) -> str | None:
        try:
            now = stat or stat_of(path)
        except OSError:  # gone, or out of reach
            return seen[-1][1] if seen and path.is_relative_to(self.fetched) else None
        return next((key for one, key in reversed(seen) if one.stat == now), None)

    def _seen_of(self, paths: Iterable[Path]) -> Mapping[str, list[tuple[Seen, str]]]:
        from pipeline.lake.readings import list_seen  # noqa: PLC0415 loads Arrow

        return list_seen(self.ledger, set(quote_all(paths)))

    def raw_paths(self, paths: Collection[str]) -> dict[str, list[tuple[Path, list[int]]]]:
        """At which of some paths (``quoted``) a file is still, with its ``stat`` when it was read.

        By the file key of what was read there last.
        """
        from pipeline.lake.readings import list_seen  # noqa: PLC0415 loads Arrow

        found: dict[str, list[tuple[Path, list[int]]]] = {}
        for _, its in sorted(list_seen(self.ledger, paths).items()):
            seen, key = its[-1]
            if is_file(seen.raw):
                found.setdefault(key, []).append((seen.raw, seen.stat))
        return found

    def identity(self) -> dict[str, str]:
        """Time zone and key fingerprint the lake was made with; empty for a new lake.

        Raises:
            LakeError: one of them is missing.
        """
        self.store.freshen()
        known = read_json(self.ledger / "lake.json")
        if known and not known.keys() >= {"timezone", "visitor_key"}:
            raise LakeError(
                f"lake {self.name}: ledger/lake.json is damaged, it lacks what it is for"
            )
        return known

    def is_simulated(self) -> bool:
        """Whether it holds the demo's data; one made before it said so lies beside the mark."""
        return "simulated" in self.identity() or self._is_beside_mark()

    def _is_beside_mark(self) -> bool:
        return (self.root.resolve().parent / DEMO_MARK).exists()

    def sealed(self) -> set[str]:
        """Days (ISO) whose figures stand: what they were counted from is deleted, or will be."""
        return set(read_json(self.ledger / "sealed.json"))

    def seal(self, days: Iterable[str], at: str) -> None:
        """Seal days for good at an instant; those sealed before keep theirs.

        The caller holds the locks ``build`` and ``commit``.
        """
        known = read_json(self.ledger / "sealed.json")
        now = {day: {"sealed_at": at} for day in days} | known
        self.put_json(self.ledger / "sealed.json", now)

    def claim(self, timezone: str, key_fingerprint: str) -> None:
        """Make the lake this zone's and key's, or refuse when it is another's.

        A new one beside the demo's mark is simulated for good, wherever it is moved.

        Raises:
            LakeError: it was made with another time zone or another key, or can't be written.
        """
        self.store.claim()
        wanted = {"timezone": timezone, "visitor_key": key_fingerprint}
        if self._is_beside_mark():
            wanted["simulated"] = "by the demo"
        known = self.identity()  # what it is never changes: who may only read needs no lock
        if not known:
            with self.lock():
                known = self.identity()
                if not known:
                    self.put_json(self.ledger / "lake.json", known := wanted)
        if known["timezone"] != timezone:
            raise LakeError(
                f"lake {self.name} was made for time zone {known['timezone']}, not {timezone}:"
                " set that zone, or use another lake"
            )
        if known["visitor_key"] != key_fingerprint:
            raise LakeError(
                f"lake {self.name} was made with another visitor key (fingerprint"
                f" {known['visitor_key']}): set visitor_key_file to the file of that key (the"
                " demo's is visitor.key beside its lake), or use another lake"
            )

    @contextmanager
    def lock(self, name: str = "commit") -> Iterator[None]:
        """Hold one of the lake's locks across processes; it ends with the process.

        Whoever holds ``commit`` finds every change finished, and the ledger as this version has it.
        """
        with self.store.lock(name):
            if name == "commit":
                self._renew_ledger()
            yield

    def _renew_ledger(self) -> None:
        """Write the records of an earlier version's ledger as this one does; once."""
        if not has_old(self.ledger):
            return
        from pipeline.lake.left_out import take_over  # noqa: PLC0415 it knows lakes
        from pipeline.lake.records import put_records  # noqa: PLC0415 loads Arrow
        from pipeline.lake.views import write_views  # noqa: PLC0415 it knows lakes

        records = read_old(self.ledger)
        log.warning(
            "the ledger of %s is written anew, %d raw files: earlier versions can't read it then",
            self.name, len(records),
        )  # fmt: skip
        with self.staging() as staging:
            moves = put_records(self.ledger, records, staging) + take_over(self, staging)
            moves += [Move(None, path) for path in list_old(self.ledger)]
            self.exchange(with_digests(self.root, moves), lambda: write_views(self))

    def hold(self, name: str = "commit") -> AbstractContextManager[None]:
        """Keep others from changing what a lock guards; where one may only read, too.

        Raises:
            LakeError: a change was interrupted, which who may only read can't finish.
        """
        return self.store.hold(name)

    def staging(self) -> AbstractContextManager[Path]:
        """A folder of this process on the lake's disk; it and abandoned ones are removed."""
        return self.store.staging()

    def commit(
        self,
        moves: Sequence[Move],
        records: Iterable[FileRecord] = (),
        read: Mapping[Path, tuple[Sequence[int], str]] = MappingProxyType({}),
    ) -> None:
        """Change what the lake has of raw files, as one; the caller holds ``commit``.

        Args:
            moves: of files beside the records.
            records: as they will be.
            read: raw files that were read, with their ``stat`` then and file key; they are left
                out no longer.
        """
        from pipeline.lake.left_out import strike_out  # noqa: PLC0415 it knows lakes
        from pipeline.lake.records import put_records, with_seen  # noqa: PLC0415 loads Arrow

        with self.staging() as staging:
            changed = {record.file_key: record for record in records}
            read_ns = time.time_ns()
            known = self.find_all({key for _, key in read.values()} - changed.keys()) | changed
            before = self._seen_of(read)
            for path, (stat, key) in read.items():
                seen = Seen(quoted(path), stat[0], stat[1], read_ns)
                was = [one for one in known[key].seen if one.path == seen.path]
                last = before.get(seen.path, [None])[-1]  # none of a path given in two ways
                if was and was[0].stat == seen.stat and last == (was[0], key):
                    continue  # the same there as the last time
                known[key] = changed[key] = with_seen(known[key], seen)
            all_moves = [
                *moves,
                *put_records(self.ledger, changed.values(), staging),
                *strike_out(self, read, staging),
            ]
            if all_moves:
                self.exchange(with_digests(self.root, all_moves))

    def exchange(self, moves: Sequence[Move], then: Callable[[], None] = lambda: None) -> None:
        """Do a change as one, and ``then`` what readers must not see undone.

        The caller holds ``commit``, and does not read as ``reading`` does.
        """
        self.store.commit(moves, then)

    def reading(self) -> AbstractContextManager[None]:
        """Keep the lake in one state while it is read; not to be nested, nor to wait in.

        Raises:
            LakeError: a process died in the midst of a change, and this one may not finish it.
        """
        return self.store.reading()

    def put_json(self, path: Path, content: Mapping[str, Any] | None) -> None:
        """Write one file of the ledger, or remove it; the caller holds ``commit``."""
        self.store.put_json(path, content)

    def delete(self, paths: Iterable[Path]) -> None:
        """Delete files for good, those of a folder at one stroke; the caller holds ``commit``."""
        self.store.delete(paths)

    def note_next(self, name: str, target: Path, draft: Path) -> None:
        """Note the digest of what is about to become ``target``; the caller holds a lock."""
        path = self.digests_path(name)
        place = target.relative_to(self.root).as_posix()
        write_json(path, with_latest(read_json(path), place, digest_of(draft)))

    def recover(self) -> None:
        """Finish a change that another process left, before reading."""
        self.store.recover()
