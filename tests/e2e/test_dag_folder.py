"""How long Airflow needs to read the DAG folder, over and over, every half minute."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

DAGS = Path(__file__).parents[2] / "dags"
PROGRAM = """
import json, sys, time
from pathlib import Path
from airflow.dag_processing.dagbag import DagBag

wall, processor = time.perf_counter(), time.process_time()
bag = DagBag(sys.argv[1], bundle_path=Path(sys.argv[1]))
took = [time.perf_counter() - wall, time.process_time() - processor]
print(json.dumps({"dags": sorted(bag.dags), "errors": bag.import_errors, "took": took}))
"""


def test_dag_folder_is_read_in_under_two_seconds(
    tmp_path: Path, measure: Callable[[str, str], None]
) -> None:
    """All DAGs, without an error, in under two seconds of a processor, nothing read before."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, DAGS],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    wall, processor = found["took"]
    measure("parse of the DAG folder: wall / processor, seconds", f"{wall:.2f} / {processor:.2f}")
    assert found["errors"] == {}
    assert found["dags"] == [
        f"tidegauge_{name}"
        for name in ("example_downstream", "nightly", "refresh_geo", "retention", "watch")
    ]
    assert processor < 2
