"""Raw files of which all is known: they lie where they were read, as they were then."""

from collections.abc import Mapping, Sequence
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
from pipeline.raw.files import Paths, RawFiles

_PLAIN = ("damage", *ENDED)
"""Null in the record of a file of which there is no more to say."""
OWNED = ("name", "source", "source_by_name")
"""What of a record says whose its file is."""
_COLUMNS = ("file_key", *OWNED, "lines", "rejected", *_PLAIN)


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
    names = Namer(lake)

    def tell(rows: pa.Table) -> pa.Table:
        share = rows["rejected"].to_numpy() / np.maximum(rows["lines"].to_numpy(), 1)
        is_plain = [share < UNREAD_SHARE, *(rows[name].is_null().to_numpy() for name in _PLAIN)]
        owners = name_owners(rows, found, names, source)
        is_its = np.array(owners, object) == rows["source"].to_numpy()
        is_known = pa.array(np.all([*is_plain, is_its], axis=0))
        return rows.select(["place", "file_key"]).append_column("is_known", is_known)

    rows, _ = find_known(lake, found, _COLUMNS, tell)
    rows = rows.filter(rows["is_known"])
    is_left = np.ones(len(found.files), np.bool_)
    is_left[rows["place"].to_numpy()] = False
    first = rows[:most_named].select(["place", "file_key"]).to_pydict()
    named = [(found.files[place], key) for place, key in zip(*first.values(), strict=True)]
    rest = Paths(found.files.texts[place] for place in np.flatnonzero(is_left).tolist())
    return replace(found, files=rest), Unchanged(len(rows), named)


def find_known(
    lake: Lake, found: RawFiles, columns: Sequence[str], tell: Tell
) -> tuple[pa.Table, npt.NDArray[np.bool_]]:
    """Those of raw files that lie there as they were read; see ``find_unchanged``."""
    return find_unchanged(
        lake.ledger, quote_all(found.files.texts), _stats_now(found), columns, tell
    )


def name_owners(
    rows: pa.Table, found: RawFiles, names: Namer, source: str | None = None
) -> list[str]:
    """Whose each known file would be if it came today.

    Args:
        rows: ``place`` and the columns ``OWNED``.
        found: all files, and what is said of some.
        names: what the lake calls sources.
        source: of all files of which nothing else is said; None: by each one's name.
    """
    texts, owners = found.files.texts, []
    asked = (rows[name].to_pylist() for name in ("place", *OWNED))
    for place, name, its, is_by_name in zip(*asked, strict=True):
        origin = found.origins.get(texts[place])
        wanted = origin.source if origin else source
        if not wanted:
            is_so_named = is_by_name and texts[place].endswith(f"/{name}")
            wanted = its if is_so_named else names.of(Path(texts[place]))
        owners.append(wanted)
    return owners


def list_unchanged(lake: Lake, stats: Mapping[str, list[int]]) -> list[str]:
    """Those of some files with their stat now that were read so, whatever became of them."""
    files, now = list(stats), np.array(list(stats.values()), np.int64).reshape(-1, 2)
    found, _ = find_unchanged(lake.ledger, quote_all(files), now, ("file_key",))
    return [files[place] for place in found["place"].to_pylist()]


def _stats_now(found: RawFiles) -> npt.NDArray[np.int64]:
    stats = np.empty((len(found.files), 2), np.int64)
    for place, text in enumerate(found.files.texts):
        stats[place] = _stat_now(found, text)
    return stats


def _stat_now(found: RawFiles, path: str) -> tuple[int, int]:
    """Size and time of change of a file; of what is out of reach none that a file has."""
    try:
        size, changed_ns = (found.stats and found.stats.get(Path(path))) or stat_of(path)
    except OSError:
        return -1, -1
    return size, changed_ns
