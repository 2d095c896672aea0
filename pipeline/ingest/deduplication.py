"""Which lines of a source's raw files count: the later copy of what two of them share does not.

Of what two sources share both count, but for a file whose source was told by its name and then
given: it is the given one's alone.

The one place that turns what ``overlaps`` finds into files of the lake. What a source's hits come
to is a function of the set of its raw files: the order they come in, or leave in, does not matter.
A file's whole hits are kept in the ledger while some of them are dropped, so that they come back
when the other file goes.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pipeline.ingest.contained import Hashes
from pipeline.ingest.filing import REJECTS, Filing, Piece
from pipeline.ingest.overlaps import (
    NO_OVERLAP,
    Lines,
    Overlap,
    find_flood,
    find_overlap,
    find_repeats,
    find_shared,
    is_earlier,
    is_sent_whole,
    largest_overlap,
)
from pipeline.ingest.partners import find_partners
from pipeline.ingest.placing import place_hits
from pipeline.ingest.seen import find_raws
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.lake.packs import MOST_BYTES
from pipeline.lake.records import list_near
from pipeline.raw.content import read_content
from pipeline.raw.naming import read_name
from pipeline.raw.opening import NO_LIMITS

_EVER = "9"
"""Later than any time, as texts."""


@dataclass(frozen=True)
class OverlapRules:
    """The settings: how many different lines are an overlap, and whether its copy is dropped."""

    least_lines: int = 20
    drops: bool = True


@dataclass(frozen=True)
class NewFile:
    """A raw file that was read and is not in the lake yet."""

    record: FileRecord
    lines: Lines
    hits: Mapping[str, Piece]
    """All its hits, by local day; files of them lie in a staging folder."""
    rejects: Piece | None
    raw: Path
    stat: tuple[int, int]
    """Of the raw file when it was opened."""


class SourceFiles:
    """The lake's raw files, and what becomes of them when others of a source come and go.

    The caller holds the lake's commit lock from before the making until the change is done.
    """

    def __init__(self, lake: Lake, rules: OverlapRules, staging: Path) -> None:
        """Read the lake's records; files made on the way go into ``staging``."""
        self._lake = lake
        self._rules = rules
        self._filing = Filing(lake, staging)
        self._known: set[str] = set()
        """The keys of those of the lake's records that were looked at."""
        self._live: dict[str, FileRecord] = {}
        """Those of them that are in the lake, as they will be."""
        self._loaded: tuple[str, str] | None = None
        self._found: dict[str, FileRecord | None] = {}
        """What the lake knows of files that come."""
        self._lines: dict[str, Lines | None] = {}
        self._partners: dict[str, set[str]] = {}
        self.changed: dict[str, FileRecord] = {}
        """The records that are to be written, by key."""

    def moves(self) -> list[Move]:
        """The change of files beside the records that all of it comes to."""
        return self._filing.moves()

    def expect(self, news: Sequence[NewFile]) -> None:
        """Find out at once which of many small files that come may share lines with others."""
        records = [new.record for new in news]
        times = [at for record in records for at in (record.first_at, record.last_at) if at]
        is_any_timeless = len(times) < 2 * len(records)
        first_at, last_at = min(times, default=""), max(times, default=_EVER)
        self._load_span("" if is_any_timeless else first_at, _EVER if is_any_timeless else last_at)
        near = [
            key
            for key, record in self._live.items()
            if is_any_timeless or _meets(record, first_at, last_at)
        ]
        lines = {key: its for key in near if (its := self._lines_of(key))}
        small = {key: lines[key] for key in lines if self._live[key].content_bytes <= MOST_BYTES}
        small |= {new.record.file_key: new.lines for new in news}
        large = lines.keys() - small.keys()
        keys = [record.file_key for record in records]
        self._found = dict.fromkeys(keys) | self._lake.find_all(keys)
        found = find_partners(small, keys, self._rules.least_lines)
        self._partners |= {key: partners | large for key, partners in found.items()}

    def add(self, new: NewFile, instead_of: str | None = None) -> FileRecord:
        """Take a file in, in place of those it has all of; or note that another has all of it.

        It has all of an earlier state of itself, of a damaged archive of itself, and of itself as
        it was called by its name alone. ``instead_of``: the key of itself under another source.
        """
        key = new.record.file_key
        self._load(new.record)
        if key not in self._found:
            self._found[key] = self._lake.find(key)
        old = self._live.pop(key, None) or self._found[key]
        self._lines[key] = new.lines
        near, others = self._near(new.record), self._others(new.record)
        later = [k for k in near if self._is_in(new.record, k, None)]
        later += [k for k in others if self._is_named_in(new.record, self._live[k], None)]
        earlier = [k for k in near if not later and self._is_in(self._live[k], key, new.raw)]
        for k in list(others):
            if k == instead_of or self._is_named_in(self._live[k], new.record, new.raw):
                earlier.append(k)
                near += self._near(self._live[k])
                others += self._others(self._live[k])
        if old:
            self._filing.drop(old)
        for k in earlier:
            replaced = self._live.pop(k)
            self._filing.drop(replaced)
            self._change(replace(replaced, replaced_by=(later or [key])[0]))
        if later:
            self._change(replace(new.record, replaced_by=later[0]))
        else:
            self._live[key] = new.record
            near.append(key)
            self._filing.put_lines(new.record, new.lines.hashes)
            if new.rejects:
                day = str(new.record.rejects_day)
                self._filing.put(REJECTS, day, new.record, new.rejects)
        self._settle(near, others, {key, *earlier}, new)
        return self.changed[key]

    def forget(self, file_key: str, at: datetime) -> FileRecord:
        """Take a file's hits out; the lines that only it had of others' come back."""
        forgotten_at = at.isoformat(timespec="seconds")
        record = self._lake.find(file_key)
        assert record is not None  # it was just found
        self._load(record)
        record = replace(self._live.pop(file_key), forgotten_at=forgotten_at)
        near, others = self._near(record), self._others(record)
        self._filing.drop(record)
        self._change(record)
        self._settle(near, others, {file_key}, None)
        return record

    def settle_all(self, name: str) -> None:
        """Settle a source's files anew that retention has left something of: rules have changed."""
        self._load_span("", _EVER)
        kept = [
            key
            for key, record in sorted(self._live.items())
            if record.source == name and self._lines_of(key)
        ]
        self._settle(kept, [], set(kept), None)

    def _change(self, record: FileRecord) -> None:
        self.changed[record.file_key] = record

    def list_unsettled(self, name: str) -> Iterator[str]:
        """The days of a source's files that drop other lines by the rules of now, a day a file."""
        self._load_span("", _EVER)
        for key, record in sorted(self._live.items()):
            if record.source != name or not self._lines_of(key):
                continue  # another's, or retention has left nothing of it
            drops = self._overlap_of(record, {key}).lines if self._rules.drops else 0
            before = record.overlap_lines if record.whole_days else 0
            if drops != before:
                days = record.read_days.items()
                yield from (day for day, share in days if share.first_line <= max(drops, before))

    def _near(self, record: FileRecord) -> list[str]:
        """The source's other files whose hits' times meet the record's; those without hits may.

        Not those of which retention has deleted everything.
        """
        return self._list(record, _are_near, self._candidates(record))

    def _others(self, record: FileRecord) -> list[str]:
        """Files of other sources that may have all its lines, or it theirs."""
        return self._list(record, _may_hold_all, self._candidates(record))

    def _candidates(self, record: FileRecord) -> Iterable[str]:
        if record.file_key in self._partners:
            return self._partners[record.file_key]
        self._load(record)
        return list(self._live)

    def _load(self, record: FileRecord) -> None:
        """Have those at hand that a file may share lines with."""
        self._load_span(record.first_at or "", record.last_at or _EVER)

    def _load_span(self, first_at: str, last_at: str) -> None:
        """Have those at hand whose hits' times meet a span, and those that have none."""
        if self._loaded:
            first_at, last_at = min(first_at, self._loaded[0]), max(last_at, self._loaded[1])
        if self._loaded == (first_at, last_at):
            return
        span = (first_at, last_at) if first_at and last_at < _EVER else (None, None)
        for record in list_near(self._lake.ledger, *span):
            if record.file_key not in self._known:
                self._known.add(record.file_key)
                self._live[record.file_key] = record
        self._loaded = first_at, last_at

    def _list(
        self,
        record: FileRecord,
        is_one: Callable[[FileRecord, FileRecord], bool],
        keys: Iterable[str],
    ) -> list[str]:
        return sorted(
            key
            for key in keys
            if key != record.file_key
            and (other := self._live.get(key))
            and is_one(record, other)
            and self._lines_of(key)
        )

    def _lines_of(self, file_key: str) -> Lines | None:
        """A file's lines; None when retention has deleted everything of it."""
        if file_key not in self._lines:
            record = self._live[file_key]
            hashes = self._filing.lines_of(record)
            self._lines[file_key] = None if hashes is None else with_lines(record, hashes)
        return self._lines[file_key]

    def _known_lines(self, file_key: str) -> Lines:
        lines = self._lines_of(file_key)
        assert lines is not None  # as of whatever `_list` gives
        return lines

    def _is_named_in(self, record: FileRecord, other: FileRecord, raw: Path | None) -> bool:
        """Whether a file is another source's, which was given, but for what its name said.

        ``raw`` is the other's, when it lies elsewhere than where it was read.
        """
        return (
            record.source_by_name is True
            and other.source_by_name is False
            and read_name(record.name).server == read_name(other.name).server
            and is_renamable(record, self._lake)
            and (record.sha256 == other.sha256 or self._is_in(record, other.file_key, raw))
        )

    def _is_in(self, record: FileRecord, later: str, later_raw: Path | None) -> bool:
        """Whether another file has all of a file, where need be by that one's raw bytes."""
        lines, whole = self._known_lines(record.file_key), self._known_lines(later)
        if is_sent_whole(lines, whole, self._rules.least_lines):
            return True
        answer = is_earlier(lines, whole, self._rules.least_lines)
        if answer is not None:
            return answer
        raw = later_raw or find_raws(self._lake, [self._live[later]]).get(later)
        if raw:
            return _begins_with(raw, record)
        # The raw file is gone: so many equal lines and then a cut-off one are an earlier state.
        return len(lines.hashes) > self._rules.least_lines

    def _settle(
        self, keys: Iterable[str], others: Iterable[str], changed: set[str], new: NewFile | None
    ) -> None:
        """Find the overlaps of files anew, as far as ``changed`` files can have changed them.

        Of ``others``, which are of other sources, what they share with those.
        """
        for key in dict.fromkeys(keys):
            record = self._live.get(key)
            if record is None:  # just replaced
                continue
            overlap, flood = self._overlap_of(record, changed), self._flood_of(record, changed)
            repeats, shared = self._repeats_of(record, changed), self._shared_of(record, changed)
            drops = overlap.lines if self._rules.drops else 0
            fresh = new.hits if new and key == new.record.file_key else None
            settled = replace(
                place_hits(self._filing, record, drops, fresh or {}),
                overlap_lines=overlap.lines, overlap_with=overlap.file_key,
                flood_lines=flood.lines, flood_with=flood.file_key,
                repeat_lines=repeats.lines, repeat_with=repeats.file_key,
                shared_lines=shared.lines, shared_with=shared.file_key,
            )  # fmt: skip
            if fresh is not None or settled != record:
                self._live[key] = settled
                self._change(settled)
        for key in dict.fromkeys(others):
            record = self._live.get(key)
            shared = self._shared_of(record, changed) if record else NO_OVERLAP
            if record and shared != Overlap(record.shared_lines, record.shared_with):
                settled = replace(record, shared_lines=shared.lines, shared_with=shared.file_key)
                self._live[key] = settled
                self._change(settled)

    def _overlap_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        known = Overlap(record.overlap_lines, record.overlap_with)
        return self._find_largest(record, _are_near, changed, known, find_overlap)

    def _flood_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        known = Overlap(record.flood_lines, record.flood_with)
        return self._find_largest(record, _are_near, changed, known, find_flood)

    def _repeats_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        """Of two files, the later key's alone: the search is slow, and finds the same of both."""
        known = Overlap(record.repeat_lines, record.repeat_with)
        return self._find_largest(record, _is_near_and_earlier, changed, known, find_repeats)

    def _shared_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        """Of two files, the later key's alone."""
        known = Overlap(record.shared_lines, record.shared_with)
        return self._find_largest(record, _is_another_and_earlier, changed, known, find_shared)

    def _find_largest(
        self,
        record: FileRecord,
        is_one: Callable[[FileRecord, FileRecord], bool],
        changed: set[str],
        known: Overlap,
        find: Callable[[Lines, Lines, int], int],
    ) -> Overlap:
        key = record.file_key
        is_new = key in changed or known.file_key in changed
        its = self._list(record, is_one, self._candidates(record) if is_new else changed)
        known = NO_OVERLAP if is_new else known
        if not its:
            return known
        lines = {k: self._known_lines(k) for k in [key, *its]}
        found = largest_overlap(key, lines, self._rules.least_lines, find)
        return min(found, known, key=lambda overlap: (-overlap.lines, overlap.file_key or ""))


