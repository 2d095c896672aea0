"""Raw files that were there and are not in the lake: what days they have lines of, and why not.

A run writes them down before it takes anything in, and each is struck out as it is taken: whatever
comes between (a damaged file, a kill, a run of other days), the days it has lines of are known to
lack them. The same notes spare a later run from looking through an unchanged file again.
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from urllib.parse import quote

from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json, write_json
from pipeline.raw.files import LeftOut, lasting_path
from pipeline.text import escape, printable

OF_A_SEALED_DAY = "has lines of a sealed day, so none of it was taken in"
_SHOWN = 3


@dataclass(frozen=True)
class Missing:
    """What of one source is left out of a day, in a sentence."""

    day: date
    source: str
    text: str


def quoted(path: Path) -> str:
    """A path as the notes have it."""
    return quote(os.fsencode(lasting_path(path)))


def note_file(
    path: Path, source: str, days: Iterable[date], why: str, stat: Iterable[int] = ()
) -> LeftOut:
    """A note of a file of which nothing else is known than its days."""
    listed, name = tuple(sorted(map(str, days))), printable(path.name)
    return LeftOut(quoted(path), name, source, listed, is_whole=True, why=why, stat=tuple(stat))


def read_notes(lake: Lake) -> list[LeftOut]:
    """What is left out, by path."""
    found = [read_note(path) for path in lake.left_out.glob("*.json")]
    return sorted((note for note in found if note), key=lambda note: note.path)


def read_note(path: Path) -> LeftOut | None:
    """One note; None when there is none (any more)."""
    fields = read_json(path)
    lists = ("days", "stat", "read_as")
    return LeftOut(**fields | {name: tuple(fields[name]) for name in lists}) if fields else None


def write_notes(lake: Lake, notes: Sequence[LeftOut], gone: Sequence[LeftOut] = ()) -> None:
    """Write down what is new in ``notes``, and strike ``gone`` out."""
    places = [(lake.left_out_path(note.path), note) for note in notes]
    new = [(place, note) for place, note in places if read_note(place) != note]
    if not new and not gone:
        return
    with lake.lock():
        for place, note in new:
            if note.is_store or not _is_taken(lake, note):
                write_json(place, asdict(note), ".draft")
        for note in gone:
            lake.left_out_path(note.path).unlink(missing_ok=True)


def _is_taken(lake: Lake, note: LeftOut) -> bool:
    """Whether it was taken in meanwhile: its own run has struck it out."""
    is_remote = note.raw.is_relative_to(lake.fetched)
    return lake.find_seen(note.raw, list(note.stat) if is_remote else None) is not None


def list_missing(lake: Lake, days: Iterable[str]) -> list[Missing]:
    """What is left out of some days (ISO), in order, a sentence for each source and reason."""
    wanted = frozenset(days)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for note in read_notes(lake):
        for day in note.among(wanted):
            groups[day, note.source, note.why].append(escape(note.name))
    return [
        Missing(date.fromisoformat(day), source, f"{_list(names)} {why}")
        for (day, source, why), names in sorted(groups.items())
    ]


def _list(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more files" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more
