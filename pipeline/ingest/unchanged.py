"""Raw files of which all is known: they lie where they were read, as they were then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.definitions import UNREAD_SHARE
from pipeline.ingest.source_names import Namer
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import quote_all, stat_of
from pipeline.lake.readings import Tell, find_unchanged
from pipeline.lake.sums import ENDED
from pipeline.raw.files import RawFiles, texts_of

_PLAIN = ("damage", *ENDED)
"""Null in the record of a file of which there is no more to say."""
_COLUMNS = ("file_key", "source", "source_by_name", "lines", "rejected", *_PLAIN)
_AT_ONCE = 10_000


@dataclass(frozen=True)
class Unchanged:
    """Files that need not be read: there may be a million."""

    count: int
    named: list[tuple[Path, str]]
    """Some of them, each with its file key."""


def part_unchanged(
    lake: Lake, found: RawFiles, source: str | None, most_named: int
) -> tuple[RawFiles, Unchanged]:
    """Part raw files from those that need not be read: in the lake, by name, size and time.

    Those of which there is more to say are read again: forgotten, damaged, hardly readable, of
    another source.

    Args:
        lake: that may know them.
        found: the files, and what is said of some.
        source: of all files of which nothing else is said; None: by each one's name.
        most_named: of the others so many are named.

    Returns:
        Those to be read, and the others.
    """
    files = found.files
    rows, _ = find_known(lake, found, _COLUMNS)
    share = rows["rejected"].to_numpy() / np.maximum(rows["lines"].to_numpy(), 1)
    is_plain = [share < UNREAD_SHARE, *(rows[name].is_null().to_numpy() for name in _PLAIN)]
    rows = rows.filter(pa.array(np.all(is_plain, axis=0)))
    its = (wanted == known for known, wanted in name_owners(rows, found, Namer(lake), source))
    rows = rows.filter(pa.array(np.fromiter(its, np.bool_, len(rows))))
    is_known = np.zeros(len(files), np.bool_)
    is_known[rows["place"].to_numpy()] = True
    first = zip(*rows.select(["place", "file_key"])[:most_named].to_pydict().values(), strict=True)
    rest = tuple(files[place] for place in np.flatnonzero(~is_known).tolist())
    known = Unchanged(len(rows), [(files[place], key) for place, key in first])
    return replace(found, files=rest), known


def find_known(
    lake: Lake, found: RawFiles, columns: Sequence[str], tell: Tell = lambda rows: rows
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Those of raw files that lie there as they were read; see ``find_unchanged``."""
    texts = texts_of(found.files)
    places = {text: place for place, text in enumerate(quote_all(texts))}
    stats = np.empty((len(texts), 2), np.int64)
    for place, text in enumerate(texts):
        stats[place] = _stat_now(found, text)
    return find_unchanged(lake.ledger, places, stats, columns, tell)


def name_owners(
    rows: pa.Table, found: RawFiles, names: Namer, source: str | None = None
) -> Iterator[tuple[str, str]]:
    """Whose each known file is in the lake, and whose it would be if it came today.

    Args:
        rows: ``place``, ``source`` and ``source_by_name``.
        found: all files, and what is said of some.
        names: what the lake calls sources.
        source: of all files of which nothing else is said; None: by each one's name.
    """
    asked = rows.select(["place", "source", "source_by_name"])
    for batch in asked.to_batches(max_chunksize=_AT_ONCE):
        for place, its, is_by_name in zip(*batch.to_pydict().values(), strict=True):
            origin = found.origins.get(found.files[place]) if found.origins else None
            wanted = origin.source if origin else source
            yield its, wanted or (its if is_by_name else names.of(found.files[place]))


def list_unchanged(lake: Lake, stats: Mapping[Path, list[int]]) -> list[Path]:
    """Those of some files with their stat now that were read so, whatever became of them."""
    files = list(stats)
    places = {text: place for place, text in enumerate(quote_all(files))}
    now = np.array(list(stats.values()), np.int64).reshape(-1, 2)
    found, _ = find_unchanged(lake.ledger, places, now, ("file_key",))
    return [files[place] for place in found["place"].to_pylist()]


def _stat_now(found: RawFiles, path: str) -> tuple[int, int]:
    """Size and time of change of a file; of what is out of reach none that a file has."""
    try:
        size, changed_ns = (found.stats and found.stats.get(Path(path))) or stat_of(path)
    except OSError:
        return -1, -1
    return size, changed_ns