def with_lines(record: FileRecord, hashes: Hashes) -> Lines:
    """What overlaps are found by, of a raw file."""
    return Lines(
        hashes, record.tail_bytes, is_damaged=record.damage is not None,
        hits=sum(share.hits for share in record.read_days.values()),
        others=record.directives + record.blank,
    )  # fmt: skip


def _are_near(one: FileRecord, other: FileRecord) -> bool:
    return one.source == other.source and _meet(one, other)


def _is_near_and_earlier(record: FileRecord, other: FileRecord) -> bool:
    return other.file_key < record.file_key and _are_near(record, other)


def _is_another_and_earlier(record: FileRecord, other: FileRecord) -> bool:
    return other.file_key < record.file_key and _may_hold_all(record, other)


def _meet(one: FileRecord, other: FileRecord) -> bool:
    return not (one.first_at and one.last_at) or _meets(other, one.first_at, one.last_at)


def _meets(record: FileRecord, first_at: str, last_at: str) -> bool:
    if not (record.first_at and record.last_at):
        return True
    return record.first_at <= last_at and first_at <= record.last_at


def _may_hold_all(one: FileRecord, other: FileRecord) -> bool:
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


def is_renamable(record: FileRecord, lake: Lake) -> bool:
    """Whether a file is taken out when it comes again with a source that is given.

    Its source is by its name alone, its figures can change, and nobody was erased from it: it is
    never read again then.
    """
    is_open = lake.sealed().isdisjoint(record.read_days)
    return bool(record.source_by_name) and is_open and not record.erasures


