"""``lake/tidegauge.duckdb``: views over the lake's Parquet, for any DuckDB, wherever it lies.

A view has to find the lake's folder when it is read. Opened as the main database, its own place
tells, so the lake may have moved; attached, DuckDB gives a view no place to go by but the one it
was written for. Before a row comes, ``_IS_THERE`` compares what was chosen with where the file of
views lies: the rows are this lake's, or the query fails.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from pipeline.countries import list_countries
from pipeline.lake.database import connect
from pipeline.lake.day_files import DAY_OF_PATH
from pipeline.lake.digests import digest_of, with_latest
from pipeline.lake.fault_points import reach
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FILES_FOLDER, read_json, write_json
from pipeline.lake.sql import read_model
from pipeline.lake.stand_ins import bring
from pipeline.lake.storage import damage_named, storage_named
from pipeline.tables import (
    GROWN,
    OF_RAW_FILES,
    PARTITIONED,
    RENAMED,
    TABLES,
    UNPARTITIONED,
    VIEWS,
    select_nothing,
    words_of,
)

# The folder of the database that was opened as the main one, whatever it is.
_OPENED = "regexp_replace(current_setting('temp_directory'), '[^/]*$', '')"
# The folder that these views were written for: a type beside them, found under any alias.
_WRITTEN = "enum_first(NULL::lake_root)"
# Whether views of a lake in a store are being made: from this machine's copy, as DuckDB looks what
# columns there are, and may not reach the store.
_MADE_IN = "views.tmp"
_IS_MADE = f"ends_with(current_setting('temp_directory'), '/{_MADE_IN}')"
# A lake that was opened is called tidegauge. When it was written for the same folder it is this
# one; a copy of this one does not pass _IS_THERE. DuckDB's own command keeps a relative path as it
# was given, which says nothing after its .cd.
_MAY_BE_OPENED = """(starts_with(current_setting('temp_directory'), '/')
    AND ends_with(current_setting('temp_directory'), '/tidegauge.duckdb.tmp'))"""
_ROOT_WHEN_OPENED = (
    f"CASE WHEN enum_first(NULL::tidegauge.main.lake_root) = {_WRITTEN}"
    f" THEN {_OPENED} ELSE {_WRITTEN} END"
)
_STEM_OF_PATH = "regexp_extract(filename, '([^/]*)[.]parquet$', 1)"
_GLOB = r"regexp_replace({root}, '([*?\[])', '[\1]', 'g')"
_IS_THERE = """(
    SELECT CASE
        WHEN count(*) = 1 AND max(folder) = {root} THEN true
        WHEN count(*) > 1 THEN error('copies of one lake are attached, which its views can''t tell'
            || ' apart: run `tidegauge build` in the one that was copied or moved')
        ELSE error(concat('the views in ', max(folder), ' would read the lake in ', {root},
            ': open that tidegauge.duckdb itself, or run `tidegauge build` there to attach it'))
    END
    FROM (
        SELECT regexp_replace(path, '[^/]*$', '') AS folder
        FROM duckdb_databases()
        JOIN duckdb_types() USING (database_oid)
        WHERE type_name = 'lake_root' AND labels = enum_range(NULL::lake_root)
    )
)"""

_ADDED = {
    "sessions": "started_at AT TIME ZONE {zone} AS local_started_at,"
    " ended_at AT TIME ZONE {zone} AS local_ended_at,"
    " (epoch_us(ended_at) - epoch_us(started_at)) / 1e6 AS duration_s, hits = 1 AS is_bounce",
    "hourly": "hour AT TIME ZONE {zone} AS local_hour",
}
"""What a view has after its table's columns."""


def write_views(lake: Lake) -> None:
    """Write the database of views when it is not what it should be; open readers keep theirs."""
    with storage_named(lake.store.disk, "the next run writes the views"), lake.lock("views"):
        path, place = lake.digests_path("views"), lake.views.name
        known, made_of = read_json(path), _name_inputs(lake)
        is_whole = lake.views.exists() and digest_of(lake.views) == known.get(place, [""])[-1]
        if not is_whole or known.get("made_of") != made_of:
            draft = lake.root / ".views.draft"
            make_views(lake, draft)
            write_json(path, with_latest(known, place, digest_of(draft)) | {"made_of": made_of})
            draft.replace(lake.views)
        lake.store.put_views(made_of, lambda draft, url: make_views(lake, draft, url))


