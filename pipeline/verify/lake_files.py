"""Proves each raw file's accounting, and that the lake holds no file that nothing accounts for."""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.build.stale import DERIVED
from pipeline.lake.digests import name_of
from pipeline.lake.ledger import FileRecord
from pipeline.lake.sums import COUNTED
from pipeline.tables import REJECTS
from pipeline.text import write_number_of
from pipeline.verify.findings import Finding, place_of_record
from pipeline.verify.lines import LineSet, find_shared
from pipeline.verify.parquet import PART, Packs, Shelf
from pipeline.verify.part_proof import PartProof
from pipeline.verify.snapshot import Snapshot

_OF_RAW_FILES = ("hits", "rejects", "ledger/whole", "ledger/lines")
_OF_ALL_DAYS = ("days", "expected", "surges", "drivers", "signals", "restatements", "subdivisions")
_OF_LEDGER = re.compile(
    r"ledger/(?:(?:lake|built|summary|sealed|published|left)\.json"
    r"|(?:files|replaced|forgotten)/.+-[0-9a-f]{16}\.json|files/.+-\d{4}-\d\d-\d\d\.parquet"
    r"|digests/(?:built|tables|views|restatements|subdivisions|robots|files|day=[^/]+|.+-[0-9a-f]{16})\.json"
    r"|parts/day=\d{4}-\d\d-\d\d\.json"
    r"|(?:seen|left)/[0-9a-f]{32}\.json|alerts/[\w-]+\.json|robots/[^/]+\.parquet"
    r"|lines/[^/]+\.npy|lines/day=[^/]+/[^/]+\.parquet|whole/day=[^/]+/[^/]+\.parquet)"
)
"""Every place in the ledger where something may lie."""
_OF_REJECTS = ("line_no", "line", "reason")
_OF_A_FILE = re.compile(r"^ledger/digests/.+-[0-9a-f]{16}\.json$")


def check_record(record: FileRecord) -> Iterator[Finding]:
    """Whether one raw file's accounting adds up by itself."""
    place = place_of_record(record.file_key)
    wrong = [
        (not record.balances, "lines are not hits + rejected + blank + directives + duplicates"),
        (min(getattr(record, kind) for kind in COUNTED) < 0, "a count is below zero"),
        (
            sum(share.hits for share in record.days.values()) != record.hits,
            "its days' hits are not its hits",
        ),
        (
            sum(record.reasons.values()) != record.rejected,
            "its reasons' counts are not its rejected lines",
        ),
        (
            sum(share.hits for share in record.whole_days.values() or record.days.values())
            != record.hits + record.duplicates,
            "its duplicates are not the hits that were dropped",
        ),
        (
            record.file_key != f"{record.source}-{record.sha256[:16]}",
            "its name is not its source and SHA-256",
        ),
        (
            bool(record.overlap_lines) != bool(record.overlap_with)
            or not 0 <= record.overlap_lines <= record.lines,
            "its overlap is not one",
        ),
        (
            bool(record.flood_lines) != bool(record.flood_with)
            or not 0 <= record.flood_lines <= record.lines,
            "its equal lines in another file are none",
        ),
        (
            bool(record.repeat_lines) != bool(record.repeat_with)
            or not 0 <= record.repeat_lines <= record.lines,
            "its lines among those of another file are none",
        ),
        (
            bool(record.shared_lines) != bool(record.shared_with)
            or not 0 <= record.shared_lines <= record.lines,
            "its lines in another source's file are none",
        ),
    ]
    for is_wrong, text in wrong:
        if is_wrong:
            yield Finding("ledger", place, text)


def check_rejects(
    shelf: Shelf, packs: Packs, record: FileRecord, *, may_be_gone: bool
) -> LineSet | Finding | None:
    """Check the rejected lines of a raw file; which lines they are, or what is off."""
    if not record.rejects_day:
        return None
    place = place_of_rejects(record)
    if may_be_gone and not (shelf.root / place).exists():
        return None
    table = packs.read(place, record.file_key) if record.is_packed else shelf.read(place, REJECTS)
    if isinstance(table, Finding):
        return table
    why = _contradiction(table, record)
    return shelf.off(place, why) if why else LineSet.of(table["line_no"].to_numpy())


def _contradiction(rejects: pa.Table, record: FileRecord) -> str | None:
    """What of a record its rejected lines contradict."""
    if len(rejects) != record.rejected:
        rejected = write_number_of(record.rejected, "rejected line")
        return f"has {write_number_of(len(rejects), 'row')}, its record has {rejected}"
    if any(rejects[name].null_count for name in _OF_REJECTS) or not len(rejects):
        return "has a null or no row"
    if Counter(rejects["reason"].to_pylist()) != Counter(record.reasons):
        return "its reasons are not those of its record"
    numbers = rejects["line_no"].to_numpy()
    if (numbers[1:] <= numbers[:-1]).any() or numbers[0] < 1 or numbers[-1] > record.lines:
        return f"its line numbers do not rise from 1 to at most {record.lines:,}"
    return None


def check_lines(
    record: FileRecord, parts: Iterable[PartProof], rejects: LineSet | None, *, is_whole: bool
) -> Iterator[Finding]:
    """Whether each line of a raw file ended as one thing, and its times are its record's.

    Args:
        record: its accounting.
        parts: what was found of its hits.
        rejects: its rejected lines.
        is_whole: whether ``parts`` are all its days, and no hit of them was dropped.
    """
    place, parts = place_of_record(record.file_key), list(parts)
    sets = [part.lines for part in parts] + ([rejects] if rejects else [])
    if (shared := find_shared(sets)) is not None:
        yield Finding("hits", place, f"line {shared:,} of it is in more than one file of the lake")
    if is_whole and parts:
        first = _instant(min(part.first_at for part in parts))
        last = _instant(max(part.last_at for part in parts))
        if (first, last) != (record.first_at, record.last_at):
            yield Finding(
                "ledger",
                place,
                f"its hits are from {first} to {last}, by its record from {record.first_at} to"
                f" {record.last_at}",
            )


