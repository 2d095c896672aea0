"""Spark and pandas read the demo's lake as docs/how-to/query.md shows it.

In a process of their own: where there is a pandas, PyArrow loads it everywhere.
"""

import doctest
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from conftest import SHORT_LIVED_JAVA
from lake_fixtures import Done, Site
from shown import Block, find_blocks

ENGINES = Path(sys.prefix, "engines")
PAGE = "docs/how-to/query.md"
BLOCKS = list(find_blocks(PAGE))
QUESTIONS = [block.text for block in BLOCKS if block.language == "sql"]
PROGRAMS = [
    block
    for block in BLOCKS
    if block.language == "python"
    and ("pyspark" in block.text or (".df()" in block.text and "matplotlib" not in block.text))
]
IDS = "SELECT visitor_id FROM sessions ORDER BY session_id"
RUN = f"""
import io, json, sys
from contextlib import redirect_stdout
asked = json.load(sys.stdin)
printed = []
for program in asked["programs"]:
    known = {{}}
    with redirect_stdout(io.StringIO()) as said:
        exec(program, known)
    printed.append(said.getvalue())
spark = known["spark"]
tables = [spark.sql(question) for question in asked["questions"]]
answers = [[table.columns, table.collect()] for table in tables]
import pandas
sessions = pandas.read_parquet("demo/lake/sessions").sort_values("session_id")
ids = [sessions["visitor_id"].tolist(), [int(id) for (id,) in spark.sql("{IDS}").collect()]]
json.dump({{"printed": printed, "answers": answers, "ids": ids}}, sys.stdout, default=str)
"""

pytestmark = [
    pytest.mark.skipif(
        not ENGINES.exists(),
        reason="Spark and pandas are in .venv/engines: `make e2e` installs them",
    ),
    pytest.mark.skipif(not shutil.which("java"), reason="Spark needs Java 17, which is not here"),
]


@pytest.fixture(scope="module")
def said(shown: tuple[Site, Done]) -> Iterator[dict[str, Any]]:
    """What the engines said of the demo's lake: all that is asked, in one process."""
    engines = {
        "PYTHONPATH": str(ENGINES),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_SUBMIT_ARGS": "--master local[2] --conf spark.ui.enabled=false"
        " --conf spark.sql.shuffle.partitions=2 pyspark-shell",
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TZ": "UTC",
        **SHORT_LIVED_JAVA,
    }
    asked = {"programs": [block.text for block in PROGRAMS], "questions": QUESTIONS}
    done = subprocess.run(
        [sys.executable, "-c", RUN], input=json.dumps(asked), cwd=shown[0].folder, text=True,
        env=os.environ | engines, capture_output=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


def test_programs_print_what_the_page_shows(said: dict[str, Any]) -> None:
    """Those in pandas and in Spark."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    shown = doctest.OutputChecker().check_output
    assert len(PROGRAMS) >= 3
    for block, printed in zip(PROGRAMS, said["printed"], strict=True):
        assert isinstance(block, Block)
        assert shown(block.output, printed, flags), f"{block.text}\n{printed}"


def test_spark_answers_the_ten_questions_as_duckdb_does(
    said: dict[str, Any], shown: tuple[Site, Done]
) -> None:
    """Column by column, row by row."""
    assert len(QUESTIONS) == 10
    with duckdb.connect(
        str(shown[0].folder / "demo/lake/tidegauge.duckdb"), read_only=True
    ) as views:
        for question, answer in zip(QUESTIONS, said["answers"], strict=True):
            wanted = views.sql(question)
            rows = [wanted.columns, wanted.fetchall()]
            assert answer == json.loads(json.dumps(rows, default=str)), question


def test_pandas_and_spark_read_ids_without_loss(
    said: dict[str, Any], shown: tuple[Site, Done]
) -> None:
    with duckdb.connect(
        str(shown[0].folder / "demo/lake/tidegauge.duckdb"), read_only=True
    ) as views:
        ids = [one for (one,) in views.sql(IDS).fetchall()]
    assert max(ids) > 2**63
    assert said["ids"] == [ids, ids]