def make_views(lake: Lake, draft: Path, url: str | None = None) -> None:
    """Write a database of the lake's views to ``draft``, in place of what is there.

    With a ``url``: of the lake there, whoever opens it and wherever.
    """
    draft.unlink(missing_ok=True)  # of one that was killed, whose log DuckDB knows for another's
    found, is_mixed, zone = _sample_files(lake), _is_mixed(lake), _zone(lake)
    # DuckDB looks into the first one that it finds.
    bring(
        path
        for name in OF_RAW_FILES
        for path in islice(_list_below(lake.root / name, last_first=False), 1)
    )
    with connect(threads=1, spill=lake.root / _MADE_IN) as connection:
        attached = _quoted(str(draft.absolute()))
        connection.execute(f"ATTACH {attached} AS lake (STORAGE_VERSION 'v1.0.0')")
        connection.execute("USE lake")
        connection.execute("BEGIN")
        connection.execute(f"CREATE TYPE lake_root AS ENUM ({_quoted(url or _folder(lake))})")
        for name in VIEWS:
            is_there = found.get(name) is not None
            view = _view(name, zone, is_there=is_there, is_mixed=is_mixed, url=url)
            connection.execute(f"CREATE VIEW {name} AS {view}")
        connection.execute("; ".join(_comments()))
        connection.execute("COMMIT")
        reach("views: written")
        connection.execute("USE memory")
        connection.execute("DETACH lake")


def _folder(lake: Lake) -> str:
    """The lake's folder as DuckDB names it: without links."""
    return f"{os.path.realpath(lake.root)}/"


def _zone(lake: Lake) -> str:
    return lake.identity().get("timezone", "UTC")  # without one nothing was taken in


def _sample_files(lake: Lake) -> dict[str, Path | None]:
    """A file of each table, of the last day: which columns there are."""
    parts = {
        name: next(_list_below(lake.root / name, last_first=True), None) for name in PARTITIONED
    }
    tables = {name: lake.part_path(name) for name in UNPARTITIONED}
    files = {"files": next((lake.root / FILES_FOLDER).glob("*.parquet"), None)}
    return parts | files | {n: path if path.exists() else None for n, path in tables.items()}


def _list_below(table: Path, *, last_first: bool) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        # Names, as a lake may have thousands of days: to sort paths takes twenty times as long.
        for name in sorted(os.listdir(table), reverse=last_first):  # noqa: PTH208
            if name.startswith("day="):
                yield from sorted((table / name).glob("*.parquet"))


def _name_inputs(lake: Lake) -> str:
    """Name what the views are made of: their texts, DuckDB, the folder, the columns there are."""
    columns = {name: path and _read_columns(path) for name, path in _sample_files(lake).items()}
    texts = _texts(_zone(lake), is_mixed=_is_mixed(lake))
    inputs = [duckdb.__version__, *texts, _folder(lake), columns]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:32]


@cache
def _texts(zone: str, *, is_mixed: bool) -> tuple[list[str], list[str]]:
    """The views' SELECTs, of no rows and of some, and what comments them."""
    views = [
        _view(name, zone, is_there=is_there, is_mixed=is_mixed)
        for name in VIEWS for is_there in (False, True)
    ]  # fmt: skip
    return views, list(_comments())


def _is_mixed(lake: Lake) -> bool:
    """Whether an earlier version read any of the raw files."""
    return any(sums.is_old for sums in lake.sums())


def _read_columns(path: Path) -> str:
    bring([path])
    with damage_named(path):
        return str(pq.read_schema(path).remove_metadata())  # of a sheet: what its rows come to


