"""The ledger as versions up to 0.5 wrote it: a JSON file a record, and one a path that was read."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from pipeline.lake.ledger import DayShare, FileRecord, Seen, read_json

_KINDS = ("files", "replaced", "forgotten")
_SEEN = "seen"


def has_old(ledger: Path) -> bool:
    """Whether there is anything of it."""
    return next(list_old(ledger), None) is not None


def list_old(ledger: Path) -> Iterator[Path]:
    """Its files, which a change that holds them otherwise removes."""
    return chain.from_iterable((ledger / kind).glob("*.json") for kind in (*_KINDS, _SEEN))


def read_old(ledger: Path) -> list[FileRecord]:
    """The records of all raw files, with where they were read.

    Raises:
        LakeError: a file is damaged.
    """
    seen: dict[str, list[Seen]] = {}
    for path in sorted((ledger / _SEEN).glob("*.json")):
        was = read_json(path)
        one = Seen(was["path"], was["stat"][0], was["stat"][1], path.stat().st_mtime_ns)
        seen.setdefault(was["file_key"], []).append(one)
    paths = [path for kind in _KINDS for path in sorted((ledger / kind).glob("*.json"))]
    return [_read_record(path, tuple(seen.get(path.stem, ()))) for path in paths]


def _read_record(path: Path, seen: tuple[Seen, ...]) -> FileRecord:
    record = read_json(path)
    for name in ("days", "whole_days"):
        record[name] = {day: DayShare(**share) for day, share in record[name].items()}
    return FileRecord(**record, seen=seen)
