"""Proves what lies beside the tables: the DuckDB file of views and the robots' cache."""

import tempfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.enrich.robots import Robots, find_robots, is_nobodys
from pipeline.errors import LakeError
from pipeline.lake.database import connect_reader
from pipeline.lake.digests import digest_of
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import read_json
from pipeline.lake.old_ledger import has_old
from pipeline.lake.views import make_views
from pipeline.tables import RESTATEMENTS
from pipeline.verify.findings import Finding, place_of


def prove_views(lake: Lake) -> Iterator[Finding]:
    """Whether ``tidegauge.duckdb`` is as it was written, and what would be written now."""
    with lake.hold("views"):
        if why := _check_digest(lake, "views", lake.views):
            yield Finding("views", lake.views.name, why)
            return
        with tempfile.TemporaryDirectory(prefix="tidegauge-verify-") as folder:
            wanted = Path(folder) / lake.views.name
            try:
                make_views(lake, wanted)  # looks into the first file of each table
                now, stored = _definitions(wanted), _definitions(lake.views)
            except (duckdb.Error, LakeError) as error:
                why = f"its views cannot be compared: {str(error).splitlines()[0]}"
                yield Finding("unproven", lake.views.name, why)
                return
            changed = {name for name, _ in stored ^ now}
    if has_old(lake.ledger):  # no view reads that
        changed -= {"files"}
    if changed:
        why = f"its views {', '.join(sorted(changed))} are not those that would be written now"
        yield Finding("views", lake.views.name, why)


def _definitions(path: Path) -> set[tuple[str, str]]:
    """Views and their columns' comments; of the file attached, as to open it takes 30 ms."""
    name, place = f"views_{uuid4().hex}", str(path.absolute()).replace("'", "''")
    with connect_reader() as connection:
        connection.execute(f"ATTACH '{place}' AS {name} (READ_ONLY)")
        try:
            rows = connection.execute(
                "SELECT view_name, concat(sql, comment) FROM duckdb_views()"
                " WHERE database_name = $name AND NOT internal"
                " UNION ALL SELECT table_name, concat(column_name, ': ', comment)"
                " FROM duckdb_columns() WHERE database_name = $name AND NOT internal",
                {"name": name},
            ).fetchall()
        finally:
            connection.execute(f"DETACH {name}")
    return {(view, text) for view, text in rows}


def _check_digest(lake: Lake, name: str, path: Path) -> str | None:
    if not path.exists():
        return "is missing"
    known = _known_digests(lake, name).get(place_of(lake.root, path))
    if not known:
        return "no digest of it is in ledger/digests: its bytes prove nothing"
    if digest_of(path) not in known:
        return "its bytes are not those that were written (SHA-256 differs)"
    return None


def _known_digests(lake: Lake, name: str) -> dict[str, list[str]]:
    """Digests that a file may have, by its place; the ledger's own check says what is damaged."""
    try:
        return {
            place: digests
            for place, digests in read_json(lake.digests_path(name)).items()
            if isinstance(digests, list)
        }
    except LakeError:
        return {}


def prove_restatements(lake: Lake) -> Iterator[Finding]:
    """Whether the published values are as they were written, each after the one that it restates.

    They record what was said, so nothing tells what they should be but they themselves.
    """
    path = lake.part_path("restatements")
    place = place_of(lake.root, path)
    if not path.exists() and place not in _known_digests(lake, "restatements"):
        return
    why = _check_digest(lake, "restatements", path) or _check_values(path)
    if why:
        yield Finding("restatements", place, why)


def prove_subdivisions(lake: Lake) -> Iterator[Finding]:
    """Whether the names of subdivisions are as they were written: no figure depends on them."""
    path = lake.part_path("subdivisions")
    place = place_of(lake.root, path)
    if path.exists() or place in _known_digests(lake, "subdivisions"):
        with lake.hold():
            why = _check_digest(lake, "subdivisions", path)
        if why:
            yield Finding("subdivisions", place, why)


def _check_values(path: Path) -> str | None:
    try:
        rows = pq.ParquetFile(path).read().cast(RESTATEMENTS).to_pylist()
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    began: dict[date, datetime] = {}
    for row in rows:
        began[row["day"]] = min(began.get(row["day"], row["published_at"]), row["published_at"])
    last: dict[tuple[date, str], dict[str, Any]] = {}
    for number, row in enumerate(rows, 1):
        figure, at = (row["day"], row["country"]), row["published_at"]
        before = last.get(figure)
        is_first = at == began[row["day"]]
        sessions = before["sessions"] if before else None if is_first else 0
        if row["previous_sessions"] != sessions or (before and at <= before["published_at"]):
            return f"row {number} does not follow the value before it of {figure[0]} {figure[1]}"
        last[figure] = row
    return None


def prove_robots(lake: Lake) -> Iterator[Finding]:
    """Whether the robots' caches are as they were written, and say what the lists say now."""
    current = Robots(lake.root).path
    with lake.hold("robots"):
        known = {lake.root / place for place in _known_digests(lake, "robots")}
        for path in sorted({*known, *(lake.ledger / "robots").glob("*.parquet")}):
            place = place_of(lake.root, path)
            why = _check_digest(lake, "robots", path)
            if why is None and path == current:
                why = _check_answers(path)
            if why:
                yield Finding("robots", place, why)


def _check_answers(path: Path) -> str | None:
    try:
        columns = pq.ParquetFile(path).read().to_pydict()
        agents, answers = columns["user_agent"], np.array(columns["is_robot"], np.bool_)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    by_lists = find_robots(agents)
    is_other = (by_lists != answers) & ~np.array([is_nobodys(agent) for agent in agents], np.bool_)
    wrong = int(is_other.sum())
    return f"{wrong:,} of {len(agents):,} answers are not the lists'" if wrong else None
