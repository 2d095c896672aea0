"""Raw files that were there and are not in the lake: what days they have lines of, and why not.

A run writes them down before it takes anything in, and each is struck out as it is taken: whatever
comes between (a damaged file, a kill, a run of other days), the days it has lines of are known to
lack them. The same notes spare a later run from looking through an unchanged file again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pipeline.lake.journal import Move
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import quoted, read_json, write_json
from pipeline.lake.old_ledger import list_old_notes
from pipeline.raw.files import LeftOut
from pipeline.text import escape, keep, keep_clause, printable

OF_A_SEALED_DAY = keep_clause("{files} has lines of a sealed day, so none of it was taken in")
_SHOWN = 3
_LISTS = ("days", "stat", "read_as")


@dataclass(frozen=True)
class Missing:
    """What of one source is left out of a day, in a sentence."""

    day: date
    source: str
    text: str


def note_file(
    path: Path, source: str, days: Iterable[date], why: str, stat: Iterable[int] = ()
) -> LeftOut:
    """A note of a file of which nothing else is known than its days."""
    listed, name = tuple(sorted(map(str, days))), printable(path.name)
    return LeftOut(quoted(path), name, source, listed, is_whole=True, why=why, stat=tuple(stat))


def read_notes(lake: Lake) -> dict[str, LeftOut]:
    """What is left out, by path, in order of that."""
    known = [*read_json(lake.left_out).values(), *map(read_json, list_old_notes(lake.ledger))]
    notes = [LeftOut(**one | {name: tuple(one[name]) for name in _LISTS}) for one in known if one]
    return {note.path: note for note in sorted(notes, key=lambda note: note.path)}


def write_notes(lake: Lake, notes: Sequence[LeftOut], gone: Sequence[LeftOut] = ()) -> None:
    """Write down what is new in ``notes``, and strike ``gone`` out."""
    known = read_notes(lake)
    new = [note for note in notes if known.get(note.path) != note]
    if not new and not gone:
        return
    with lake.lock():
        known = read_notes(lake)
        for note in gone:
            known.pop(note.path, None)
        known |= {n.path: n for n in new if n.is_store or not _is_taken(lake, n)}
        lake.put_json(lake.left_out, _content(known.values()))


def strike_out(lake: Lake, paths: Iterable[Path], staging: Path) -> list[Move]:
    """The change that strikes out raw files that are taken in; none where no note is of them."""
    known = read_notes(lake)
    gone = known.keys() & set(map(quoted, paths))
    return _rewrite(lake, [known[path] for path in known.keys() - gone], staging) if gone else []


def take_over(lake: Lake, staging: Path) -> list[Move]:
    """The change that brings the notes of an earlier version's ledger, a file each, together."""
    is_old = list_old_notes(lake.ledger)
    return _rewrite(lake, read_notes(lake).values(), staging) if is_old else []


def _rewrite(lake: Lake, notes: Iterable[LeftOut], staging: Path) -> list[Move]:
    draft = staging / lake.left_out.name
    write_json(draft, _content(notes))
    return [Move(draft, lake.left_out)]


def _content(notes: Iterable[LeftOut]) -> dict[str, Any]:
    return {note.path: asdict(note) for note in notes}


def _is_taken(lake: Lake, note: LeftOut) -> bool:
    """Whether it was taken in meanwhile: its own run has struck it out."""
    is_remote = note.raw.is_relative_to(lake.fetched)
    return lake.find_seen(note.raw, list(note.stat) if is_remote else None) is not None


def list_missing(lake: Lake, days: Iterable[str]) -> list[Missing]:
    """What is left out of some days (ISO), in order, a sentence for each source and reason."""
    wanted = frozenset(days)
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for note in read_notes(lake).values():
        for day in note.among(wanted):
            groups[day, note.source, note.why].append(escape(note.name))
    return [
        Missing(date.fromisoformat(day), source, f"{_list(names)} {why}")
        for (day, source, why), names in sorted(groups.items())
    ]


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(sorted(names)[:_SHOWN])
    if len(names) <= _SHOWN:
        return shown
    return keep("{files} and {count} more files", files=shown, count=len(names) - _SHOWN)