def _instant(microseconds: int) -> str:
    # As the ledger writes it: whole seconds.
    return str(np.datetime64(microseconds // 1_000_000, "s")) + "+00:00"


def check_beside(
    shelf: Shelf, packs: Packs, record: FileRecord, sealed: set[str]
) -> Iterator[Finding]:
    """Check what the ledger keeps of a raw file beside its record: its lines, its whole days.

    Retention may have deleted them of sealed days.
    """
    key = record.file_key
    place = place_of_lines(record)
    may_be_gone = bool(record.read_days) and sealed.issuperset(record.read_days)
    count: int | Finding | None = record.lines
    if (shelf.root / place).exists() or not may_be_gone:
        count = _count_lines(shelf, packs, place, record)
    if isinstance(count, Finding):
        yield count
    elif count != record.lines:
        yield shelf.off(place, f"has {count} lines, its record has {record.lines:,}")
    for day, share in record.whole_days.items():
        whole = f"ledger/whole/day={day}/{key}.parquet"
        is_there = (shelf.root / whole).exists()
        if not is_there and (day in sealed or whole not in shelf.digests):
            continue
        read = shelf.read(whole, columns=["line_no"])
        if isinstance(read, Finding):
            yield read
        elif len(read) != share.hits:
            rows, hits = write_number_of(len(read), "row"), write_number_of(share.hits, "hit")
            yield shelf.off(whole, f"has {rows}, its record has {hits}")


def place_of_rejects(record: FileRecord) -> str:
    """Where a raw file's rejected lines lie, if it has any."""
    return f"rejects/day={record.rejects_day}/{record.stem}.parquet"


def place_of_lines(record: FileRecord) -> str:
    """Where the hashes of a raw file's lines lie."""
    if record.is_packed:
        return f"ledger/lines/day={record.day}/{record.stem}.parquet"
    return f"ledger/lines/{record.file_key}.npy"


def _count_lines(
    shelf: Shelf, packs: Packs, place: str, record: FileRecord
) -> int | Finding | None:
    if record.is_packed:
        rows = packs.read(place, record.file_key)
        return (
            rows
            if isinstance(rows, Finding)
            else pc.sum(pc.list_value_length(rows["hashes"])).as_py()
        )
    content = shelf.read_bytes(place)
    if isinstance(content, Finding):
        return content
    try:
        return len(np.load(io.BytesIO(content), allow_pickle=False))
    except (ValueError, EOFError, TypeError):
        return None


def find_strays(snapshot: Snapshot) -> Iterator[Finding]:
    """Files that nothing accounts for, among those that the lake's tables and records are made of.

    Files of a source of which records can't be read are left alone: the records are what is off.
    """
    accounted = _accounted(snapshot)
    unread = {p for p in snapshot.digests if _source_of(p) in snapshot.unreadable}
    named = {name_of(place) for place in accounted | unread}
    of_days = {
        p
        for p in snapshot.places
        if p.startswith("ledger/digests/day=") and Path(p).stem not in named
    }
    of_parts = {p for p in snapshot.places if p.startswith("ledger/parts/day=")}
    of_files = {p for p in snapshot.places if _OF_A_FILE.search(p)}
    days = snapshot.sealed | (set(snapshot.stock.built) if snapshot.stock else set())
    for place in sorted(snapshot.places - accounted):
        path = Path(place)
        model = place.partition("/")[0]
        is_raw = any(place.startswith(f"{folder}/") for folder in _OF_RAW_FILES)
        if is_raw and _source_of(place) not in snapshot.unreadable:
            what = "ledger" if model == "ledger" else model
            yield Finding(what, place, "is a stray: no record of the ledger has it")
        elif model in DERIVED and snapshot.stock is not None:
            day = path.parent.name.removeprefix("day=")
            is_part = path.parent == Path(model, f"day={day}") and PART.fullmatch(path.name)
            if not is_part or day not in days:
                yield Finding(model, place, "is a stray: no build has written it")
        elif model in _OF_ALL_DAYS and place != f"{model}/part.parquet":
            yield Finding(model, place, "is a stray: no build has written it")
        elif place in of_days:
            yield Finding("ledger", place, "is a stray: nothing lies together on that day")
        elif place in of_parts and path.stem.removeprefix("day=") not in snapshot.known:
            yield Finding("ledger", place, "is a stray: the day was neither built nor published")
        elif place in of_files and path.stem not in snapshot.records:
            yield Finding("ledger", place, "is a stray: no record of the ledger has its file")
        elif model == "ledger" and not _OF_LEDGER.fullmatch(place):
            yield Finding("ledger", place, "is a stray: the ledger has no file of that name")


def _source_of(place: str) -> str:
    """Whose raw files' Parquet lies at a place."""
    return Path(place).stem.rpartition("-")[0]


def _accounted(snapshot: Snapshot) -> set[str]:
    found: set[str] = set()
    for key, record in snapshot.records.items():
        found |= {f"hits/day={day}/{record.stem}.parquet" for day in record.days}
        found |= {f"ledger/whole/day={day}/{key}.parquet" for day in record.whole_days}
        found.add(place_of_lines(record))
        if record.rejects_day:
            found.add(place_of_rejects(record))
    return found


def parts_by_file(parts: Iterable[PartProof]) -> dict[str, list[PartProof]]:
    """What was found, by file key."""
    found: dict[str, list[PartProof]] = defaultdict(list)
    for part in parts:
        found[part.file_key].append(part)
    return found
