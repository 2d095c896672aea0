"""SQL of somebody who is not trusted: it SELECTs from the lake's tables, and nothing else.

Two walls. DuckDB's settings close files, network and extensions, and then themselves; they leave
the folders of the tables open, also to write. So only SELECTs are taken, and of functions that make
tables only those that make them of nothing: others read files, or write logs.
"""

import json
import os
from collections.abc import Iterator
from glob import escape
from typing import Any

import duckdb

from pipeline.errors import SettingsError
from pipeline.lake.database import connect_reader
from pipeline.lake.lake import Lake
from pipeline.lake.ledger import FILES_FOLDER
from pipeline.tables import TABLES

_HARMLESS = {"range", "generate_series", "unnest", "repeat", "repeat_row"}


def check_select(statement: str) -> None:
    """Refuse whatever is no SELECT from the lake's tables.

    Raises:
        SettingsError: what is wrong with it.
    """
    with connect_reader() as connection:
        asked = "SELECT json_serialize_sql($statement::VARCHAR)"
        ((text,),) = connection.execute(asked, {"statement": statement}).fetchall()
    parsed = json.loads(text)
    if parsed["error"]:
        raise SettingsError("--safe", statement.strip()[:200], parsed["error_message"])
    for name in _table_functions(parsed):
        if name not in _HARMLESS:
            raise SettingsError("--safe", name, "only the lake's tables may be read")


def _table_functions(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if node.get("type") == "TABLE_FUNCTION":
            yield node["function"]["function_name"]
        node = list(node.values())
    if isinstance(node, list):
        for inner in node:
            yield from _table_functions(inner)


def confine(connection: duckdb.DuckDBPyConnection, lake: Lake, memory_mb: int) -> None:
    """Close everything but the lake's tables to a connection to its views, for good."""
    root = os.path.realpath(lake.root)
    roots = {root, escape(root)}  # a pattern is compared as it is written, then each file's path
    folders = [*TABLES, FILES_FOLDER]
    tables = [f"{root}/{folder}/" for root in roots for folder in folders]
    listed = ", ".join("'" + table.replace("'", "''") + "'" for table in tables)
    for setting in (
        f"memory_limit = '{int(memory_mb)}MiB'",
        "max_temp_directory_size = '0KiB'",  # spilling would write beside the lake
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "python_enable_replacements = false",
        f"allowed_directories = [{listed}]",
        "enable_external_access = false",
        "lock_configuration = true",
    ):
        connection.execute(f"SET {setting}")
