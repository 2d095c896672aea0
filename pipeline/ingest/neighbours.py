"""The lake's raw files that a file may share lines with, by their times, and these files' lines."""

from collections.abc import Callable, Iterable, Sequence

from pipeline.ingest.contained import Hashes
from pipeline.ingest.overlaps import Lines
from pipeline.ingest.partners import find_partners
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.packs import MOST_BYTES
from pipeline.lake.records import list_near

_EVER = "9"
"""Later than any time, as texts."""
Relation = Callable[[FileRecord, FileRecord], bool]
"""Whether a file, the first, may share lines with another in some way, going by the records."""


class Neighbours:
    """The lake's files that are near those that come or go, as they will be; read when asked for.

    A day of a site may have thousands of files: their lines are read when their records do not
    rule out that they share any.
    """

    def __init__(self, lake: Lake, read_hashes: Callable[[FileRecord], Hashes | None]) -> None:
        """Take how a file's line hashes are read; None where retention has deleted them."""
        self.live: dict[str, FileRecord] = {}
        """Those at hand that are in the lake, by key."""
        self._ledger, self._read_hashes = lake.ledger, read_hashes
        self._known: set[str] = set()
        """The keys of those of the lake's records that were looked at."""
        self._span: tuple[str, str] | None = None
        """The times whose files are at hand."""
        self._lines: dict[str, Lines | None] = {}
        self._partners: dict[str, set[str]] = {}

    def expect(self, news: Sequence[tuple[FileRecord, Lines]], least_lines: int) -> None:
        """Find out at once which of many small files that come may share lines with others."""
        records = [record for record, _ in news]
        times = [at for record in records for at in (record.first_at, record.last_at) if at]
        is_any_timeless = len(times) < 2 * len(records)
        first_at, last_at = min(times, default=""), max(times, default=_EVER)
        self._load_span("" if is_any_timeless else first_at, _EVER if is_any_timeless else last_at)
        near = [
            key
            for key, record in self.live.items()
            if is_any_timeless or _meets(record, first_at, last_at)
        ]
        lines = {key: its for key in near if (its := self.lines_of(key))}
        small = {key: lines[key] for key in lines if self.live[key].content_bytes <= MOST_BYTES}
        small |= {record.file_key: its for record, its in news}
        large = lines.keys() - small.keys()
        keys = [record.file_key for record in records]
        found = find_partners(small, keys, least_lines)
        self._partners |= {key: partners | large for key, partners in found.items()}

    def have(self, record: FileRecord, lines: Lines) -> None:
        """Know the lines of a file that comes."""
        self._lines[record.file_key] = lines

    def candidates(self, record: FileRecord) -> Iterable[str]:
        """The keys of files that may share lines with a file, for all that is known so far."""
        if record.file_key in self._partners:
            return self._partners[record.file_key]
        self.load(record)
        return list(self.live)

    def load(self, record: FileRecord) -> None:
        """Have those at hand that a file may share lines with."""
        self._load_span(record.first_at or "", record.last_at or _EVER)

    def load_all(self) -> None:
        """Have all of the lake's files at hand."""
        self.load_between(None, None)

    def load_between(self, first_at: str | None, last_at: str | None) -> dict[str, FileRecord]:
        """Have those at hand whose hits' times meet a span (all where it is None), by key."""
        self._load_span(first_at or "", last_at or _EVER)
        return self.live

    def _load_span(self, first_at: str, last_at: str) -> None:
        """Have those at hand whose hits' times meet a span, and those that have none."""
        if self._span:
            first_at, last_at = min(first_at, self._span[0]), max(last_at, self._span[1])
        if self._span == (first_at, last_at):
            return
        span = (first_at, last_at) if first_at and last_at < _EVER else (None, None)
        for record in list_near(self._ledger, *span):
            if record.file_key not in self._known:
                self._known.add(record.file_key)
                self.live[record.file_key] = record
        self._span = first_at, last_at

    def choose(self, record: FileRecord, is_one: Relation, keys: Iterable[str]) -> list[str]:
        """Those of some keys whose files stand in a relation to a file, in their order.

        Not those of which retention has deleted everything.
        """
        return sorted(
            key
            for key in keys
            if key != record.file_key
            and (other := self.live.get(key))
            and is_one(record, other)
            and self.lines_of(key)
        )

    def lines_of(self, file_key: str) -> Lines | None:
        """A file's lines; None when retention has deleted everything of it."""
        if file_key not in self._lines:
            record = self.live[file_key]
            hashes = self._read_hashes(record)
            self._lines[file_key] = None if hashes is None else with_lines(record, hashes)
        return self._lines[file_key]

    def known_lines(self, file_key: str) -> Lines:
        """The lines of a file that ``choose`` gave."""
        lines = self.lines_of(file_key)
        assert lines is not None
        return lines


def with_lines(record: FileRecord, hashes: Hashes) -> Lines:
    """What overlaps are found by, of a raw file."""
    return Lines(
        hashes, record.tail_bytes, is_damaged=record.damage is not None,
        hits=sum(share.hits for share in record.read_days.values()),
        others=record.directives + record.blank,
    )  # fmt: skip


def are_near(one: FileRecord, other: FileRecord) -> bool:
    """Whether two files are of one source and their hits' times meet; those without hits may."""
    return one.source == other.source and _meet(one, other)


def is_near_and_earlier(record: FileRecord, other: FileRecord) -> bool:
    """Whether another is near, and has the lesser key: of two files one asks for both."""
    return other.file_key < record.file_key and are_near(record, other)


def is_another_and_earlier(record: FileRecord, other: FileRecord) -> bool:
    """Whether another source's file of the lesser key may have all lines, or the other way."""
    return other.file_key < record.file_key and may_hold_all(record, other)


def _meet(one: FileRecord, other: FileRecord) -> bool:
    return not (one.first_at and one.last_at) or _meets(other, one.first_at, one.last_at)


def _meets(record: FileRecord, first_at: str, last_at: str) -> bool:
    if not (record.first_at and record.last_at):
        return True
    return record.first_at <= last_at and first_at <= record.last_at


def may_hold_all(one: FileRecord, other: FileRecord) -> bool:
    """Whether one of two sources' files may have all lines of the other, going by the records.

    Of what is the same by its content whatever zone it was read in. Told without a look at the
    lines: a day of a site may have thousands of files.
    """
    if one.source == other.source:
        return False
    if one.sha256 == other.sha256:
        return True
    less, more = sorted((one, other), key=lambda record: record.lines)
    if not (less.first_at and less.last_at and more.first_at and more.last_at):
        return True
    theirs = more.read_days
    return (
        more.first_at <= less.first_at
        and less.last_at <= more.last_at
        and all(
            day in theirs and share.hits <= theirs[day].hits
            for day, share in less.read_days.items()
        )
    )
