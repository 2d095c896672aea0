"""Raw files of which all is known: they lie where they were read, as they were then."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.definitions import UNREAD_SHARE
from pipeline.ingest.source_names import Namer
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import quote_all, stat_of
from pipeline.lake.seen import find_unchanged
from pipeline.lake.sums import ENDED
from pipeline.raw.files import RawFiles

_PLAIN = ("damage", *ENDED)
"""Null in the record of a file of which there is no more to say."""
_COLUMNS = ("file_key", "source", "source_by_name", "lines", "rejected", *_PLAIN)


def part_unchanged(
    lake: Lake, found: RawFiles, source: str | None
) -> tuple[RawFiles, list[tuple[Path, str]]]:
    """Part raw files from those that need not be read: in the lake, by name, size and time.

    Those of which there is more to say are read again: forgotten, damaged, hardly readable, of
    another source.

    Args:
        lake: that may know them.
        found: the files, and what is said of some.
        source: of all files of which nothing else is said; None: by each one's name.

    Returns:
        Those to be read; the others, each with its file key.
    """
    files = found.files
    places = {text: place for place, text in enumerate(quote_all(files))}
    stats = np.array([_stat_now(found, path) for path in files], np.int64).reshape(-1, 2)
    rows = find_unchanged(lake.ledger, places, stats, _COLUMNS)
    share = rows["rejected"].to_numpy() / np.maximum(rows["lines"].to_numpy(), 1)
    is_plain = [share < UNREAD_SHARE, *(rows[name].is_null().to_numpy() for name in _PLAIN)]
    rows = rows.filter(pa.array(np.all(is_plain, axis=0)))
    names, known = Namer(lake), {}
    columns = (rows[name].to_pylist() for name in ("place", "file_key", "source", "source_by_name"))
    for place, key, its, is_by_name in zip(*columns, strict=True):
        origin = found.origins.get(files[place]) if found.origins else None
        wanted = origin.source if origin else source
        if wanted == its or (wanted is None and (is_by_name or names.of(files[place]) == its)):
            known[place] = key
    rest = tuple(path for place, path in enumerate(files) if place not in known)
    return replace(found, files=rest), [(files[place], key) for place, key in known.items()]


def list_unchanged(lake: Lake, stats: Mapping[Path, list[int]]) -> list[Path]:
    """Those of some files with their stat now that were read so, whatever became of them."""
    files = list(stats)
    places = {text: place for place, text in enumerate(quote_all(files))}
    now = np.array(list(stats.values()), np.int64).reshape(-1, 2)
    found = find_unchanged(lake.ledger, places, now, ("file_key",))
    return [files[place] for place in found["place"].to_pylist()]


def _stat_now(found: RawFiles, path: Path) -> tuple[int, int]:
    """Size and time of change of a file; of what is out of reach none that a file has."""
    try:
        size, changed_ns = (found.stats and found.stats.get(path)) or stat_of(path)
    except OSError:
        return -1, -1
    return size, changed_ns
