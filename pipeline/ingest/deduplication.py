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

from pipeline.ingest.filing import REJECTS, Filing, Piece
from pipeline.ingest.neighbours import (
    Neighbours,
    Relation,
    are_near,
    is_another_and_earlier,
    is_near_and_earlier,
    may_hold_all,
)
from pipeline.ingest.overlaps import (
    NO_OVERLAP,
    Lines,
    Overlap,
    find_flood,
    find_overlap,
    is_earlier,
    is_sent_whole,
    largest_overlap,
)
from pipeline.ingest.placing import place_hits
from pipeline.ingest.repeats import find_repeats, find_shared
from pipeline.ingest.seen import find_raws
from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.raw.content import read_content
from pipeline.raw.naming import read_name
from pipeline.raw.opening import NO_LIMITS
from pipeline.text import Kept, keep


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
        self._neighbours = Neighbours(lake, self._filing.lines_of)
        self._live = self._neighbours.live
        self._found: dict[str, FileRecord | None] = {}
        """What the lake knows of files that come."""
        self.changed: dict[str, FileRecord] = {}
        """The records that are to be written, by key."""

    def moves(self) -> list[Move]:
        """The change of files beside the records that all of it comes to."""
        return self._filing.moves()

    def expect(self, news: Sequence[NewFile]) -> None:
        """Find out at once which of many small files that come may share lines with others."""
        near = [(new.record, new.lines) for new in news]
        self._neighbours.expect(near, self._rules.least_lines)
        keys = [new.record.file_key for new in news]
        self._found = dict.fromkeys(keys) | self._lake.find_all(keys)

    def add(self, new: NewFile, instead_of: str | None = None) -> FileRecord:
        """Take a file in, in place of those it has all of; or note that another has all of it.

        It has all of an earlier state of itself, of a damaged archive of itself, and of itself as
        it was called by its name alone. ``instead_of``: the key of itself under another source.
        """
        key = new.record.file_key
        self._neighbours.load(new.record)
        if key not in self._found:
            self._found[key] = self._lake.find(key)
        old = self._live.pop(key, None) or self._found[key]
        self._neighbours.have(new.record, new.lines)
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
        self._neighbours.load(record)
        record = replace(self._live.pop(file_key), forgotten_at=forgotten_at)
        near, others = self._near(record), self._others(record)
        self._filing.drop(record)
        self._change(record)
        self._settle(near, others, {file_key}, None)
        return record

    def settle_all(self, name: str) -> None:
        """Settle a source's files anew that retention has left something of: rules have changed."""
        self._neighbours.load_all()
        kept = [
            key
            for key, record in sorted(self._live.items())
            if record.source == name and self._neighbours.lines_of(key)
        ]
        self._settle(kept, [], set(kept), None)

    def _change(self, record: FileRecord) -> None:
        self.changed[record.file_key] = record

    def list_unsettled(
        self, name: str, first_at: str | None, last_at: str | None
    ) -> Iterator[tuple[str, str]]:
        """Each file of a source, and day, that drops other lines by the rules of now.

        Of files whose hits' times meet a span (ISO 8601 in UTC) at least; of all where it is None.
        """
        live = self._neighbours.load_between(first_at, last_at)
        # Those without hits drop nothing of any day; and of some retention has left nothing.
        its = {k: one for k, one in sorted(live.items()) if one.source == name and one.read_days}
        lines = {key: known for key in its if (known := self._neighbours.lines_of(key))}
        small = [(its[key], lines[key]) for key in lines if its[key].is_packed]
        if small:
            self._neighbours.expect(small, self._rules.least_lines)
        for key in lines:
            record = its[key]
            drops = self._overlap_of(record, {key}).lines if self._rules.drops else 0
            before = record.overlap_lines if record.whole_days else 0
            if drops != before:
                days = record.read_days.items()
                yield from (
                    (key, day) for day, share in days if share.first_line <= max(drops, before)
                )

    def _near(self, record: FileRecord) -> list[str]:
        """The source's other files whose hits' times meet the record's; those without hits may.

        Not those of which retention has deleted everything.
        """
        return self._neighbours.choose(record, are_near, self._neighbours.candidates(record))

    def _others(self, record: FileRecord) -> list[str]:
        """Files of other sources that may have all its lines, or it theirs."""
        return self._neighbours.choose(record, may_hold_all, self._neighbours.candidates(record))

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
        lines, whole = (
            self._neighbours.known_lines(record.file_key),
            self._neighbours.known_lines(later),
        )
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
        return self._find_largest(record, are_near, changed, known, find_overlap)

    def _flood_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        known = Overlap(record.flood_lines, record.flood_with)
        return self._find_largest(record, are_near, changed, known, find_flood)

    def _repeats_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        """Of two files, the later key's alone: the search is slow, and finds the same of both."""
        known = Overlap(record.repeat_lines, record.repeat_with)
        return self._find_largest(record, is_near_and_earlier, changed, known, find_repeats)

    def _shared_of(self, record: FileRecord, changed: set[str]) -> Overlap:
        """Of two files, the later key's alone."""
        known = Overlap(record.shared_lines, record.shared_with)
        return self._find_largest(record, is_another_and_earlier, changed, known, find_shared)

    def _find_largest(
        self,
        record: FileRecord,
        is_one: Relation,
        changed: set[str],
        known: Overlap,
        find: Callable[[Lines, Lines, int], int],
    ) -> Overlap:
        key = record.file_key
        is_new = key in changed or known.file_key in changed
        its = self._neighbours.choose(
            record, is_one, self._neighbours.candidates(record) if is_new else changed
        )
        known = NO_OVERLAP if is_new else known
        if not its:
            return known
        lines = {k: self._neighbours.known_lines(k) for k in [key, *its]}
        found = largest_overlap(key, lines, self._rules.least_lines, find)
        return min(found, known, key=lambda overlap: (-overlap.lines, overlap.file_key or ""))


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


def say_flood(record: FileRecord) -> Kept:
    """Say which lines of a file may have been sent twice: equal ones are no evidence."""
    return keep(
        "{count} lines in a row of {file} are also in {other}, but few of them are different: all"
        " count, twice if they were sent twice",
        count=record.flood_lines, file=record.file_key, other=str(record.flood_with),
    )  # fmt: skip


def say_repeats(record: FileRecord) -> Kept:
    """Say which lines a file shares with another one: a copy may be damaged without a trace."""
    return keep(
        "{count} different lines of {file} are also in {other}, among others, like a damaged"
        " copy's, or two servers' under one name: all count, twice if they were sent twice",
        count=record.repeat_lines, file=record.file_key, other=str(record.repeat_with),
    )  # fmt: skip


def say_shared(record: FileRecord) -> Kept:
    """Say which lines a file shares with one of another source."""
    return keep(
        "{count} lines of {file} are also in {other}, which has another source's name: all count,"
        " twice if the two are one server's log",
        count=record.shared_lines, file=record.file_key, other=str(record.shared_with),
    )  # fmt: skip
