"""Proves a run of days: each file of hits against its record, each derived partition anew."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain, groupby
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.stale import DERIVED
from pipeline.days import EPOCH, day_start
from pipeline.definitions import NO_NETWORKS
from pipeline.enrich.clients import CHOICES, PEER
from pipeline.enrich.hits import local_days
from pipeline.tables import HITS
from pipeline.text import escape, write_number_of
from pipeline.verify.differences import find_difference
from pipeline.verify.findings import Finding
from pipeline.verify.lines import LineSet
from pipeline.verify.parquet import Shelf, split_files
from pipeline.verify.recount import COUNTED, TEXTS, CountingRules, DayHits, recount_day

_ONE_DAY = timedelta(days=1)
_CHECKED = ("line_no", "client", "client_from", "file_key", *COUNTED)
_NEVER_NULL = (
    *("line_no", "ts", "source", "visitor_id", "country", "status"),
    *("is_robot", "is_asset", "is_page", "client_from"),
)


@dataclass(frozen=True)
class FilePart:
    """What the ledger says of one raw file's hits of one day."""

    file_key: str
    stem: str
    source: str
    hits: int
    first_line: int
    lines: int
    dropped_lines: int
    """So many of the file's first lines count in another file."""
    geo_built: str | None
    addresses: str
    proxies: str | None
    networks: str | None


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
class Task:
    """A run of days for one process, with the days beside them, which are only read."""

    shelf: Shelf
    zone: str
    rules: CountingRules
    days: tuple[ProvenDay, ...]
    own: frozenset[date]


@dataclass(frozen=True)
class PartProof:
    """What was found in one raw file's hits of one day."""

    file_key: str
    lines: LineSet
    first_at: int
    """Earliest hit, microseconds since 1970."""
    last_at: int


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


def prove_days(task: Task) -> Iterator[DayProof]:
    """Prove the task's own days, in order; holds the hits of two days at a time."""
    days = {day.day: day for day in task.days}
    read: dict[date, DayProof] = {}
    before: tuple[date, pa.Table | None] | None = None

    def load(day: date) -> DayProof | None:
        if day in days and day not in read:
            read[day] = _read_day(task, days[day])
        return read.get(day)

    for day in sorted(task.own):
        if before is None or before[0] != day - _ONE_DAY:
            before = _tail(task, load(day - _ONE_DAY), day)
        today, after = load(day), load(day + _ONE_DAY)
        assert today is not None  # its own days are among the task's
        findings = list(_prove_partitions(task, days[day], before[1], today, after))
        before = _tail(task, today, day + _ONE_DAY)
        for past in [known for known in read if known <= day]:
            del read[past]
        is_recounted = days[day].is_counted and not any(f.what == "unproven" for f in findings)
        yield DayProof(day, today.findings + findings, today.parts, is_counted=is_recounted)
        del today, after
        pa.default_memory_pool().release_unused()


def _tail(task: Task, proof: DayProof | None, until: date) -> tuple[date, pa.Table | None]:
    """The end of the day before ``until``: no visits when it has none, None when it is off."""
    day = until - _ONE_DAY
    if proof is None:
        return day, NO_HITS.visits.select(["visitor_id", "ts"])
    if proof.hits is None:
        return day, None
    return day, proof.hits.tail(_start_us(until, task.zone) - task.rules.timeout_us)


def _start_us(day: date, zone: str) -> int:
    return round(day_start(day, ZoneInfo(zone)).timestamp()) * 1_000_000


def _read_day(task: Task, day: ProvenDay) -> DayProof:
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
        read = _with_networks(read)
        files = list(its)
        tables = split_files(read, [part.file_key for part in files], stem)
        if isinstance(tables, str):
            proof.findings.append(task.shelf.off(place, tables))
            continue
        texts = [
            text
            for part, table in zip(files, tables, strict=True)
            for text in _check_part(table, part, day.day, task.zone)
        ]
        proof.findings += [task.shelf.off(place, text) for text in texts]
        if not texts:
            parts.append(DayHits.of(read))
            n_files += len(files)
            proof.parts += map(_prove_part, tables, files)
    if n_files == len(day.files):
        proof.hits = DayHits.join(parts) if parts else NO_HITS
    return proof


