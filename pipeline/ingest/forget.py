"""A raw file's hits leave the lake."""

import os
from datetime import datetime

import pyarrow.compute as pc

from pipeline.errors import DataError, LakeError
from pipeline.ingest.deduplication import OverlapRules, SourceFiles
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FileRecord
from pipeline.text import escape


def forget_file(lake: Lake, rules: OverlapRules, name: str, now: datetime) -> FileRecord:
    """Take the hits and rejects of one raw file out; its record stays, marked as forgotten.

    Lines that other files share with it, and that were dropped as its duplicates, come back. A run
    that finds the raw file again leaves it alone.

    Raises:
        LakeError: the lake has no such file, or several.
        DataError: a day of it is sealed.
    """
    with lake.staging() as staging, lake.lock():
        record = _find(lake, name)
        sealed = sorted(lake.sealed() & record.read_days.keys())
        if sealed:
            raise DataError(
                f"{escape(record.name)} has hits of {sealed[0]}, which is sealed: its figures stand"
            )
        source = SourceFiles(lake, rules, staging)
        forgotten = source.forget(record.file_key, now)
        lake.commit(source.moves(), source.changed.values())
    return forgotten


def _find(lake: Lake, name: str) -> FileRecord:
    """The file with this key, or this path or name when only one has it."""
    seen = lake.find_seen(lake.root.cwd() / name)
    its = lake.find_all([name, *([seen.file_key] if seen else [])])
    found = [record for _, record in sorted(its.items()) if record.is_live]
    if not found:
        is_called = pc.field("name") == os.path.basename(name)  # noqa: PTH119 a name may be no path
        keys = lake.records(("file_key", "name"), which=is_called)["file_key"].to_pylist()
        found = [record for _, record in sorted(lake.find_all(keys).items())]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(record.file_key for record in found)
        raise LakeError(f"several files are called {name}; name one by its key: {listed}")
    raise LakeError(
        f"lake {lake.name} has no file {name}: name one as `tidegauge sql` shows it in the names of"
        " the hits' files, or by the path it was read from"
    )
