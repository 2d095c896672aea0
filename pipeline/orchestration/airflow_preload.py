"""Libraries that all tasks need, loaded once by the process that forks the tasks.

Airflow imports this in each of its parts when it stands in ``$AIRFLOW_HOME/config`` under the name
``airflow_local_settings.py``. Loading them is a third of what the processors do in a backfill of
small days. None of our own code: the next task runs what is installed when it begins.
"""

import importlib
import sys

LIBRARIES = (
    "jinja2",
    "numpy",
    "pyarrow.compute",
    "pyarrow.parquet",
    "pydantic_settings",
    "requests",
    "rich.progress",
    "typer",
)
"""Not DuckDB: it starts a thread, which a fork would lose."""

if {"scheduler", "worker"} & set(sys.argv):  # LocalExecutor's and Celery's
    for library in LIBRARIES:
        importlib.import_module(library)
