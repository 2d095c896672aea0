"""The SQL models: read from ``sql/`` by name, bound by name, never pasted together.

Whatever is asked of tables is one, or a relation that picks rows and columns. SQL in Python is what
deals with DuckDB itself (settings, views, ATTACH) and the parsers of ``formats/``.
"""

from functools import cache
from pathlib import Path

from pipeline.installed import find_data

FOLDER = find_data("sql")


@cache
def read_model(name: str) -> str:
    """The text of ``sql/<name>.sql``, for example ``daily`` or ``queries/country_share``."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def list_ready() -> dict[str, Path]:
    """The queries that need no parameter, by the file's name, such as ``country_share.sql``."""
    files = sorted(FOLDER.glob("queries/*.sql"))
    return {file.name: file for file in files if "\n-- params: none\n" in file.read_text("utf-8")}
