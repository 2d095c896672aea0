"""Some raw files, and what is found out about them: whose they are, and of which days.

Their beginnings are read, and where that does not tell, all of them (``file_days``). What is known
of files that are not taken in is noted (``left_out``), so that it is found once, and that their
days are known to lack them.
"""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from pipeline.errors import StoreError
from pipeline.ingest.batches import look_together
from pipeline.ingest.deduplication import is_renamable
from pipeline.ingest.file_days import UNREADABLE, FileDays, look_at_beginning, look_through
from pipeline.ingest.of_a_day import part_by_day
from pipeline.ingest.source_names import Namer
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, key_of, quoted, stat_of
from pipeline.lake.left_out import note_file, read_notes, write_notes
from pipeline.raw.files import LeftOut, Origin, RawFiles, is_file
from pipeline.raw.naming import day_in_name
from pipeline.raw.opening import ReadLimits
from pipeline.text import keep, keep_clause, printable

_NOT_YET = keep_clause("{files} not taken in yet")
_UNREADABLE = keep_clause("{files} cannot be read")


@dataclass(frozen=True)
class RawLog:
    """One raw file of a source, and what the lake has of it already."""

    path: Path
    origin: Origin
    found: FileDays
    """The days that it has lines of."""
    day_in_name: date | None
    """Stands in where no line tells."""
    known: FileRecord | None
    stat: tuple[int, ...] = ()
    was_seen: bool = False
    """Whether it was read before, whatever it held then."""
    next_day: date | None = None
    """The first day of the next file of its source that matters; None for the last one."""

    @property
    def first_day(self) -> date | None:
        """The local day of its earliest hit; None when neither its lines nor its name tell."""
        return min(self.found.days, default=self.day_in_name)

    def begins_by(self, day: date) -> bool:
        """Whether it has hits of ``day`` or of earlier days, or nobody knows."""
        return self.first_day is None or self.first_day <= day

    def is_of(self, day: date) -> bool:
        """Whether it has hits of ``day``, or nobody knows."""
        return day in self.found.days if self.found.days else self.day_in_name in {day, None}

    def leads_to(self, day: date) -> bool:
        """Whether it is its source's last one that begins by ``day``.

        Sessions that begin before midnight are told from those of ``day`` by its end.
        """
        return self.begins_by(day) and (self.next_day is None or self.next_day >= day)

    def tells_of(self, day: date) -> bool:
        """Whether its hits begin by ``day`` and go on to it, or nobody could read it yet."""
        if self.found.days:
            return min(self.found.days) <= day <= max(self.found.days)
        return self.day_in_name == day or (self.day_in_name is None and not self.known)


class Listed(NamedTuple):
    """The raw files that matter to a day."""

    logs: list[RawLog]
    """By source and time."""
    others: int
    """How many more the lake knows."""
    span: tuple[date, ...]
    """Their least and their greatest first day; empty where none has one."""


