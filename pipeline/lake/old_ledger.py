"""The ledger as versions up to 0.5 wrote it: a JSON file a record, and one a path.

One for each path that was read, and one for each that was left out. A file that is gone between
listing and reading has become a part of a sheet: who reads both reads these first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

from pipeline.errors import LakeError
from pipeline.lake.ledger import DayShare, FileRecord, Seen, read_json

_KINDS = ("files", "replaced", "forgotten")
_SEEN, _LEFT = "seen", "left"


def has_old(ledger: Path) -> bool:
    """Whether there is anything of it."""
    return next(list_old(ledger), None) is not None


def list_old(ledger: Path) -> Iterator[Path]:
    """Its files, which a change that holds them otherwise removes."""
    return chain.from_iterable((ledger / kind).glob("*.json") for kind in (*_KINDS, _SEEN, _LEFT))


def read_old(ledger: Path) -> list[FileRecord]:
    """The records of all raw files, with where they were read.

    Raises:
        LakeError: a file is damaged.
    """
    seen: dict[str, list[Seen]] = {}
    for path in sorted((ledger / _SEEN).glob("*.json")):
        if was := read_json(path):
            with _damage_named(path):
                one = Seen(was["path"], was["stat"][0], was["stat"][1], path.stat().st_mtime_ns)
                seen.setdefault(was["file_key"], []).append(one)
    records = [
        read_old_record(path, tuple(seen.get(path.stem, ()))) for path in list_old_records(ledger)
    ]
    return [record for record in records if record]


def list_old_records(ledger: Path) -> list[Path]:
    """The files of records: in the lake, replaced, forgotten."""
    return [path for kind in _KINDS for path in sorted((ledger / kind).glob("*.json"))]


def read_old_record(path: Path, seen: tuple[Seen, ...] = ()) -> FileRecord | None:
    """One record, with where its raw file was read; None when it is gone."""
    record = read_json(path)
    with _damage_named(path):
        for name in ("days", "whole_days"):
            if name in record:
                record[name] = {day: DayShare(**share) for day, share in record[name].items()}
        return FileRecord(**record, seen=seen) if record else None


def list_old_notes(ledger: Path) -> list[Path]:
    """The notes of raw files that are left out."""
    return sorted((ledger / _LEFT).glob("*.json"))


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        return
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        why = f"{path} is damaged: its fields are others; `tidegauge verify` tells what else is"
        raise LakeError(why) from error