def _begins_with(later: Path, earlier: FileRecord) -> bool:
    """Whether a raw file's content begins with all of an earlier one's."""
    digest, left = hashlib.sha256(), earlier.content_bytes
    for piece in read_content(later, NO_LIMITS):
        digest.update(piece[:left])
        left -= min(left, len(piece))
        if not left:
            break
    return not left and digest.hexdigest() == earlier.sha256


def say_flood(record: FileRecord) -> str:
    """Say which lines of a file may have been sent twice: equal ones are no evidence."""
    return (
        f"{record.flood_lines:,} lines in a row of {record.file_key} are also in"
        f" {record.flood_with}, but few of them are different: all count, twice if they were sent"
        " twice"
    )


def say_repeats(record: FileRecord) -> str:
    """Say which lines a file shares with another one: a copy may be damaged without a trace."""
    return (
        f"{record.repeat_lines:,} different lines of {record.file_key} are also in"
        f" {record.repeat_with}, among others, like a damaged copy's, or two servers' under one"
        " name: all count, twice if they were sent twice"
    )


def say_shared(record: FileRecord) -> str:
    """Say which lines a file shares with one of another source."""
    return (
        f"{record.shared_lines:,} lines of {record.file_key} are also in"
        f" {record.shared_with}, which has another source's name: all count, twice if the two are"
        " one server's log"
    )
