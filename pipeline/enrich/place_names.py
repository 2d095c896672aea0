"""What the databases of addresses call the subdivisions that clients were located in.

They become the lake's table ``subdivisions``, for who reads its codes; no figure depends on them.
Codes change their meaning over the years, so that no list of today names an older database's.
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import pyarrow as pa

from pipeline.enrich.geo.lookup import Locator
from pipeline.errors import LakeError, StorageError
from pipeline.lake.change import Change
from pipeline.lake.lake import Lake
from pipeline.lake.table_files import read_table, write_table
from pipeline.tables import SUBDIVISIONS

LOG = logging.getLogger(__name__)

Named = tuple[date, str]
"""When a database was built, and what it calls a subdivision: the largest is the newest."""


def save_names(lake: Lake, locators: Iterable[Locator]) -> None:
    """Keep names that the lake lacks, or has of an older database; where it can't, it goes on."""
    found: dict[tuple[str, str], Named] = {}
    for locator in locators:
        for codes, name in locator.names.items():
            named = (locator.database.build_date, name)
            found[codes] = max(named, found.get(codes, named))
    if not found:
        return
    path = lake.part_path("subdivisions")
    try:
        with lake.lock():
            known = _read_names(path)
            newer = {
                codes: its for codes, its in found.items() if its > known.get(codes, (date.min, ""))
            }
            if newer:
                with lake.staging() as staging:
                    change, staged = Change(lake, staging), staging / "subdivisions.parquet"
                    write_table(staged, _as_table(known | newer))
                    change.replace(path, staged)
                    change.note_latest("subdivisions", path)
                    change.put_locked()
    except (OSError, StorageError) as error:
        LOG.warning("names of subdivisions not written: %s", error)


def _read_names(path: Path) -> dict[tuple[str, str], Named]:
    try:
        rows = read_table(path).to_pylist() if path.exists() else []
    except LakeError as error:
        LOG.warning("%s; it gets the names that are met now", error)
        rows = []
    return {(one["country"], one["subdivision"]): (one["geo_built"], one["name"]) for one in rows}


def _as_table(names: Mapping[tuple[str, str], Named]) -> pa.Table:
    rows = [(*codes, name, built) for codes, (built, name) in sorted(names.items())]
    columns = zip(SUBDIVISIONS.names, zip(*rows, strict=True), strict=True)
    return pa.table({name: list(its) for name, its in columns}, SUBDIVISIONS)
