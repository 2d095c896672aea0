"""What an ingest did, and the sentences about it."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path

from pipeline.ingest.deduplication import say_flood, say_repeats, say_shared
from pipeline.ingest.unread import Unread
from pipeline.lake.ledger import FileRecord
from pipeline.text import write_number_of


@dataclass(frozen=True)
class Failed:
    """A raw file that was not taken in, and why."""

    path: Path
    why: str
    is_passing: bool = False
    """Whether another try may not meet it."""


@dataclass(frozen=True)
class Ingested:
    """What an ingest did: new files, files already known, and failures."""

    added: tuple[FileRecord, ...] = ()
    known: tuple[tuple[Path, FileRecord], ...] = ()
    failed: tuple[Failed, ...] = ()
    ambiguous: tuple[tuple[Path, str], ...] = ()
    """Files whose lines may be of another layout, and why."""
    unread: tuple[tuple[Path, str], ...] = ()
    """Files many of whose lines could not be read, and why."""
    shortened: tuple[FileRecord, ...] = ()
    """Files of before that turned out to have lines of one that was added."""

    @classmethod
    def join(cls, parts: Iterable["Ingested"]) -> "Ingested":
        """What several did together."""
        its = list(parts)
        names = (one.name for one in fields(cls))
        return cls(*(tuple(chain.from_iterable(getattr(p, n) for p in its)) for n in names))

    @property
    def records(self) -> list[FileRecord]:
        """The files that are in the lake by now, new or known."""
        return [*self.added, *(record for _, record in self.known)]

    @property
    def overlapping(self) -> list[FileRecord]:
        """The files that have lines of another one, as far as that is news."""
        return [
            record
            for record in [*self.added, *self.shortened]
            if record.overlap_with or record.flood_with or record.repeat_with or record.shared_with
        ]


def explain_overlap(record: FileRecord) -> str:
    """Say which of a file's lines are also in another one, and what became of their hits."""
    said = []
    if record.overlap_lines:
        is_all = record.overlap_lines == record.lines
        lines = write_number_of(record.overlap_lines, "line is", "lines are")
        said.append(
            f"{'all its' if is_all else 'its first'} {lines} also in {record.overlap_with};"
            f" {write_number_of(record.duplicates, 'hit')} dropped as duplicates"
        )
    doubts = [say_flood(record)] if record.flood_lines else []
    doubts += [say_repeats(record)] if record.repeat_lines else []
    doubts += [say_shared(record)] if record.shared_lines else []
    said += [f"{doubt}; if so, `tidegauge forget` one of the two files" for doubt in doubts]
    return "; ".join(said)


def explain_unread(record: FileRecord, place: str) -> str | None:
    """Say why many of a file's lines could not be read, and how to see more; None when few.

    ``place``: the file, as a command would be given it.
    """
    if not record.is_live or not Unread(record.lines, record.rejected).is_large:
        return None
    reasons = ", ".join(f"{why} {n:,}" for why, n in sorted(record.reasons.items()))
    lines = write_number_of(record.lines, "line")
    if record.rejected == record.lines - record.blank:
        said = f"none of its {lines} could be read"
    else:
        said = f"{record.rejected:,} of its {lines} could not be read"
    return f"{said} ({reasons}): `tidegauge doctor {place}` shows why"
