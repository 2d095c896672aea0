"""The ten questions of docs/how-to/query.md: one text, and DuckDB's answers are Polars', too.

`tests/system/test_engines.py` asks Spark, `test_pages.py` compares what the page shows.
"""

import re
from contextlib import chdir

import duckdb
import pytest
from lake_fixtures import Done, Site
from shown import PAGES, find_blocks

pytestmark = pytest.mark.xdist_group("demo")

PAGE = "docs/how-to/query.md"
QUESTIONS = [block.text for block in find_blocks(PAGE) if block.language == "sql"]


def test_there_are_ten() -> None:
    assert len(QUESTIONS) == 10
    (section,) = re.findall(r"^## Ten questions\n(.*?)^## ", PAGES[PAGE], re.MULTILINE | re.DOTALL)
    assert section.count("\n### ") == section.count("\n```sql\n") == 10


@pytest.mark.large
def test_polars_answers_as_duckdb_does(shown: tuple[Site, Done]) -> None:
    """The demo's lake, read by Polars from the Parquet as the page says, and by the views."""
    (program,) = (block.text for block in find_blocks(PAGE) if "SQLContext" in block.text)
    known: dict = {}
    with chdir(shown[0].folder):
        exec(compile(program, PAGE, "exec"), known)  # noqa: S102
        for question in QUESTIONS:
            found = known["lake"].execute(question, eager=True)
            with duckdb.connect("demo/lake/tidegauge.duckdb", read_only=True) as views:
                wanted = views.sql(question)
                assert found.columns == wanted.columns, question
                assert len(found) > 1, question
                assert found.rows() == wanted.fetchall(), question
