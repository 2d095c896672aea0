"""Proves a run of days: each file of hits against its record, each derived partition anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, groupby

import pyarrow as pa

from pipeline.build.stale import DERIVED
from pipeline.days import ONE_DAY
from pipeline.tables import HITS
from pipeline.verify.differences import find_difference
from pipeline.verify.findings import Finding
from pipeline.verify.parquet import Shelf, add_missing, split_files
from pipeline.verify.part_proof import (
    FilePart,
    PartProof,
    check_part,
    prove_part,
    start_us,
)
from pipeline.verify.recount import COUNTED, TEXTS, CountingRules, DayHits, recount_day

_CHECKED = ("line_no", "client", "client_from", "file_key", *COUNTED)


@dataclass(frozen=True)
class ProvenDay:
    """One day as the ledger has it."""

    day: date
    files: tuple[FilePart, ...]
    geo_is_late: bool
    is_sealed: bool
    is_standing: bool
    """Sealed, or stale for a cause that waits until asked for: its figures stay as they are."""
    is_current: bool
    """Built, and from what it would be built from now."""

    @property
    def is_counted(self) -> bool:
        """Whether its figures are what its hits give now, so that counting anew proves them."""
        return self.is_current and not self.is_standing

    @property
    def rows(self) -> int:
        """Its hits."""
        return sum(part.hits for part in self.files)


@dataclass(frozen=True)
class ProofTask:
    """A run of days for one process, with the days beside them, which are only read."""

    shelf: Shelf
    zone: str
    rules: CountingRules
    days: tuple[ProvenDay, ...]
    own: frozenset[date]


@dataclass
class DayProof:
    """What was found on one day."""

    day: date
    findings: list[Finding] = field(default_factory=list)
    parts: list[PartProof] = field(default_factory=list)
    hits: DayHits | None = None
    """All its hits; None when a file of them is off, or deleted."""
    is_counted: bool = False
    """Whether its figures were counted anew from its hits, not only compared by their bytes."""


def prove_days(task: ProofTask) -> Iterator[DayProof]:
    """Prove the task's own days, in order; holds the hits of two days at a time."""
    days = {day.day: day for day in task.days}
    read: dict[date, DayProof] = {}
    before: tuple[date, pa.Table | None] | None = None

    def load(day: date) -> DayProof | None:
        if day in days and day not in read:
            read[day] = _read_day(task, days[day])
        return read.get(day)

    for day in sorted(task.own):
        if before is None or before[0] != day - ONE_DAY:
            before = _tail(task, load(day - ONE_DAY), day)
        today, after = load(day), load(day + ONE_DAY)
        assert today is not None  # its own days are among the task's
        findings = list(_prove_partitions(task, days[day], before[1], today, after))
        before = _tail(task, today, day + ONE_DAY)
        for past in [known for known in read if known <= day]:
            del read[past]
        is_recounted = days[day].is_counted and not any(f.what == "unproven" for f in findings)
        yield DayProof(day, today.findings + findings, today.parts, is_counted=is_recounted)
        del today, after
        pa.default_memory_pool().release_unused()


def _tail(task: ProofTask, proof: DayProof | None, until: date) -> tuple[date, pa.Table | None]:
    """The end of the day before ``until``: no visits when it has none, None when it is off."""
    day = until - ONE_DAY
    if proof is None:
        return day, NO_HITS.visits.select(["visitor_id", "ts"])
    if proof.hits is None:
        return day, None
    return day, proof.hits.tail(start_us(until, task.zone) - task.rules.timeout_us)


