"""What the parts of Airflow that fork tasks load beforehand, and the other parts do not."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.orchestration import airflow_preload

LOADED = """
import sys
sys.path.insert(0, sys.argv.pop(1))
import airflow_local_settings
print([name for name in ("numpy", "pyarrow", "duckdb", "pipeline") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("part", "loaded"),
    [
        (["scheduler"], "['numpy', 'pyarrow']"),
        (["celery", "worker", "--concurrency=2"], "['numpy', 'pyarrow']"),
        (["api-server"], "[]"),
        (["tasks", "run"], "[]"),
    ],
)
def test_libraries_are_loaded_where_tasks_are_forked(
    part: list[str], loaded: str, tmp_path: Path
) -> None:
    """Under the name that Airflow imports, by a link; nothing of our own code."""
    source = airflow_preload.__file__
    (tmp_path / "airflow_local_settings.py").symlink_to(source)
    command = [sys.executable, "-c", LOADED, tmp_path, *part]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == loaded