class RawLogs:
    """What is known of a folder's raw files, and what is found out about them."""

    def __init__(self, lake: Lake, raw_files: RawFiles, zone: ZoneInfo, limits: ReadLimits) -> None:
        """Make nothing of the files yet."""
        self._lake, self._raw_files = lake, raw_files
        self._zone, self._limits = zone, limits
        self._names = Namer(lake)
        self._notes = read_notes(lake)
        self._elsewhere: dict[Path, FileRecord] = {}
        """Of files that were looked through at once, those of which the lake has the content."""

    def list_logs(self, day: date, *, is_outdated: bool = False) -> Listed:
        """Those that matter to a day; of those that the lake lacks the beginning is read.

        ``is_outdated``: see ``part_by_day``.
        """
        of_day = part_by_day(self._lake, self._raw_files, day, self._names, is_outdated=is_outdated)
        files, known = of_day.files, of_day.known
        origins = {path: self._origin_of(path) for path in files}
        new = [
            (path, origins[path])
            for path in files
            if path not in known and not self._recall(path, _stat(path) or (), origins[path])
        ]
        looked = look_together(new, self._zone, self._limits)
        keys = {p: key_of(origins[p].source, str(its.sha256)) for p, its in looked.items()}
        there = self._lake.find_all(keys.values())
        self._elsewhere = {path: there[key] for path, key in keys.items() if key in there}
        logs = [
            self._look_at(
                path, origins[path], known.get(path), looked, was_seen=path in of_day.read
            )
            for path in files
        ]
        logs.sort(key=lambda raw: (raw.origin.source, raw.first_day or date.min, raw.path.name))
        by_source = groupby(logs, lambda raw: raw.origin.source)
        placed = [one for _, its in by_source for one in _with_next(its)]
        return Listed(placed, of_day.others, of_day.span)

    def _origin_of(self, path: Path) -> Origin:
        origin = self._raw_files.origins.get(os.fspath(path))
        return origin or self._names.origin(path, self._raw_files.layout)

    def look_through(self, raw: RawLog) -> RawLog:
        """Read all of a file, unless all of its days are known; the lake may have its content."""
        known = self._elsewhere.get(raw.path)
        if raw.known or (raw.found.is_whole and not known):
            return raw
        found = raw.found
        if not known:
            found = self._find(look_through, raw.path, raw.origin)
            known = self._lake.find(key_of(raw.origin.source, str(found.sha256)))
        if known:
            with self._lake.lock():
                self._lake.commit([], read={raw.path: (raw.stat, known.file_key)})
        return replace(raw, found=found, known=known)

    def note(
        self,
        day: date,
        logs: Iterable[RawLog],
        reasons: Mapping[Path, str],
        taken: Collection[Path] = (),
    ) -> None:
        """Write down what is not in the lake, and strike out what is gone.

        Args:
            day: that the run is about; stands for the days of what nobody can read.
            logs: the files that matter to the day.
            reasons: of those that are not taken in; of the others that is to come.
            taken: those that the run takes in now: that one struck them out is no news.
        """
        looked = [raw if raw.path in taken else self.look_through(raw) for raw in logs]
        left = [self._write(raw, day, reasons) for raw in looked if not raw.known]
        left += [
            note_file(path, self._names.of(path), {day_in_name(path.name) or day}, why)
            for path, why in self._raw_files.refused
            if is_file(path)  # behind a link: a pipe or a device has no lines
        ]
        left += [_note_store(error, day) for error in self._raw_files.unreached]
        left += [self._recall_note(note) for note in self._raw_files.passed_over]
        listed = {note.path for note in left}
        left = [note for note in left if note.days]
        kept = {note.path for note in left}
        old = [note for note in read_notes(self._lake).values() if note.path not in kept]
        names = {note.name for note in old}
        like = [p for p in self._raw_files.files if printable(p.name) in names] if names else []
        copies, there = {(printable(p.name), _stat(p)) for p in like}, set(map(quoted, like))
        gone = [
            note
            for note in old
            # A copy of it is read instead: its folder, and the lake's, were moved or copied.
            if (note.name, note.stat) in copies or self._is_gone(note, day, there | listed)
        ]
        write_notes(self._lake, left, gone)

    def _is_gone(self, note: LeftOut, day: date, listed: Collection[str]) -> bool:
        """Whether a note is of what is not left out any more."""
        if note.is_store:
            return str(day) in note.days
        if note.path in listed:
            return True  # it is in the lake, or has no lines
        if note.raw.is_relative_to(self._lake.fetched):
            near = {str(day + timedelta(days=n)) for n in (-1, 0, 1)}
            return not self._raw_files.unreached and not near.isdisjoint(note.days)
        return not os.path.lexists(note.raw)

    def _write(self, raw: RawLog, day: date, reasons: Mapping[Path, str]) -> LeftOut:
        days, found = raw.found.days, raw.found
        if not found.is_readable:
            days = frozenset({raw.day_in_name or day})
        return LeftOut(
            quoted(raw.path), printable(raw.path.name), raw.origin.source,
            tuple(sorted(map(str, days))), found.is_whole,
            reasons.get(raw.path, _NOT_YET if found.is_readable else _UNREADABLE),
            raw.stat if found.is_readable else (), self._read_as(raw.origin),
        )  # fmt: skip

    def _read_as(self, origin: Origin) -> tuple[str | None, ...]:
        return (self._zone.key, origin.layout, origin.timezone)

    def _look_at(
        self,
        path: Path,
        origin: Origin,
        known: FileRecord | None,
        looked: Mapping[Path, FileDays],
        *,
        was_seen: bool,
    ) -> RawLog:
        lake = self._lake
        # One that is gone by now or out of reach is reported when its turn comes.
        stat = (_stat(path) or ()) if not known else ()
        if known and self._is_given_otherwise(known, path, origin) and is_renamable(known, lake):
            known, stat = None, tuple(stat_of(path))
        if known:
            days = map(date.fromisoformat, known.days)
            found = FileDays(frozenset(days), is_whole=True)
        elif not stat:
            found = UNREADABLE
        else:
            told = looked.get(path) or self._recall(path, stat, origin)
            found = told or self._find(look_at_beginning, path, origin)
        return RawLog(path, origin, found, day_in_name(path.name), known, stat, was_seen=was_seen)

    def _is_given_otherwise(self, known: FileRecord, path: Path, origin: Origin) -> bool:
        """Whether settings say of a file that it is another source's than the lake's."""
        return origin.source not in {known.source, self._names.of(path)}

    def list_others(self, logs: Iterable[RawLog]) -> Iterator[tuple[Path, str]]:
        """Files that stay another source's than settings say, and what to do about it."""
        for raw in logs:
            known = raw.known
            if known and self._is_given_otherwise(known, raw.path, raw.origin):
                name = raw.origin.source
                if known.forgotten_at:
                    why = (
                        f"was forgotten as {known.file_key}: `tidegauge ingest {name}` takes it in"
                    )
                else:
                    why = f"is {known.file_key} in the lake, not read as {name}: forget it there,"
                    why += f" then `tidegauge ingest {name}`"
                yield raw.path, why

    def _recall(self, path: Path, stat: tuple[int, ...], origin: Origin) -> FileDays | None:
        """What an earlier run found out about a file that has not changed since."""
        note = self._notes.get(quoted(path))
        if not note or note.stat != stat or note.read_as != self._read_as(origin):
            return None
        return FileDays(frozenset(map(date.fromisoformat, note.days)), note.is_whole)

    def _recall_note(self, passed_over: LeftOut) -> LeftOut:
        """The note of a file whose days its name says, or those that a run of them has found."""
        note = self._notes.get(passed_over.path)
        is_same = note and note.stat and note.stat == passed_over.stat
        return note if note and is_same and note.read_as else passed_over

    def _find(
        self,
        look: Callable[[Path, ZoneInfo, Origin, ReadLimits], FileDays],
        path: Path,
        origin: Origin,
    ) -> FileDays:
        return look(path, self._zone, origin, self._limits)


def _stat(path: Path) -> tuple[int, ...] | None:
    try:
        return tuple(stat_of(path))
    except OSError:
        return None


def _note_store(error: StoreError, day: date) -> LeftOut:
    source = error.key.removeprefix("source.").removesuffix(".url")
    path = f"store:{error.key} {day}"
    name, why = keep("its store"), keep_clause("{files} was out of reach")
    return LeftOut(path, name, source, (str(day),), is_whole=True, why=why)


def _with_next(logs: Iterable[RawLog]) -> Iterator[RawLog]:
    for raw, following in pairwise([*logs, None]):
        if raw:
            yield replace(raw, next_day=following.first_day if following else None)