def _with_networks(table: pa.Table) -> pa.Table:
    """With columns that hits of an earlier version lack."""
    for name in ("asn", "as_org"):
        if name not in table.column_names:
            table = table.append_column(name, pa.nulls(len(table), HITS.field(name).type))
    return table


def _by_stem(part: FilePart) -> tuple[str, str]:
    return part.stem, part.file_key


def _check_part(table: pa.Table, part: FilePart, day: date, zone: str) -> Iterator[str]:
    """What contradicts the record in a file of hits; a sentence each, the first that matter."""
    empty = [name for name in _NEVER_NULL if table[name].null_count]
    if empty or not len(table):
        yield f"{empty[0]} is null in some rows" if empty else "has no rows"
        return
    if len(table) != part.hits:
        rows, hits = write_number_of(len(table), "row"), write_number_of(part.hits, "hit")
        yield f"has {rows}, its record has {hits} of that day"
    yield from _check_lines(table["line_no"].to_numpy(), part)
    if foreign := _count_foreign(table["ts"].cast(pa.int64()).to_numpy(), day, zone):
        yield f"{write_number_of(foreign, 'row is', 'rows are')} of another local day"
    if (sources := _distinct(table["source"])) != [part.source]:
        yield f"its source is {', '.join(sources)}, its record's {part.source}"
    if part.addresses == "none" and table["client"].null_count < len(table):
        yield "keeps addresses, which its record says it does not"
    if unknown := {*_distinct(table["client_from"])} - (CHOICES if part.proxies else {PEER}):
        yield f"client_from is {escape(min(unknown))}, which its file's layout can't give"
    built = [str(day) if day else None for day in _distinct(table["geo_built"])]
    if built != [part.geo_built]:
        located = ", ".join(sorted(map(str, built)))
        yield f"located by the database of {located}, by its record that of {part.geo_built}"
    yield from _check_networks(table, part)


def _check_networks(table: pa.Table, part: FilePart) -> Iterator[str]:
    if part.networks in (None, NO_NETWORKS):
        if table["asn"].null_count + table["as_org"].null_count < 2 * len(table):
            yield "has networks, of which its record has no database"
    elif table["asn"].null_count:
        yield f"asn is null in some rows, by its record found by the database of {part.networks}"


def _check_lines(numbers: Any, part: FilePart) -> Iterator[str]:
    if (numbers[1:] <= numbers[:-1]).any():
        yield "its line numbers do not rise from row to row"
        return
    first, last = int(numbers[0]), int(numbers[-1])
    if first < 1 or last > part.lines:
        yield f"has lines {first:,} to {last:,}, its raw file 1 to {part.lines:,}"
    elif first <= part.dropped_lines:
        yield f"has line {first:,}; the first {part.dropped_lines:,} count in another file"
    elif first != part.first_line:
        yield f"its first line is {first:,}, by its record {part.first_line:,}"


def _count_foreign(at: Any, day: date, zone: str) -> int:
    start, end = (_start_us(each, zone) for each in (day, day + _ONE_DAY))
    outside = at[(at < start) | (at >= end)]
    if not len(outside):
        return 0  # day by day, in every zone that changes its clocks less than a minute past it
    return int((local_days(outside // 1_000_000, ZoneInfo(zone)) != (day - EPOCH).days).sum())


def _distinct(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    plain = column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column
    return list(pc.unique(plain).to_pylist())


def _prove_part(table: pa.Table, part: FilePart) -> PartProof:
    span = pc.min_max(table["ts"].cast(pa.int64())).as_py()
    lines = LineSet.of(table["line_no"].to_numpy())
    return PartProof(part.file_key, lines, span["min"], span["max"])


def _prove_partitions(
    task: Task, day: ProvenDay, before: pa.Table | None, today: DayProof, after: DayProof | None
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
            str(day.day + n * _ONE_DAY)
            for n, hits in ((-1, before), (0, today.hits), (1, following))
            if hits is None
        ]
        text = f"its partitions were not counted anew: hits of {', '.join(which)} are off"
        yield Finding("unproven", str(day.day), text)
        counted: dict[str, pa.Table] = {}
    else:
        ends_at = _start_us(day.day + _ONE_DAY, task.zone)
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
