"""Where the raw files of a lake lie now, with the content that was read."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from pipeline.errors import DataError
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord, stat_of
from pipeline.raw.content import read_content, read_whole
from pipeline.raw.opening import NO_LIMITS


def find_raws(lake: Lake, records: Iterable[FileRecord]) -> dict[str, Path]:
    """Where the raw files of ``records`` lie, unchanged since they were read, by file key.

    One of the same size and another time (touched, copied, restored) is read, once a process; one
    of another size has changed.
    """
    records = list(records)
    paths = lake.raw_paths({seen.path for record in records for seen in record.seen})
    found = {}
    for record in records:
        its = [(path, stat, stat_of(path)) for path, stat in paths.get(record.file_key, ())]
        same = next((path for path, then, now in its if then == now), None)
        found[record.file_key] = same or next(
            (
                path
                for path, then, now in its
                if then[0] == now[0] and _digest(path, *now) == record.sha256
            ),
            None,
        )
    return {key: path for key, path in found.items() if path}


@lru_cache
def _digest(path: Path, _size: int, _time_ns: int) -> str | None:
    """The SHA-256 of a raw file's content; None when it can't be read."""
    try:
        _, content = read_whole(read_content(path, NO_LIMITS), lambda _: None)
    except DataError:
        return None
    return content.sha256
