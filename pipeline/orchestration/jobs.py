"""Files for a scheduler's tasks, as JSON: a job is one or several files."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import accumulate, chain
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from pipeline.ingest.discovery import Found
from pipeline.lake.ledger import FileRecord
from pipeline.raw.files import Origin
from pipeline.text import escape, printable

Job = list[dict[str, str | bool]]
_ALONE = 100
"""So many files are a task each, which shows each by its name."""
_MOST_FILES = 4_000
_MOST_BYTES = 64 * 1024 * 1024
"""Of a task: about what is read in a minute, so that one that fails loses little."""
MOST_MAPPED = 1_000
"""Airflow maps a task over 1,024 at most."""


def name_file(path: Path) -> str:
    """A raw file's name, safe to show anywhere."""
    return escape(printable(path.name))


def name_job(job: Job) -> str:
    """The name of a job's first file, and how many more there are; none is the watch's."""
    if not job:
        return "nothing new"
    more = f" and {len(job) - 1} more" if len(job) > 1 else ""
    return f"{name_file(read_paths(job)[0])}{more}"


def count_of(job: Job, records: Sequence[FileRecord]) -> dict[str, int | str]:
    """What Airflow shows of a job that was taken in: its name, lines and hits."""
    return {
        "file": name_job(job),
        "lines": sum(record.lines for record in records),
        "hits": sum(record.hits for record in records),
    }


def write_jobs(found: Found, *, together: bool = False) -> list[Job]:
    """The files as a scheduler keeps them: ASCII, whatever bytes their names are of.

    ``together``: as one job, which an engine divides (see ``engine``).

    Raises:
        StoreError: a store is out of reach; it may answer when the scheduler tries again.
    """
    if found.unreached:
        raise found.unreached[0]
    jobs = [*_group(found.files), *([path] for path in found.again)]
    if together:
        jobs = [[*found.files, *found.again]] if jobs else []
    again, size = set(found.again), -(-len(jobs) // MOST_MAPPED)
    joined = (chain(*jobs[at : at + size]) for at in range(0, len(jobs), size or 1))
    return [[_write_file(p, found.origins.get(p), again=p in again) for p in job] for job in joined]


def _group(paths: tuple[Path, ...]) -> Iterator[list[Path]]:
    """Files in their order, together where there are many of them."""
    if len(paths) <= _ALONE:
        yield from ([path] for path in paths)
        return
    group: list[Path] = []
    n_bytes = 0
    for path in paths:
        size = path.stat().st_size if path.exists() else 0
        if group and (len(group) == _MOST_FILES or n_bytes + size > _MOST_BYTES):
            yield group
            group, n_bytes = [], 0
        group.append(path)
        n_bytes += size
    yield group


def divide(paths: Sequence[Path], parts: int) -> list[list[Path]]:
    """Files in their order, in about so many parts of equally many bytes."""
    sizes = [path.stat().st_size if path.exists() else 0 for path in paths]
    ends, total = list(accumulate(sizes)), sum(sizes) or 1
    found: dict[int, list[Path]] = defaultdict(list)
    for path, end, size in zip(paths, ends, sizes, strict=True):
        found[(end - size) * parts // total].append(path)
    return list(found.values())


def _write_file(path: Path, origin: Origin | None, *, again: bool) -> dict[str, str | bool]:
    file: dict[str, str | bool] = {"path": quote(os.fsencode(path)), "again": again}
    fields: dict[str, str | None] = asdict(origin) if origin else {}
    return file | {name: quote(value) for name, value in fields.items() if value is not None}


def read_origins(job: Job) -> dict[Path, Origin]:
    """What the settings said of a job's raw files, where they did."""
    return {_read_path(file): _read_origin(file) for file in job if "source" in file}


def read_paths(job: Job) -> list[Path]:
    """The raw files of a job."""
    return [_read_path(file) for file in job]


def read_again(job: Job) -> list[Path]:
    """Those of them that are to be read although the lake has them."""
    return [_read_path(file) for file in job if file["again"]]


def _read_path(file: dict[str, Any]) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(file["path"])))


def _read_origin(file: dict[str, Any]) -> Origin:
    names = ("source", "layout", "timezone", "url")
    fields = {name: unquote(file[name]) if name in file else None for name in names}
    return Origin(**fields)  # type: ignore[arg-type]  # the source is there
