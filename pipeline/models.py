"""The SQL models: read from ``sql/`` by name, bound by name, never pasted together."""

from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
FOLDER = next(path for path in (_HERE / "sql", _HERE.parent / "sql") if path.is_dir())
"""In an installed package beside the modules, in a checkout at the top."""


@cache
def read_model(name: str) -> str:
    """The text of ``sql/<name>.sql``, for example ``daily`` or ``queries/country_share``."""
    return (FOLDER / f"{name}.sql").read_text(encoding="utf-8")