def _read_day(task: ProofTask, day: ProvenDay) -> DayProof:
    """Read and check every file of the day's hits."""
    proof = DayProof(day.day)
    parts: list[DayHits] = []
    n_files = 0
    for stem, its in groupby(sorted(day.files, key=_by_stem), key=lambda part: part.stem):
        place = f"hits/day={day.day}/{stem}.parquet"
        if day.is_sealed and not (task.shelf.root / place).exists():
            continue
        read = task.shelf.read(place, HITS, _CHECKED, (*TEXTS, "client_from"))
        if isinstance(read, Finding):
            proof.findings.append(read)
            continue
        read = add_missing(read, ("asn", "as_org"), HITS)
        files = list(its)
        tables = split_files(read, [part.file_key for part in files], stem)
        if isinstance(tables, str):
            proof.findings.append(task.shelf.off(place, tables))
            continue
        texts = [
            text
            for part, table in zip(files, tables, strict=True)
            for text in check_part(table, part, day.day, task.zone)
        ]
        proof.findings += [task.shelf.off(place, text) for text in texts]
        if not texts:
            parts.append(DayHits.of(read))
            n_files += len(files)
            proof.parts += map(prove_part, tables, files)
    if n_files == len(day.files):
        proof.hits = DayHits.join(parts) if parts else NO_HITS
    return proof


def _by_stem(part: FilePart) -> tuple[str, str]:
    return part.stem, part.file_key


def _prove_partitions(
    task: ProofTask,
    day: ProvenDay,
    before: pa.Table | None,
    today: DayProof,
    after: DayProof | None,
) -> Iterator[Finding]:
    """Compare each derived partition with the day's recount, or at least its bytes with its digest.

    Of a day whose figures stand, only the bytes. Those that the next build replaces are not looked
    at: they are not wrong.
    """
    shelf, places = task.shelf, {m: task.shelf.list_parts(m, day.day) for m in DERIVED}
    if day.is_standing:
        for place in chain.from_iterable(places.values()):
            content = shelf.read_bytes(place)
            if isinstance(content, Finding):
                yield content
        return
    if not day.is_current:
        return
    following = after.hits if after else NO_HITS
    if before is None or today.hits is None or following is None:
        which = [
            str(day.day + n * ONE_DAY)
            for n, hits in ((-1, before), (0, today.hits), (1, following))
            if hits is None
        ]
        text = f"its partitions were not counted anew: hits of {', '.join(which)} are off"
        yield Finding("unproven", str(day.day), text)
        counted: dict[str, pa.Table] = {}
    else:
        ends_at = start_us(day.day + ONE_DAY, task.zone)
        recount = recount_day(
            before, today.hits, following.visits, ends_at, task.rules, geo_is_late=day.geo_is_late
        )
        counted = {model: getattr(recount, model) for model in DERIVED}
    for model, its in places.items():
        whole = f"{model}/day={day.day}/part.parquet"
        yield from _compare(shelf, its or [whole], counted.get(model))


def _compare(shelf: Shelf, places: list[str], counted: pa.Table | None) -> Iterator[Finding]:
    """Compare a partition's files, one after the other, with what was counted."""
    if not (shelf.root / places[0]).exists() and places[0] not in shelf.digests:
        if counted is not None and len(counted):  # without rows there is no file
            yield shelf.off(places[0], "is missing")
        return
    coded = [] if counted is None else [f for f in counted.schema if _is_coded(f.type)]
    texts = [column.name for column in coded]
    parts: list[pa.Table] = []
    for place in places:
        part = shelf.read(place, texts=texts)
        if isinstance(part, Finding):
            yield part
        elif parts and part.schema != parts[0].schema:
            yield shelf.off(place, "its columns are not those of the files before it")
        else:
            parts.append(part)
    if counted is None or len(parts) < len(places):
        return
    stored = pa.concat_tables(parts).unify_dictionaries()
    if difference := find_difference(stored, counted):
        yield shelf.off(places[0], difference)


def _is_coded(kind: pa.DataType) -> bool:
    return bool(pa.types.is_dictionary(kind))


def _empty_hits() -> DayHits:
    code = pa.dictionary(pa.int32(), pa.string())
    kinds = [(name, code if name in TEXTS else HITS.field(name).type) for name in COUNTED]
    return DayHits.join([DayHits.of(pa.schema(kinds).empty_table())])


NO_HITS = _empty_hits()
"""Of a day without any."""
