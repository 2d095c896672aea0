"""Where a lake may lie: a path that DuckDB and the lake's readers take for nothing but a path."""

import os
import re
from pathlib import Path


def check_place(lake: Path) -> Path:
    """The path of a lake, when one may lie there.

    The path as given and the one that links lead to count, both from the root on: a reader may
    write either.

    Raises:
        ValueError: it can't lie there, and why.
    """
    if re.match(r"[A-Za-z][\w+.-]*:", str(lake)):
        raise ValueError("a name before a colon is no folder; write the path of one, from / on")
    if str(lake).startswith("~"):
        raise ValueError("only a shell knows whose folder ~ is; write its path, from / on")
    for path in {os.path.normpath(lake.absolute()), os.path.realpath(lake)}:
        if why := _refuse(path):
            raise ValueError(why)
    return lake


def _refuse(path: str) -> str | None:
    if any("\ud800" <= char <= "\udfff" for char in path):
        return "its path is not UTF-8, which DuckDB can't read; choose another folder"
    if "\\" in path:
        return "DuckDB reads a \\ in a path as a /; choose another folder"
    if "?" in path:
        return "DuckDB reads options behind a ? in a path; choose another folder"
    for folder in path.split("/"):
        name, equals, _ = folder.partition("=")
        if equals and name.lower() in _list_columns():
            return (
                f"who reads its Parquet by path would take the folder {folder} for the column"
                f" {name.lower()}; choose another folder"
            )
    return None


def _list_columns() -> set[str]:
    from pipeline.tables import TABLES  # noqa: PLC0415 DAGs are to be read fast

    return {name for schema in TABLES.values() for name in schema.names}
