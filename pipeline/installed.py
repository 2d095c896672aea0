"""Where the parts of the program lie that are no modules: the SQL and the DAGs."""

from pathlib import Path

DATA = ("sql", "dags")
"""At the top of a checkout; in an installed package beside the modules."""
_HERE = Path(__file__).parent


def find_data(name: str) -> Path:
    """The folder of one of ``DATA``."""
    installed = _HERE / name
    return installed if installed.is_dir() else _HERE.parent / name
