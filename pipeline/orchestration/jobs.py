"""Files for a scheduler's tasks, as JSON."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, unquote_to_bytes

from pipeline.ingest.discovery import Found
from pipeline.raw.files import Origin
from pipeline.text import escape, printable


def name_file(path: Path) -> str:
    """A raw file's name, safe to show anywhere."""
    return escape(printable(path.name))


def write_jobs(found: Found) -> list[dict[str, str | bool]]:
    """The files as a scheduler keeps them: ASCII, whatever bytes their names are of.

    Raises:
        StoreError: a store is out of reach; it may answer when the scheduler tries again.
    """
    if found.unreached:
        raise found.unreached[0]
    jobs = [(path, False) for path in found.files] + [(path, True) for path in found.again]
    return [_write_job(path, found.origins.get(path), again=again) for path, again in jobs]


def _write_job(path: Path, origin: Origin | None, *, again: bool) -> dict[str, str | bool]:
    job: dict[str, str | bool] = {"path": quote(os.fsencode(path)), "again": again}
    fields: dict[str, str | None] = asdict(origin) if origin else {}
    return job | {name: quote(value) for name, value in fields.items() if value is not None}


def read_origins(job: dict[str, Any]) -> dict[Path, Origin]:
    """What the settings said of a job's raw file, when they did."""
    if "source" not in job:
        return {}
    names = ("source", "layout", "timezone", "url")
    fields = {name: unquote(job[name]) if name in job else None for name in names}
    return {read_path(job): Origin(**fields)}  # type: ignore[arg-type]  # the first two are there


def read_path(job: dict[str, Any]) -> Path:
    """The raw file of a job."""
    return Path(os.fsdecode(unquote_to_bytes(job["path"])))
