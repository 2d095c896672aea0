"""Proves a lake: all of it, or some days; writes nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipeline.build.batch import BuildSettings
from pipeline.build.build import shown_days
from pipeline.build.counted import list_lacking
from pipeline.build.summary import is_current
from pipeline.days import ONE_DAY
from pipeline.errors import LakeError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import NO_DAY, FileRecord
from pipeline.lake.left_out import list_missing
from pipeline.lake.packs import LINES
from pipeline.tables import REJECTS
from pipeline.verify.day_proof import ProvenDay
from pipeline.verify.findings import Finding, place_of_record
from pipeline.verify.lake_files import (
    check_beside,
    check_lines,
    check_record,
    check_rejects,
    find_strays,
    parts_by_file,
    place_of_lines,
    place_of_rejects,
)
from pipeline.verify.parquet import Packs, Shelf
from pipeline.verify.part_proof import FilePart, PartProof
from pipeline.verify.processes import prove_all, split_days
from pipeline.verify.recount import CountingRules
from pipeline.verify.side_files import (
    prove_restatements,
    prove_robots,
    prove_subdivisions,
    prove_views,
)
from pipeline.verify.snapshot import (
    ReadableLake,
    Snapshot,
    check_ledger,
    read_live,
    take_snapshot,
)
from pipeline.verify.whole_tables import WHOLE_TABLES, Inputs, check_bytes, prove_tables


@dataclass(frozen=True)
class Proof:
    """What came of it: what the figures were counted anew from, and what was found."""

    days: int
    """So many were counted anew."""
    files: int
    """Raw files with hits of those days."""
    hits: int
    """Of those days."""
    sealed: int
    """Days whose figures were compared by bytes alone, as hits of them may be deleted."""
    uncounted: int
    """Other days that were not counted anew: stale ones, and those whose hits are off."""
    findings: list[Finding]

    @property
    def off(self) -> list[Finding]:
        """What is off; notes of stale and sealed days are not."""
        return [finding for finding in self.findings if finding.is_off]


@dataclass(frozen=True)
class AskedDays:
    """The days to prove, both ends included; open where an end is None."""

    first: date | None = None
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        """Whether the day is to be proved."""
        return (self.first is None or day >= self.first) and (self.last is None or day <= self.last)

    @property
    def is_all(self) -> bool:
        """Whether it leaves no day out."""
        return self.first is None and self.last is None


def prove_lake(
    lake: Lake,
    settings: BuildSettings,
    span: AskedDays,
    processes: int = 2,
    on_days: Callable[[int, int], None] = lambda _done, _all: None,
) -> Proof:
    """Prove every file of the lake and every figure of the span's days.

    Holds the lock ``build`` throughout, so that no figure changes meanwhile, and ``commit`` while
    it reads the ledger; shares them where one may only read. What an ingest replaces after that is
    left to the next proof.
    """
    with lake.hold("build"):
        with lake.hold():
            lake.store.mend()
            snapshot, findings = _look(lake, settings)
        shelf = Shelf(lake.root, snapshot.digests)
        days = _list_days(snapshot)
        wanted = frozenset(day.day for day in days if day.day in span)
        rules = CountingRules(
            settings.timeout_minutes, settings.key.session_key, settings.drop_robotlike
        )
        parts: list[PartProof] = []
        counted: set[date] = set()
        for proof in prove_all(
            split_days(shelf, settings.zone.key, rules, days, wanted, processes)
        ):
            findings += proof.findings
            parts += proof.parts
            counted |= {proof.day} if proof.is_counted else set()
            on_days(1, len(wanted))
        findings += _prove_files(shelf, snapshot, parts, span)
        findings += _prove_rest(lake, shelf, snapshot, settings)
        findings += _note_days(lake, snapshot, wanted)
        with lake.hold():
            findings = _without_changed(lake.root, snapshot, findings)
    files = {part.file_key for day in days if day.day in counted for part in day.files}
    hits = sum(day.rows for day in days if day.day in counted)
    sealed = sum(str(day) in snapshot.sealed for day in wanted)
    uncounted = len(wanted) - sealed - len(counted)
    return Proof(len(counted), len(files), hits, sealed, uncounted, sorted(set(findings)))


def _look(lake: Lake, settings: BuildSettings) -> tuple[Snapshot, list[Finding]]:
    readable = ReadableLake(lake.root)  # each record is read once
    snapshot = take_snapshot(readable, settings)
    findings = [*check_ledger(readable, snapshot), *find_strays(snapshot)]
    findings += [Finding("store", *one) for one in lake.store.find_differences()]
    return snapshot, findings


def _list_days(snapshot: Snapshot) -> list[ProvenDay]:
    """Every day that has hits or figures, in order."""
    parts: dict[date, list[FilePart]] = {}
    for _, record in sorted(snapshot.records.items()):
        for day in record.days:
            parts.setdefault(date.fromisoformat(day), []).append(_part_of(record, day))
    stock = snapshot.stock
    known = {*parts, *(map(date.fromisoformat, stock.built) if stock else ())}
    return [_day_of(day, tuple(parts.get(day, ())), snapshot) for day in sorted(known)]


def _day_of(day: date, parts: tuple[FilePart, ...], snapshot: Snapshot) -> ProvenDay:
    stock = snapshot.stock
    records = [snapshot.records[part.file_key] for part in parts]
    is_sealed = str(day) in snapshot.sealed
    is_stale = stock is not None and day in stock.causes
    return ProvenDay(
        day,
        parts,
        geo_is_late=any(record.days[str(day)].geo_is_late for record in records),
        is_sealed=is_sealed,
        is_standing=is_sealed or (is_stale and stock is not None and day not in stock.stale),
        is_current=stock is not None and str(day) in stock.built and not is_stale,
    )


def _part_of(record: FileRecord, day: str) -> FilePart:
    share = record.days[day]
    dropped = record.overlap_lines if record.whole_days else 0
    return FilePart(
        record.file_key, record.stem, record.source, share.hits, share.first_line, record.lines,
        dropped, share.geo_built, record.addresses, record.proxies, record.networks,
    )  # fmt: skip


def _prove_files(
    shelf: Shelf, snapshot: Snapshot, parts: list[PartProof], span: AskedDays
) -> Iterator[Finding]:
    by_file = parts_by_file(parts)
    rejected = _packs(shelf, snapshot, REJECTS, place_of_rejects)
    lines = _packs(shelf, snapshot, LINES, place_of_lines)
    # Those that lie together one after the other.
    ordered = sorted(snapshot.records.items(), key=lambda one: (one[1].day, one[1].stem, one[0]))
    for key, record in ordered:
        if not span.is_all and not any(date.fromisoformat(day) in span for day in record.days):
            continue
        own = list(check_record(record))
        yield from own
        rejects = check_rejects(shelf, rejected, record, may_be_gone=_may_be_gone(record, snapshot))
        if isinstance(rejects, Finding):
            yield rejects
            rejects = None
        yield from check_beside(shelf, lines, record, snapshot.sealed)
        found = by_file.get(key, [])
        is_whole = len(found) == len(record.days) and not record.whole_days
        yield from check_lines(record, found, rejects, is_whole=is_whole)


def _packs(
    shelf: Shelf, snapshot: Snapshot, schema: pa.Schema, place_of: Callable[[FileRecord], str]
) -> Packs:
    keys = defaultdict(list)
    for key, record in sorted(snapshot.records.items()):
        if record.is_packed and (record.rejects_day or schema is not REJECTS):
            keys[place_of(record)].append(key)
    return Packs(shelf, schema, keys)


def _may_be_gone(record: FileRecord, snapshot: Snapshot) -> bool:
    """Whether retention may have deleted the rejects of a file."""
    day = record.rejects_day
    return day in snapshot.sealed or (day == str(NO_DAY) and bool(snapshot.sealed))


def _prove_rest(
    lake: Lake, shelf: Shelf, snapshot: Snapshot, settings: BuildSettings
) -> Iterator[Finding]:
    if snapshot.stock is not None:
        shown = shown_days(lake, snapshot.stock.built)
        try:
            # Late files are in the ledger, and not in the tables yet.
            are_current = not snapshot.stock.stale and is_current(lake, shown, settings.sources)
        except LakeError:
            are_current = False
        if are_current:
            records = tuple(snapshot.records.values())
            days, left_out = (
                tuple(sorted(shown)),
                list_missing(lake, shown.keys() - snapshot.sealed),
            )
            inputs = Inputs(days, records, settings.zone, settings.sources, left_out)
            yield from prove_tables(shelf, inputs)
        else:
            yield from check_bytes(shelf)
            text = "not those of the files and days that there are now"
            yield Finding("stale", ", ".join(WHOLE_TABLES), text)
    else:
        text = "which days are stale can't be told, so nothing was counted anew"
        yield Finding("unproven", "all days", text)
    yield from prove_restatements(lake)
    yield from prove_subdivisions(lake)
    yield from prove_views(lake)
    yield from prove_robots(lake)


def _note_days(lake: Lake, snapshot: Snapshot, wanted: frozenset[date]) -> Iterator[Finding]:
    for day in sorted(wanted):
        if str(day) in snapshot.sealed:
            yield Finding("sealed", str(day), "its figures stand: proved are their bytes alone")
        elif snapshot.stock and (causes := snapshot.stock.causes.get(day)):
            yield Finding("stale", str(day), "; ".join(cause.text for cause in causes))
            if any(cause.kind == "missing" for cause in causes):
                for name in list_lacking(lake, str(day)):
                    yield Finding(name, f"{name}/day={day}/part.parquet", "is missing")


def _without_changed(root: Path, snapshot: Snapshot, findings: list[Finding]) -> list[Finding]:
    """Leave out what is said of what an ingest has changed since the snapshot."""
    known, now = snapshot.records, read_live(root)
    changed = {key for key, record in known.items() if now.get(key) != record}
    came = now.keys() - known.keys()  # what lies together with them is another file now
    if not changed and not came:
        return findings
    touched = {
        str(date.fromisoformat(day) + n * ONE_DAY)
        for record in [*(known[key] for key in changed), *(now[key] for key in came)]
        for day in record.read_days
        for n in (-1, 0, 1)
    }
    meanwhile = "an ingest changed it meanwhile; not proved"
    kept, notes = [], [Finding("stale", place_of_record(key), meanwhile) for key in changed]
    for finding in findings:
        if not any(name in finding.place for name in (*changed, *touched)):
            kept.append(finding)
        elif finding.is_off and not any(key in finding.place for key in changed):
            notes.append(Finding("stale", finding.place, meanwhile))
    return kept + notes