def _view(name: str, zone: str, *, is_there: bool, is_mixed: bool, url: str | None = None) -> str:
    """A view's SELECT; of no table, it asks the others, which are found beside it."""
    if name == "site":
        return f"SELECT {_quoted(zone)} AS timezone"
    if name == "countries":
        countries = sorted(list_countries().items())
        codes, names = (", ".join(map(_quoted, its)) for its in zip(*countries, strict=True))
        return f"SELECT unnest([{codes}]) AS country, unnest([{names}]) AS name"
    if name not in TABLES:
        return read_model(f"views/{name}")
    rows = _select(name, is_there=is_there, is_mixed=is_mixed, url=url)
    if name in _ADDED:
        return f"SELECT *, {_ADDED[name].format(zone=_quoted(zone))} FROM ({rows})"  # noqa: S608 our own
    if name in RENAMED:
        columns = (f"{one} AS {RENAMED[name].get(one, one)}" for one in TABLES[name].names)
        return f"SELECT {', '.join(columns)} FROM ({rows})"  # noqa: S608 our own
    return rows


def _comments() -> Iterator[str]:
    for view, schema in VIEWS.items():
        yield f"COMMENT ON VIEW {view} IS {_quoted(words_of(schema))}"
        for column in schema:
            yield f"COMMENT ON COLUMN {view}.{column.name} IS {_quoted(words_of(column))}"


def _select(name: str, *, is_there: bool, is_mixed: bool, url: str | None = None) -> str:
    if not is_there:
        return select_nothing(name)
    if name in OF_RAW_FILES:
        files = _from_files(name, is_mixed=is_mixed, url=url)
        rows = f"{select_nothing(name)} UNION ALL BY NAME {files}"
        named = "coalesce(file_key, stem) AS file_key"
        return f"SELECT * EXCLUDE (stem) REPLACE ({named}) FROM ({rows})"  # noqa: S608 our own
    nothing = [select_nothing(name)] if name in GROWN else []
    files = _from_files(name, is_mixed=name in GROWN, url=url)
    return " UNION ALL BY NAME ".join([*nothing, files])


def _from_files(name: str, *, is_mixed: bool, url: str | None) -> str:
    """A SELECT of all rows of a table, from the folder that is the lake's when it is asked.

    What depends on that is a text, made when the query is bound: DuckDB takes nothing else for
    the path of Parquet, and must not look for ``tidegauge.main`` where there is none.
    """
    if name in PARTITIONED:
        stem = f", {_STEM_OF_PATH} AS stem" if name in OF_RAW_FILES else ""
        by_union = ", union_by_name = true" * is_mixed
        by_hive = _read(
            name, "day=*/*", f"* EXCLUDE (filename){stem}",
            f"hive_partitioning = true, hive_types = {{day: DATE}}, filename = true{by_union}",
        )  # fmt: skip
        by_name = _read(
            name, "day=*/*", f"* EXCLUDE (filename), {DAY_OF_PATH} AS day{stem}",
            f"hive_partitioning = false, filename = true{by_union}",
        )  # fmt: skip
        # Hive's way knows also a day that a join asks for, but takes all of a path for columns.
        is_odd = f"contains({_OPENED} || {_WRITTEN}, '=')"
        text = f"CASE WHEN {is_odd} THEN {_quoted(by_name)} ELSE {_quoted(by_hive)} END"
    elif name == "files":
        options = "hive_partitioning = false, union_by_name = true"
        text = _quoted(_read(FILES_FOLDER, "*", "* EXCLUDE (seen)", options))
    else:
        text = _quoted(_read(name, "part", "*", "hive_partitioning = false"))
    if url:
        text = text.replace(_IS_THERE.replace("'", "''"), "true")
        place = f"CASE WHEN {_IS_MADE} THEN {_OPENED} ELSE {_quoted(url)} END"
        one, two = _quoted("'"), _quoted("''")
        root = f"concat({one}, replace({place}, {one}, {two}), {one})"
    else:
        opened, written = _quoted(_ROOT_WHEN_OPENED), _quoted(_WRITTEN)
        root = f"CASE WHEN {_MAY_BE_OPENED} THEN {opened} ELSE {written} END"
    return f"SELECT * FROM query(replace({text}, '{{root}}', {root}))"  # noqa: S608 our own


def _read(name: str, files: str, columns: str, options: str) -> str:
    return (
        f"SELECT {columns} FROM read_parquet({_GLOB} || '{name}/{files}.parquet', {options})"  # noqa: S608 our own
        f" WHERE {_IS_THERE}"
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
